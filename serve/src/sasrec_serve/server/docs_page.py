"""The description of the endpoints as one HTML page, which loads nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;
color-scheme:light dark}
pre{overflow:auto;padding:.6rem;border:1px solid #8886;border-radius:.4rem}
h2{border-top:1px solid #8886;padding-top:1rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}
"""


def docs_page(document: dict[str, Any], host: str) -> bytes:
    """Return the page.

    Args:
        document: The OpenAPI description.
        host: Host and port that the client used, for the examples.

    Returns:
        HTML in UTF-8.
    """
    url = (
        f"http://{host}"
        if host.replace(":", "").replace(".", "").replace("-", "").isalnum()
        else ""
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>sasrec-serve</title><style>{STYLE}</style><h1>sasrec-serve</h1>",
        f"<p>{escape(document['info']['description'])}</p>",
        "<p>For programs: <a href=openapi.json>openapi.json</a></p>",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(url, method.upper(), path, operation))
    parts.append("<h2>Bodies</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(_schema(name, schema))
    return "\n".join(parts).encode()


def _operation(url: str, method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for title, example in content.get("examples", {}).items():
        body = json.dumps(example["value"], ensure_ascii=False)
        quoted = body.replace("'", "'\\''")
        command = f"curl {url}{path} --json '{quoted}'"
        parts.append(f"<p>{escape(title)}:</p><pre>{escape(command)}</pre>")
    references = json.dumps(content.get("schema", {})).split("#/components/schemas/")[1:]
    names = [each.split('"')[0] for each in references]
    if names:
        links = ", ".join(f"<a href='#{name}'>{name}</a>" for name in names)
        parts.append(f"<p>Body: {links}</p>")
    rows = [
        f"<tr><td>{code}<td>{escape(response['description'])}"
        for code, response in operation["responses"].items()
    ]
    return "".join([*parts, "<table>", *rows, "</table>"])


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        f"<tr><td><code>{escape(field)}</code><td>{'' if field in required else 'optional'}"
        f"<td>{escape(value.get('description', ''))}"
        for field, value in schema.get("properties", {}).items()
    ]
    summary = escape(schema.get("description", ""))
    return f"<h3 id='{name}'>{name}</h3><p>{summary}</p><table>{''.join(rows)}</table>"
