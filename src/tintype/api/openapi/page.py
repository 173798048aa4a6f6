"""The OpenAPI document as one page to read: plain HTML, no script, nothing from anywhere else."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem; }
nav ul { columns: 2; padding-left: 1.2rem; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
h3 { overflow-wrap: anywhere; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { background: #8882; padding: 0.75rem; overflow-x: auto; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #8884; padding: 0.3rem 0.6rem 0.3rem 0; }
th, td { text-align: left; vertical-align: top; }
.method { font-weight: 700; }
"""
POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page: its own style, and nothing else."""
JSON = "application/json"


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}: the API")
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    for paragraph in info["description"].split("\n\n"):
        yield f"<p>{_text(paragraph)}</p>"
    yield '<p>The same for machines: <a href="/openapi.json">openapi.json</a>.</p>'
    yield "<h2>Credentials</h2>"
    schemes = document["components"]["securitySchemes"].values()
    yield from _table(("Header", "Meaning"), [(each["name"], each["description"]) for each in schemes])
    operations = list(_operations(document))
    yield "<nav><h2>Calls</h2><ul>"
    for method, path, operation in operations:
        yield (
            f'<li><a href="#{escape(operation["operationId"])}"><span class="method">{method}</span> '
            f"<code>{escape(path)}</code></a></li>"
        )
    yield "</ul></nav>\n<main>"
    for method, path, operation in operations:
        yield from _section(method, path, operation, document)
    yield "</main>\n</body>\n</html>"


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _section(
    method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[str]:
    name = escape(operation["operationId"])
    yield f'<section id="{name}"><h3>{_text(operation["summary"])}</h3>'
    yield f'<p><span class="method">{method}</span> <code>{escape(path)}</code></p>'
    if about := operation.get("description"):
        yield f"<p>{_text(about)}</p>"
    given = [
        (f"{each['name']} ({each['in']})", each.get("description", ""))
        for each in operation.get("parameters", [])
    ]
    if given:
        yield "<h4>Path, query and headers</h4>"
        yield from _table(("Name", "Meaning"), given)
    yield from _body(operation, document)
    yield "<h4>Answers</h4>"
    yield from _table(("Status", "Meaning"), _answers(operation))
    if sample := _sample(operation):
        yield f"<pre>{escape(_shown(sample))}</pre>"
    yield "</section>"


def _body(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return
    first = next(iter(content.values()))
    schema = _resolved(first["schema"], document)
    required = schema.get("required", ())
    rows = [
        (name + ("" if name not in required else ", required"), _meaning(field))
        for name, field in schema.get("properties", {}).items()
    ]
    yield f"<h4>Body: {escape(', '.join(content))}</h4>"
    yield from _table(("Name", "Meaning"), rows)
    for example in first.get("examples", {}).values():
        yield f"<pre>{escape(_shown(example['value']))}</pre>"


def _meaning(field: Mapping[str, Any]) -> str:
    """A field in words: what it is, what it accepts, what it is by itself."""
    parts = [field.get("description") or field.get("title") or ""]
    for choice in [field, *field.get("anyOf", [])]:
        if "minimum" in choice or "maximum" in choice:
            parts.append(f"{choice.get('minimum', '…')} to {choice.get('maximum', '…')}.")
        if "multipleOf" in choice:
            parts.append(f"A multiple of {choice['multipleOf']}.")
    if allowed := [value for value in field.get("enum", []) if value]:
        parts.append(f"One of {', '.join(map(str, allowed))}.")
    if "default" in field:
        parts.append(f"Default: {field['default']}.")
    return " ".join(filter(None, parts))


def _answers(operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for status, answer in operation["responses"].items():
        examples = answer.get("content", {}).get(JSON, {}).get("examples", {}).values()
        refusals = [
            f"{problem['code']}: {problem['message']}"
            for example in examples
            for problem in example["value"].get("errors", [])
        ]
        rows.append((status, "\n".join([answer["description"], *refusals])))
    return rows


def _sample(operation: Mapping[str, Any]) -> Any:
    content = operation["responses"].get("200", {}).get("content", {})
    return content.get(JSON, {}).get("examples", {}).get("done", {}).get("value")


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _table(head: tuple[str, ...], rows: list[tuple[str, str]]) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr></thead><tbody>"
    for name, meaning in rows:
        lines = "<br>".join(_text(line) for line in meaning.split("\n"))
        yield f"<tr><td><code>{escape(name)}</code></td><td>{lines}</td></tr>"
    yield "</tbody></table>"


def _text(text: str) -> str:
    """The text, with what stands between backticks as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _shown(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
