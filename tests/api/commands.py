"""The six commands of the model page, as printed."""

PREPARE = """\
# Sign up Wiro dashboard and create project
export YOUR_API_KEY="{{useSelectedProjectAPIKey}}";
export YOUR_API_SECRET="XXXXXXXXX";

# unix time or any random integer value
export NONCE=$(date +%s);

# hmac-SHA256 (YOUR_API_SECRET+Nonce) with YOUR_API_KEY
export SIGNATURE="$(echo -n "${YOUR_API_SECRET}${NONCE}" | openssl dgst -sha256 -hmac "${YOUR_API_KEY}")";
"""

HEADERS = """\
-H "Content-Type: multipart/form-data" \\
-H "x-api-key: ${YOUR_API_KEY}" \\
-H "x-nonce: ${NONCE}" \\
-H "x-signature: ${SIGNATURE}" \\
"""

RUN = (
    'curl -X POST "https://api.wiro.ai/v1/Run/black-forest-labs/flux-2-flex-t2i" \\\n'
    + HEADERS
    + """\
-d '{
  "prompt": "",
  "width": 1024,
  "height": 1024,
  "guidance": 4.5,
  "steps": 50,
  "safetyTolerance": 2,
  "seed": 123,
  "outputFormat": "png",
  "callbackUrl": "You can provide a callback URL; Wiro will send a POST request to it \
when the task is completed."
}';
"""
)

DETAIL_BY_ID = (
    'curl -X POST "https://api.wiro.ai/v1/Task/Detail" \\\n'
    + HEADERS
    + """-d '{
  "taskid": "2221"
}';
"""
)

DETAIL_BY_TOKEN = (
    'curl -X POST "https://api.wiro.ai/v1/Task/Detail" \\\n'
    + HEADERS
    + """-d '{
  "tasktoken": "eDcCm5yyUfIvMFspTwww49OUfgXkQt"
}';
"""
)

KILL_BY_ID = (
    'curl -X POST "https://api.wiro.ai/v1/Task/Kill" \\\n'
    + HEADERS
    + """-d '{
  "taskid": "534574"
}';
"""
)

KILL_BY_TOKEN = (
    'curl -X POST "https://api.wiro.ai/v1/Task/Kill" \\\n'
    + HEADERS
    + """-d '{
  "socketaccesstoken": "ZpYote30on42O4jjHXNiKmrWAZqbRE"
}';
"""
)

CANCEL_BY_ID = (
    'curl -X POST "https://api.wiro.ai/v1/Task/Cancel" \\\n'
    + HEADERS
    + """-d '{
  "taskid": "634574"
}';
"""
)

ALL = (RUN, DETAIL_BY_ID, DETAIL_BY_TOKEN, KILL_BY_ID, KILL_BY_TOKEN, CANCEL_BY_ID)


def flattened(script: str) -> str:
    """The script as one line, as the page prints it: line breaks and continuations become spaces."""
    return " ".join(script.replace("\\\n", " ").split("\n"))
