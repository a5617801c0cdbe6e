"""The description of all endpoints in OpenAPI, with the limits and items of this server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sasrec_serve.rules.rules import NAMES
from sasrec_serve.server.asks import SETS
from sasrec_serve.server.limits import Limits
from sasrec_serve.server.request_models import (
    EventsBody,
    ExplainBody,
    ForHistories,
    ForHistory,
    ForUser,
    ForUsers,
    SimilarBody,
)
from sasrec_serve.server.response_models import (
    ErrorBody,
    Explanations,
    FoundItems,
    Health,
    Lists,
    ModelCard,
    Readiness,
    Reloaded,
    SimilarLists,
    StoredEvents,
    StoredHistory,
)
from sasrec_serve.server.served import Served

REFERENCE = "#/components/schemas/"
REQUESTS = (ForHistory, ForHistories, ForUser, ForUsers, SimilarBody, ExplainBody, EventsBody)
ANSWERS = (
    Lists,
    SimilarLists,
    Explanations,
    FoundItems,
    StoredHistory,
    StoredEvents,
    ModelCard,
    Health,
    Readiness,
    Reloaded,
    ErrorBody,
)
REASONS = {
    "400": "The body is not JSON.",
    "401": "A key is missing or wrong.",
    "404": "Something named in the request does not exist.",
    "409": "The request is well-formed, and does not fit the model or the store.",
    "413": "The body is too large.",
    "415": "The body is not sent as JSON.",
    "422": "A field is unknown, missing, of the wrong type or above a limit.",
    "503": "The server is overloaded or stopping; try again after the seconds in Retry-After.",
}
Schema = dict[str, Any]


def openapi(served: Served, limits: Limits, *, has_store: bool, has_keys: bool) -> Schema:
    """Return the description.

    Args:
        served: The model, from which the examples are taken.
        limits: Limits of requests.
        has_store: Whether users can be named.
        has_keys: Whether keys are needed.

    Returns:
        An OpenAPI 3.1 document.
    """
    items = served.search.find("", 5)[0]
    paths = _asking(items, has_store=has_store) | _getting() | _pages()
    if has_store:
        paths |= _storing(items)
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "sasrec-serve",
            "version": served.digest[:12],
            "description": "Next-item recommendations. Every answer names its model's digest.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(served, limits)},
    }
    if has_keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, methods in paths.items():
            if path not in OPEN:
                for operation in methods.values():
                    operation["security"] = [{"key": []}]
                    operation["responses"]["401"] = _error("401")
    return document


OPEN = frozenset({"/health", "/ready", "/openapi.json", "/docs", "/"})
"""Paths that need no key: they tell nothing about data."""


def _asking(items: Sequence[str], *, has_store: bool) -> Schema:
    history, wanted = list(items[:3]), list(items[3:4]) or list(items[:1])
    examples: Schema = {
        "one history": {"history": history, "k": 5},
        "several": {"histories": [history, {"events": history[:1], "user": "u1"}]},
        "times and candidates": {
            "history": [{"item": item, "time": 60.0 * at} for at, item in enumerate(history)],
            "candidates": list(items),
            "exclude_seen": False,
        },
    }
    kinds: list[type[BaseModel]] = [ForHistory, ForHistories]
    if has_store:
        examples |= {"a user": {"user": "u1"}, "users": {"users": ["u1", "u2"]}}
        kinds += [ForUser, ForUsers]
    return {
        "/recommend": {"post": _posting("Lists for histories or users", kinds, examples, Lists)},
        "/similar": {
            "post": _posting(
                "Items similar to items",
                [SimilarBody],
                {"one item": {"items": history[:1], "k": 5}},
                SimilarLists,
            )
        },
        "/explain": {
            "post": _posting(
                "What each event of a history adds to scores",
                [ExplainBody],
                {"one item": {"history": history, "items": wanted}},
                Explanations,
            )
        },
    }


def _storing(items: Sequence[str]) -> Schema:
    event = {"user": "u1", "item": items[0] if items else "i1", "time": 60.0, "id": "e1"}
    events = _posting(
        "Store events", [EventsBody], {"one event": {"events": [event]}}, StoredEvents
    )
    user = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^\\u0000]+$"}
    return {
        "/events": {"post": events},
        "/history": {
            "get": _operation("The stored history of a user", StoredHistory, ("404", "409", "503"))
            | {"parameters": [_parameter("user", user, "u1", required=True)]}
        },
    }


def _getting() -> Schema:
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    search = {"type": "string", "maxLength": 200}
    parameters = [_parameter("search", search, ""), _parameter("limit", limit, 5)]
    reload = _operation("Look for a new export now", Reloaded, ("409", "413", "503"))
    return {
        "/items": {
            "get": _operation("Items by words of their titles", FoundItems, ("503",))
            | {"parameters": parameters}
        },
        "/model": {"get": _operation("What is served", ModelCard, ())},
        "/reload": {"post": reload},
        "/health": {"get": _operation("Whether the process answers", Health, ())},
        "/ready": {"get": _operation("Whether requests are answered", Readiness, ("503",))},
    }


def _pages() -> Schema:
    found = {
        "/metrics": ("Metrics for Prometheus", "text/plain"),
        "/openapi.json": ("This description", "application/json"),
        "/docs": ("This description as a page", "text/html"),
        "/": ("A page to try the model", "text/html"),
    }
    return {
        path: {
            "get": {
                "summary": summary,
                "operationId": _name(summary),
                "responses": {"200": {"description": summary, "content": {kind: {}}}},
            }
        }
        for path, (summary, kind) in found.items()
    }


def _posting(
    summary: str,
    bodies: Sequence[type[BaseModel]],
    examples: Schema,
    answer: type[BaseModel],
) -> Schema:
    references = [{"$ref": REFERENCE + body.__name__} for body in bodies]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    content = {"schema": schema, "examples": {key: {"value": v} for key, v in examples.items()}}
    codes = ("400", "404", "409", "413", "415", "422", "503")
    return _operation(summary, answer, codes) | {
        "requestBody": {"required": True, "content": {"application/json": content}}
    }


def _operation(summary: str, answer: type[BaseModel], codes: Sequence[str]) -> Schema:
    good = {
        "description": summary,
        "content": {"application/json": {"schema": {"$ref": REFERENCE + answer.__name__}}},
    }
    responses = {"200": good} | {code: _error(code) for code in sorted({*codes, "422"})}
    if answer is Readiness:
        responses["503"] = good | {"description": REASONS["503"]}
    return {"summary": summary, "operationId": _name(summary), "responses": responses}


def _error(code: str) -> Schema:
    return {
        "description": REASONS[code],
        "content": {"application/json": {"schema": {"$ref": f"{REFERENCE}ErrorBody"}}},
    }


def _parameter(name: str, schema: Schema, example: Any, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "example": example}


def _name(summary: str) -> str:
    return re.sub(r"\W+", "_", summary).strip("_").lower()


def _schemas(served: Served, limits: Limits) -> Schema:
    """Return the schemas of all bodies, with descriptions from docstrings, and with limits."""
    models = [(model, "validation") for model in REQUESTS] + [
        (model, "serialization") for model in ANSWERS
    ]
    _, document = models_json_schema(models, ref_template=REFERENCE + "{model}")  # type: ignore[arg-type]
    schemas: Schema = document["$defs"]
    for schema in schemas.values():
        _describe(schema)
    types = list(served.recommender.event_types)
    for name in ("ForHistory", "ForHistories", "ForUser", "ForUsers", "ExplainBody", "SimilarBody"):
        _limit(schemas[name]["properties"], limits, types, list(served.rules.switches.sets))
    events = schemas["EventsBody"]["properties"]["events"]
    events["maxItems"] = limits.events
    _limit_events(schemas["HistoryOfUser"]["properties"]["events"], limits)
    schemas["ExplainBody"]["properties"]["items"]["maxItems"] = limits.k
    return schemas


def _limit(properties: Schema, limits: Limits, types: Sequence[str], rules: Sequence[str]) -> None:
    """Add the limits of this server, and the names that its model and its rules have."""
    if "k" in properties:
        properties["k"]["maximum"] = limits.k
    for name in {"users", "items", "histories"} & properties.keys():
        properties[name]["maxItems"] = limits.histories
    for name in {"candidates", "exclude"} & properties.keys():
        properties[name]["anyOf"][0]["maxItems"] = limits.candidates
    for choice in properties.get("histories", {}).get("items", {}).get("anyOf", ()):
        _limit_events(choice, limits)
    _limit_events(properties.get("history", {}), limits)
    if "next_type" in properties:
        known = [{"enum": [*types, "any"]}] if types else []
        properties["next_type"]["anyOf"] = [*known, {"type": "null"}]
    if "rules" in properties:
        properties["rules"]["anyOf"] = _rules(rules)


def _rules(names: Sequence[str]) -> list[Schema]:
    """Return the choices of a request: names of sets, rules of its own, or nothing."""
    sets: Schema = {"type": "array", "items": {"enum": list(names)}}
    named = [{"enum": list(names)}, sets] if names else [{"type": "array", "maxItems": 0}]
    fields: Schema = {name: {} for name in NAMES}
    fields[SETS] = {"anyOf": [named[-1], {"type": "null"}]}
    own = {"type": "object", "properties": fields, "additionalProperties": False}
    return [*named, own, {"type": "null"}]


def _limit_events(schema: Schema, limits: Limits) -> None:
    for choice in schema.get("anyOf", [schema]):
        if choice.get("type") == "array":
            choice["maxItems"] = limits.events


def _describe(schema: Schema) -> None:
    """Move the description of each attribute from the docstring of a model to its field."""
    text = schema.get("description", "")
    summary, _, attributes = text.partition("\n\nAttributes:\n")
    schema["description"] = summary.split("\n\n")[0]
    for name, meaning in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        if name in schema.get("properties", {}):
            field = schema["properties"][name]
            field["description"] = re.sub(r"\s+", " ", meaning)
            field.pop("title", None)
