"""What does the OpenAPI document say of every path alike, and where is it shown?

`/docs` is Swagger UI from a package on this machine (fastapi-offline carries its files), so that it
works where there is no network, and under a policy that lets nothing else in.  In the document:
that a key or token is asked for, and what is answered to whoever has none, the wrong one, or asks
too often: added here to whatever routes there are, by the same rules as the gate keeps, so that no
route can forget it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Response
from fastapi.openapi.utils import get_openapi

from api.examples import EXAMPLES
from api.people import PUBLIC, roles_for
from api.problems import ERRORS, EVERYWHERE, PROBLEM_TYPE, other, said

if TYPE_CHECKING:
    from fastapi import FastAPI

SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "an API key (`kilowatch keys create`) or a token of the identity provider",
    }
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kilowatch API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>
"""
CARRIED = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
OURS = {"start.js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes styles into its elements; scripts come from here alone."""

HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
KEPT = {"cache-control": "private, max-age=86400"}
METHODS = {"get", "post", "put", "patch", "delete"}


def add_docs(app: FastAPI) -> None:
    """Serve the document to people."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return Response(PAGE, media_type="text/html; charset=utf-8", headers=HEADERS)

    @app.get("/docs/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        kind = (CARRIED | OURS).get(name)
        if kind is None:
            return said(other(404, "Not Found"))
        return Response(_file(name), media_type=kind, headers=HEADERS | KEPT)


@cache
def _file(name: str) -> bytes:
    if name in OURS:
        return (Path(__file__).parent / "assets" / name).read_bytes()
    return files("fastapi_offline").joinpath("static", name).read_bytes()


def describe(app: FastAPI) -> None:
    """Let the application's document tell who may ask."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            for path, operations in told["paths"].items():
                for method, operation in operations.items():
                    if method in METHODS:
                        _complete(path, method.upper(), operation)
            told["components"]["securitySchemes"] = SCHEMES
            schemas = told["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):  # answered as a problem here
                schemas.pop(name, None)
            for name, example in EXAMPLES.items():
                schemas[name]["example"] = example
            app.openapi_schema = told
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to change it


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """One operation: its errors as problem+json, who may ask, and the gate's answers."""
    problem = {"schema": {"$ref": "#/components/schemas/ProblemShown"}}
    for code, answer in operation["responses"].items():
        if int(code) >= 400:
            answer["content"] = {PROBLEM_TYPE: problem}
    if (method, path) in PUBLIC:
        return
    operation["security"] = [{"key": []}]
    roles = ", ".join(sorted(roles_for(method, path)))
    operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}.".strip()
    for code in EVERYWHERE:
        operation["responses"].setdefault(
            str(code),
            {"description": ERRORS[code]["description"], "content": {PROBLEM_TYPE: problem}},
        )
