"""Which pages does a clerk's browser ask for?

Pages made on the server from the same view and answers as the API: who runs out next, one account,
approvals and holds, the system.  A small script asks again for the part of a page that lives; every
page works without it.  What stands on them is `pages`', who may see what `people`'s.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

from fastapi import FastAPI, Request, Response

from api import problems
from api.acting import reason_fault
from api.actions import Acted, shown
from api.fleet import Deed
from api.gate import COOKIE, PERSON, session_cookie
from api.interlock_route import deed_shown
from api.pages import HEADERS, HERE, Pages
from api.security import SESSION_SECONDS
from scoring.events import Action
from streams.wire_interlock import InterlockAction

if TYPE_CHECKING:
    from api.acting import Desk
    from api.interlock_route import InterlockDesk
    from api.people import Person
    from api.state import State

MAX_FORM_BYTES = 16_384
KINDS = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; too long a body has none."""
    body = await request.body()
    if len(body) > MAX_FORM_BYTES:
        return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: texts[0] for name, texts in fields.items()}


def add_console(app: FastAPI, state: State, desk: Desk, interlock: InterlockDesk) -> None:
    """Add the console's routes; they are not part of the API's document."""
    pages = Pages(state)
    _add_lists(app, state, pages)
    _add_system(app, state, pages, interlock)
    _add_account(app, state, pages, desk)
    _add_signing_in(app, state, pages)


def _add_lists(app: FastAPI, state: State, pages: Pages) -> None:
    @app.get("/approvals", include_in_schema=False)
    def approvals(request: Request) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        if "live" in request.query_params:
            return pages.show(request, "approvals_live.html", **pages.approvals(request))
        more = _living("/approvals", request) | {"here": "approvals"}
        return pages.show(request, "approvals.html", **more, **pages.approvals(request))

    @app.get("/", include_in_schema=False)
    def who_runs_out_next(request: Request) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        person: Person = request.scope[PERSON]
        if not person.is_staff:
            return Response(None, 303, {"location": "/audit"})
        if not person.sees_all and not person.collector:  # a crew looks for one account
            return pages.show(request, "next.html", here="next", lists=False)
        if "live" in request.query_params:
            return pages.show(request, "rows.html", **pages.rows(request))
        more = _living("/", request) | {"here": "next", "lists": True}
        return pages.show(request, "next.html", **more, **pages.rows(request))

    @app.get("/find", include_in_schema=False)
    def find(q: str = "") -> Response:
        wanted = q.strip()[:64]
        known = state.view.book.row(wanted) is not None
        where = (
            f"/accounts/{quote(wanted, safe='')}" if known else f"/?{urlencode({'prefix': wanted})}"
        )
        return Response(None, 303, {"location": where})

    @app.get("/assets/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in KINDS:
            return problems.said(problems.other(404, "Not Found"))
        return Response((HERE / "assets" / name).read_bytes(), 200, HEADERS, KINDS[name])


def _living(path: str, request: Request) -> dict[str, Any]:
    """Where the script finds a page's living part, and hears that it has changed."""
    live = f"{path}?{urlencode({**request.query_params, 'live': 1})}"
    return {"live": live, "changes": "/v1/changes"}


def _add_system(app: FastAPI, state: State, pages: Pages, desk: InterlockDesk) -> None:
    def shown_page(request: Request, status: int, **more: Any) -> Response:
        person: Person = request.scope[PERSON]
        may = [each.value for each in InterlockAction if person.may_tell_interlock(each)]
        more |= {"may": may, "once": secrets.token_hex(12), "here": "system"}
        more |= _living("/system", request) | pages.system()
        return pages.show(request, "system.html", status, **more)

    @app.get("/system", include_in_schema=False)
    def system(request: Request, done: str = "") -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        if "live" in request.query_params:
            return pages.show(request, "system_live.html", **pages.system())
        deed = state.interlock.find(done) if done else None
        more = {"done": deed_shown(state, deed)} if deed else {}
        return shown_page(request, 200, **more)

    @app.post("/system/interlock", include_in_schema=False)
    async def tell_interlock(request: Request) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        fields = await form_of(request)
        action, reason = fields.get("action"), fields.get("reason", "").strip()
        if action not in set(InterlockAction) or reason_fault(reason):
            return shown_page(request, 422, problem="?")
        person: Person = request.scope[PERSON]
        done = await desk.act(person, InterlockAction(action), reason, fields.get("once") or None)
        if isinstance(done, Deed):
            return Response(None, 303, {"location": f"/system?done={done.action_id}"})
        return shown_page(request, done.status, problem=done.detail)


def _add_account(app: FastAPI, state: State, pages: Pages, desk: Desk) -> None:
    async def shown_page(request: Request, account_id: str, status: int, **more: Any) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        row = state.view.book.row(account_id)
        if row is None:
            return problems.said(problems.not_found(account_id))
        if "live" in request.query_params:
            return pages.show(request, "account_live.html", **pages.account(request, row))
        person: Person = request.scope[PERSON]
        path = f"/accounts/{quote(account_id, safe='')}"
        sees_changes = person.sees_all or person.collector
        deeds = [shown(state.view, each) for each in reversed(state.actions.of_account(account_id))]
        more |= {
            "live": f"{path}?live=1" if sees_changes else "", "deeds": deeds,
            "changes": f"/v1/changes?{urlencode({'account': account_id})}",
            "may": [each.value for each in Action if person.may(each)],
            "once": secrets.token_hex(12), "why": await pages.why(request, row),
        }  # fmt: skip
        return pages.show(request, "account.html", status, **more, **pages.account(request, row))

    @app.get("/accounts/{account_id}", include_in_schema=False)
    async def account(request: Request, account_id: str, done: str = "") -> Response:
        acted = state.actions.find(done) if done else None
        more = {"done": shown(state.view, acted)} if acted else {}
        return await shown_page(request, account_id, 200, **more)

    @app.post("/accounts/{account_id}/actions", include_in_schema=False)
    async def act(request: Request, account_id: str) -> Response:
        fields = await form_of(request)
        reason = fields.get("reason", "").strip()
        if fields.get("action") not in set(Action) or reason_fault(reason):
            return await shown_page(request, account_id, 422, problem="?")
        person: Person = request.scope[PERSON]
        done = await desk.act(
            person, account_id, Action(fields["action"]), reason, fields.get("once") or None
        )
        if isinstance(done, Acted):
            where = f"/accounts/{quote(account_id, safe='')}?done={done.action_id}"
            return Response(None, 303, {"location": where})
        return await shown_page(request, account_id, done.status, problem=done.detail)


def _add_signing_in(app: FastAPI, state: State, pages: Pages) -> None:
    security = state.security

    @app.get("/sign-in", include_in_schema=False)
    def form(request: Request) -> Response:
        return pages.show(request, "sign_in.html")

    @app.post("/sign-in", include_in_schema=False)
    async def sign_in(request: Request) -> Response:
        fields = await form_of(request)
        name = fields.get("name", "").strip()[:100]
        if security.is_on:
            grant = security.grant_of(fields.get("key", "").strip())
        else:
            grant = security.demo_grant(name) if name else None
        address = request.client.host if request.client else ""
        security.audit.note(
            grant.person if grant else None, "sign in", "done" if grant else "refused", address
        )
        if grant is None:
            return pages.show(request, "sign_in.html", 401, is_wrong=True)
        response = Response(None, 303, {"location": "/"})
        response.set_cookie(
            COOKIE, security.open_session(grant), max_age=SESSION_SECONDS, httponly=True,
            samesite="strict", secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    @app.post("/sign-out", include_in_schema=False)
    def sign_out(request: Request) -> Response:
        security.close_session(session_cookie(dict(request.scope["headers"])))
        response = Response(None, 303, {"location": "/sign-in"})
        response.delete_cookie(COOKIE)
        return response
