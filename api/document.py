"""What does the OpenAPI document say of every path alike?

That a key or token is asked for, and what is answered to whoever has none, the wrong one, or asks
too often: added here to whatever routes there are, by the same rules as the gate keeps, so that no
route can forget it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from api.people import PUBLIC, roles_for
from api.problems import ERRORS, EVERYWHERE, PROBLEM_TYPE

if TYPE_CHECKING:
    from fastapi import FastAPI

SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "an API key (`kilowatch keys create`) or a token of the identity provider",
    }
}
METHODS = {"get", "post", "put", "patch", "delete"}


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
            told.setdefault("components", {})["securitySchemes"] = SCHEMES
            app.openapi_schema = told
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to change it


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """One operation: its errors as problem+json, who may ask, and the gate's answers."""
    for code, answer in operation["responses"].items():
        if int(code) >= 400 and "content" in answer:
            schema = next(iter(answer["content"].values()))
            answer["content"] = {PROBLEM_TYPE: schema}
    if (method, path) in PUBLIC:
        return
    operation["security"] = [{"key": []}]
    roles = ", ".join(sorted(roles_for(method, path)))
    operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}.".strip()
    for code in EVERYWHERE:
        problem = {"$ref": "#/components/schemas/ProblemShown"}
        operation["responses"].setdefault(
            str(code),
            {
                "description": ERRORS[code]["description"],
                "content": {PROBLEM_TYPE: {"schema": problem}},
            },
        )
