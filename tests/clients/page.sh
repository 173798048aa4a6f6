#!/bin/bash
# A client as somebody writes it who has read the model page and nothing else: bash, curl and openssl.
set -euo pipefail

post() { # path, body
  curl -sS -X POST "${SERVER}/v1/$1" -H "Content-Type: multipart/form-data" -H "x-api-key: ${KEY}" \
    -H "x-nonce: ${NONCE}" -H "x-signature: ${SIGNATURE}" -d "$2"
}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -1; }

NONCE=$(date +%s)
SIGNATURE="$(echo -n "${SECRET}${NONCE}" | openssl dgst -sha256 -hmac "${KEY}")"
INPUTS='{"prompt": "a red apple", "width": 64, "height": 64, "steps": 4}'

if [ "$1" = draw ]; then
  TASK=$(post "Run/${MODEL}" "${INPUTS}" | field taskid)
  while DETAIL=$(post Task/Detail "{\"taskid\": \"${TASK}\"}"); do
    STATUS=$(field status <<<"${DETAIL}")
    case "${STATUS}" in task_postprocess_end | task_cancel) break ;; esac
    sleep 0.2
  done
  URL=$(field url <<<"${DETAIL}")
  echo "{\"task\": \"${TASK}\", \"polled\": \"${STATUS}\", \"picture\": \"${URL}\"}"
else
  RUNNING=$(post "Run/${MODEL}" "${INPUTS}" | field socketaccesstoken)
  QUEUED=$(post "Run/${MODEL}" "${INPUTS}" | field taskid)
  CANCELLED=$(post Task/Cancel "{\"taskid\": \"${QUEUED}\"}" | field status)
  KILLED=$(post Task/Kill "{\"socketaccesstoken\": \"${RUNNING}\"}" | field status)
  echo "{\"cancelled\": \"${CANCELLED}\", \"killed\": \"${KILLED}\"}"
fi
