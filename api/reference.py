"""``python -m api.reference``: print docs/rest-reference.md, from the OpenAPI description."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from api.app import create_app
from api.services import Services
from certd.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]
SCHEMAS = "#/components/schemas/"
# The server is never asked: the description is of the code alone.
NO_SERVER = "redis://127.0.0.1:1/0"
INTRODUCTION = """# REST reference

Made by `python -m api.reference > docs/rest-reference.md` from what every server says of itself at
`/openapi.json`. [From your program](rest.md) shows how it is used.

Every refusal, 4xx or 5xx, is a problem document (RFC 9457, `application/problem+json`) with the fields of
[Problem](#problem). Where the service has keys, each request shows one: `Authorization: Bearer KEY`.
"""


def description() -> Schema:
    """Return the OpenAPI description, of the code and the defaults alone."""
    with TemporaryDirectory() as folder:
        services = Services.connect(Settings(data_dir=Path(folder)), NO_SERVER)
        return create_app(services).openapi()


def reference(api: Schema) -> str:
    """Return the reference of an OpenAPI description as Markdown: requests by tag, then all schemas."""
    requests = [
        (operation["tags"][0], f"{method.upper()} {path}", operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    told = {tag["name"]: tag.get("description", "") for tag in api.get("tags", ())}
    lines = [INTRODUCTION]
    for tag in dict.fromkeys([*told, *(tag for tag, _, _ in requests)]):
        lines += [f"## {tag.capitalize()}", "", *([told[tag], ""] if told.get(tag) else [])]
        for of, title, operation in requests:
            if of == tag:
                lines += _operation(title, operation)
    lines += ["## Schemas", ""]
    for name, schema in sorted(api["components"]["schemas"].items()):
        lines += _schema(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _operation(title: str, operation: Schema) -> Iterator[str]:
    yield from (f"### {title}", "", _prose(operation.get("description") or operation["summary"]), "")
    if parameters := operation.get("parameters"):
        yield from ("| parameter | in | type | meaning |", "|---|---|---|---|")
        for found in parameters:
            meaning = _meaning(found["schema"] | _stated(found), required=found.get("required", False))
            yield f"| `{found['name']}` | {found['in']} | {_type(found['schema'])} | {meaning} |"
        yield ""
    if body := operation.get("requestBody"):
        yield from (f"Body: {'; or '.join(_content(kind, of) for kind, of in body['content'].items())}", "")
    answers = [
        f"{status}: {', '.join(_content(*form) for form in answer.get('content', {}).items()) or 'no body'}"
        for status, answer in operation["responses"].items()
        if "$ref" not in answer
    ]
    yield from (f"Answers {'; '.join(answers)}", "")


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield from (f"### {name}", "", *([_prose(schema["description"]), ""] if "description" in schema else []))
    if "enum" in schema:
        yield from (f"One of {_type(schema)}", "")
    if properties := schema.get("properties"):
        yield from ("| field | type | meaning |", "|---|---|---|")
        required = schema.get("required", ())
        for field, of in properties.items():
            yield f"| `{field}` | {_type(of)} | {_meaning(of, required=field in required)} |"
        yield ""


def _content(kind: str, content: Schema) -> str:
    schema = content.get("schema", {})
    shown = f" {_type(schema)}" if "$ref" in schema else ""
    return f"`{kind}`{shown}"


def _type(schema: Schema) -> str:
    """Return what a value may be, in a few words that stand in a table."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return ", ".join(f"`{value}`" for value in values)
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(_type(choice) for choice in choices))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
    return str(schema.get("format") or schema.get("type") or "anything")


def _meaning(schema: Schema, *, required: bool) -> str:
    """Return the description, the limits, and whether the value may be left out."""
    said = [_prose(schema["description"])] if "description" in schema else []
    bounds = [
        f"{word} {schema[key]:g}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    default = schema.get("default")
    if required:
        bounds.append("required")
    elif default is not None:
        bounds.append(f"default `{default}`")
    return "; ".join([*said, *bounds])


def _stated(parameter: Schema) -> Schema:
    return {"description": parameter["description"]} if "description" in parameter else {}


def _prose(text: str) -> str:
    """Return a docstring as Markdown that may stand in a cell: single backticks, no line breaks in it."""
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference(description()))
