"""The document as a page of HTML: no script, nothing from elsewhere, whatever stands in it escaped."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from gateway.openapi.parts import JSON, Json

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; --accent: light-dark(#0b57d0, #8ab4f8); }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { margin: 0; } h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
a { color: var(--accent); } code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: .4rem; padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; overflow-wrap: anywhere; padding: .3rem 0; }
summary b { color: var(--accent); display: inline-block; min-width: 4rem; }
summary span { display: block; opacity: .8; }
table { border-collapse: collapse; width: 100%; }
td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; }
tr + tr { border-top: 1px solid var(--line); } td + td { overflow-wrap: anywhere; } p { margin: .5rem 0; }
nav a { margin-right: 1rem; white-space: nowrap; }
"""
_SERVER = "http://127.0.0.1:8000"


def page(document: Json) -> tuple[bytes, str]:
    """The page in UTF-8, and the Content-Security-Policy that lets it be nothing but what it is."""
    tags = _by_tag(document["paths"])
    info = document["info"]
    parts = [
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        _paragraphs(info["description"]),
        '<p>The same for programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>',
        f"<nav>{' '.join(_link(tag) for tag in (*tags, 'Access', 'Errors', 'Schemas'))}</nav>",
    ]
    for tag, operations in tags.items():
        parts += [_heading(tag), *(_operation(document, *each) for each in operations)]
    parts += [_heading("Access"), _rows((name, _inline(scheme["description"])) for name, scheme in _schemes(document))]
    errors = document["components"]["responses"].values()
    told = ((each["x-status"], _inline(each["description"])) for each in errors)
    parts += [_heading("Errors"), "<p>Of HTTP itself, for every call:</p>", _rows(told)]
    parts += [_heading("Schemas"), *(_schema(name, schema) for name, schema in sorted(_schemas(document)))]
    return _html(info["title"], "\n".join(parts)), _policy()


def _policy() -> str:
    digest = b64encode(sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _html(title: str, body: str) -> bytes:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    ).encode()


def _by_tag(paths: Json) -> dict[str, list[tuple[str, str, Json]]]:
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append((path, method, operation))
    return found


def _operation(document: Json, path: str, method: str, operation: Json) -> str:
    parameters = [_resolved(document, parameter) for parameter in operation["parameters"]]
    head = f"<b>{method.upper()}</b> <code>{escape(path)}</code><span>{escape(operation['summary'])}</span>"
    rows = ((_parameter_name(each), f"{_kind(each['schema'])} {_inline(each['description'])}") for each in parameters)
    parts = [
        f'<details id="{_anchor(operation["operationId"])}"><summary>{head}</summary>',
        _paragraphs(operation["description"]),
        "<h4>Parameters</h4>",
        _rows(rows),
    ]
    content = operation.get("requestBody", {}).get("content", {}).get(JSON)
    if content:
        parts.append(f"<h4>Body</h4><p>{_kind(content['schema'])}</p>")
    parts += [f"<p>{escape(says)}</p><pre>{escape(command)}</pre>" for says, command in _curls(path, method, operation)]
    parts += ["<h4>Answers</h4>", _rows(_answers(operation))]
    return "\n".join([*parts, "</details>"])


def _parameter_name(parameter: Json) -> str:
    needed = " (required)" if parameter.get("required") else ""
    return f"<code>{escape(parameter['name'])}</code> in {escape(parameter['in'])}{needed}"


def _answers(operation: Json) -> Iterator[tuple[str, str]]:
    common = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            common.append(status)
            continue
        kinds = ", ".join(_media(*each) for each in answer.get("content", {}).items())
        yield escape(status), f"{_inline(answer['description'])} {kinds}"
    yield _link("Errors"), ", ".join(common)


def _media(name: str, content: Json) -> str:
    return f"{escape(name)} {_kind(content['schema'])}" if "schema" in content else escape(name)


def _curls(path: str, method: str, operation: Json) -> Iterator[tuple[str, str]]:
    """Commands that can be pasted into a shell, with what each does."""
    url = _SERVER + address(path, operation)
    content = operation.get("requestBody", {}).get("content", {}).get(JSON)
    verb = "" if method == "get" or (content and method == "post") else f" -X {method.upper()}"
    if not content:
        yield "Example", f"curl -s{verb} {shlex.quote(url)}"
        return
    for example in content["examples"].values():
        data = shlex.quote(json.dumps(example["value"], ensure_ascii=False))
        yield example["summary"], f"curl -s{verb} {shlex.quote(url)} -H 'Content-Type: {JSON}' \\\n  -d {data}"


def address(path: str, operation: Json) -> str:
    """The path with the examples of its parameters put in, and those of the query string behind it."""
    given = [parameter for parameter in operation["parameters"] if "example" in parameter]
    for parameter in given:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(str(parameter["example"]), safe=""))
    query = {parameter["name"]: parameter["example"] for parameter in given if parameter["in"] == "query"}
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path


def _schema(name: str, schema: Json) -> str:
    properties: Mapping[str, Json] = schema.get("properties", {})
    needed = schema.get("required", ())
    shown = _rows(
        (
            f"<code>{escape(each)}</code>{' (required)' if each in needed else ''}",
            f"{_kind(inner)} {_inline(inner.get('description', ''))}",
        )
        for each, inner in properties.items()
    )
    return (
        f'<details id="{_anchor(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_paragraphs(schema.get('description', ''))}{shown if properties else f'<p>{_kind(schema)}</p>'}</details>"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value may be, in a few words and links."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(_kind, schema[key])))
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    of = f" of {_kind(schema['items'])}" if schema.get("items") else ""
    return " or ".join(f"{escape(kind)}{of if kind == 'array' else ''}" for kind in kinds)


def _resolved(document: Json, given: Json) -> Json:
    if "$ref" not in given:
        return given
    *_, kind, name = given["$ref"].split("/")
    found: Json = document["components"][kind][name]
    return found


def _schemes(document: Json) -> Iterator[tuple[str, Json]]:
    yield from document["components"]["securitySchemes"].items()


def _schemas(document: Json) -> Iterator[tuple[str, Json]]:
    yield from document["components"]["schemas"].items()


def _heading(text: str) -> str:
    return f'<h2 id="{_anchor(text)}">{escape(text)}</h2>'


def _link(text: str) -> str:
    return f'<a href="#{_anchor(text)}">{escape(text)}</a>'


def _anchor(text: str) -> str:
    return quote(text.replace(" ", "-"))


def _rows(rows: Iterator[tuple[str, str]]) -> str:
    """A table of two columns of HTML."""
    return f"<table>{''.join(f'<tr><td>{left}</td><td>{right}</td></tr>' for left, right in rows)}</table>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part)


def _inline(text: str) -> str:
    """Escaped; what stands between backquotes is code."""
    parts = escape(text.replace("``", "`")).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
