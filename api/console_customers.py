"""What does a clerk see of a customer's policy and letters, and of collectors' work and months?

Two pages beside `console`'s: one customer's policy, which an approver decides there, with letters,
proofs and contract; and collection, with work, the day's review and the month's appraisal.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response  # noqa: TC002 - read at run time

from api import problems
from api.appraisal_words import NAMES, VERDICTS, compared_shown, figure_shown
from api.collection_routes import ZONE, Collected
from api.console import form_of
from api.console_words import WORDS
from api.credit_route import CreditGrade
from api.gate import PERSON
from api.pages import Pages
from api.people import Role
from api.sheet_words import CALLERS, MODES, NEEDS, why_texts
from scoring.policy import RULES, Policy, Status, overtaken_by
from scoring.units import instant_text, money_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.people import Person
    from api.policy_desk import PolicyDesk
    from api.state import State
    from scoring.benchmark import Appraised

FIRST_WORK, MOST_WORK = 25, 1_000
"""Lines of open work at first, so that review and appraisal are near, and when all are wanted."""
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 30)


def add_customer_pages(app: FastAPI, state: State, desk: PolicyDesk) -> None:
    """Add the pages; they are not part of the API's document."""
    pages = Pages(state)
    _add_policy(app, state, pages, desk)
    _add_collection(app, state, pages)


def _add_policy(app: FastAPI, state: State, pages: Pages, desk: PolicyDesk) -> None:
    def shown(request: Request, account_id: str, status: int = 200, **more: Any) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        if not desk.is_known(account_id):
            return problems.said(problems.not_found(account_id))
        number = 0 if pages.language(request) == "zh" else 1
        register, today = state.register, desk.today(account_id)
        zone = desk.zone_of(account_id)
        holds = register.holding(account_id, today)
        known = register.policies(account_id)
        versions = [_version(one, number, known) for one in reversed(known)]
        contract = register.contract(account_id, today)
        person: Person = request.scope[PERSON]
        return pages.show(
            request, "policy.html", status, account_id=account_id, today=today.isoformat(),
            holds=None if holds is None else _version(holds, number, known),
            waiting=[v for v in versions if v["is_waiting"]], versions=versions,
            may_decide=Role.APPROVER in person.roles, contract=contract, day=today,
            credit=_credit(state.view.grades.of(account_id), number),
            security=money_text(0 if contract is None else contract.security_on(today)),
            money=money_text,
            letters=[
                (each, instant_text(each.proof.delivered_at, zone) if each.proof else "")
                for each in reversed(register.letters(account_id))
            ],
            **more,
        )  # fmt: skip

    @app.get("/accounts/{account_id}/policy", include_in_schema=False)
    def policy(request: Request, account_id: str, done: str = "") -> Response:
        return shown(request, account_id, done=done)

    @app.post("/accounts/{account_id}/policy/decisions", include_in_schema=False)
    async def decide(request: Request, account_id: str) -> Response:
        fields = await form_of(request)
        word, version = fields.get("decision", ""), fields.get("version", "")
        reason = fields.get("reason", "").strip()
        try:
            begins = date.fromisoformat(fields["from"]) if fields.get("from") else None
        except ValueError:
            begins, reason = None, ""
        if word not in {"approve", "reject"} or not version.isdecimal() or len(version) > 6:
            return shown(request, account_id, 422, problem="?")
        if not 0 < len(reason) <= 500:
            return shown(request, account_id, 422, problem="?")
        if not desk.is_known(account_id):
            return problems.said(problems.not_found(account_id))
        person: Person = request.scope[PERSON]
        taken = "approve" if word == "approve" else "reject"
        told = await desk.decide(person, account_id, int(version), taken, reason, begins)  # type: ignore[arg-type] # one of two words
        if isinstance(told, Policy):
            return shown(request, account_id, done=told.policy_id)
        return shown(request, account_id, told.status, problem=told.detail)


def _version(one: Policy, number: int, known: Sequence[Policy]) -> dict[str, Any]:
    """A version for the page, in the language of this number; `known` are all of the account."""
    is_drawn, is_overtaken = one.proposed_by == RULES, overtaken_by(one, known) is not None
    terms, words = one.terms, WORDS["en" if number else "zh"]
    why = why_texts(one)[number]
    mode = MODES[terms.payment_mode.value if not terms.plan else f"plan-by-{terms.plan.mode.value}"]
    return {
        "id": one.policy_id, "version": one.version, "grade": one.facts.grade or "-",
        "stars": one.facts.stars, "mode": mode[number], "settlement": terms.settlement_days,
        "levels": [
            (f"{each.days:g}", money_text(each.amount_nanos) if each.amount_nanos else "-",
             CALLERS[each.caller][number])
            for each in terms.levels
        ],
        "plan": [
            f"{words['month_end'] if day > 30 else words['day_of_month'].format(day)} "
            f"{share / 100:g} %"
            for day, share in terms.plan.instalments
        ] if terms.plan else [],
        "security": money_text(terms.security_wanted_nanos), "approvals": terms.trip_approvals,
        "why": why, "needs": [NEEDS[need][number] for need in one.needs],
        "status": "overtaken" if is_overtaken else one.status.value,
        "is_waiting": one.status is Status.PROPOSED and not is_overtaken,
        "by": one.decided_by or (words["the_rules"] if is_drawn else one.proposed_by),
        "because": one.decided_because or (why[0] if is_drawn else one.reason),
        "from": one.effective_on.isoformat() if one.effective_on else "",
    }  # fmt: skip


def _credit(told: bytes | None, number: int) -> dict[str, Any] | None:
    """The newest record of credit-grades for the page, in the language of this number."""
    if told is None:
        return None
    grade = CreditGrade.model_validate_json(told)
    items = {each.item: each for each in grade.items}
    return {
        "score": grade.score, "coverage": grade.coverage, "asOf": grade.as_of,
        "today": (grade.grade, grade.stars), "published": grade.published,
        "heldBy": [(each.chinese, each.text)[number] for each in grade.held_by],
        "items": [
            (each.item, (each.chinese, each.name)[number], each.group, each.points, each.weight,
             (each.line_chinese, each.line)[number],
             [(note.chinese, note.text)[number] for note in each.notes])
            for each in grade.items
        ],
        "better": [
            (each.item in grade.enough, (items[each.item].chinese, items[each.item].name)[number],
             (each.to_chinese, each.to)[number], each.raises_by)
            for each in grade.improvements
        ],
        "next": grade.next_grade if grade.enough else None,
        "risk": None if grade.risk is None else f"{grade.risk.chance_late:.1%}",
    }  # fmt: skip


def _add_collection(app: FastAPI, state: State, pages: Pages) -> None:
    seen = Collected(state)

    @app.get("/collection", include_in_schema=False)
    def collection(
        request: Request, month: str = "", day: str = "", collector: str = ""
    ) -> Response:
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        person: Person = request.scope[PERSON]
        number = 0 if pages.language(request) == "zh" else 1
        try:
            on = min(max(date.fromisoformat(day), EARLIEST), LATEST)
        except ValueError:
            on = seen.today()
        months = state.register.appraised_months()
        wanted, found = seen.appraised(person, month if month in months else None)
        now, chosen = seen.now(), dict(request.query_params)
        most = MOST_WORK if "every" in chosen else FIRST_WORK
        work = seen.work(person, collector[:64] or None, open_only=True)
        return pages.show(
            request, "collection.html", here="collection", collector=collector[:64],
            work=[
                (w, instant_text(w.due_at, ZONE)[:16].replace("T", " "), w.is_late(now))
                for w in work[:most]
            ],
            work_count=len(work), whole=f"?{urlencode(chosen | {'every': 1})}",
            reviewed=seen.review(person, on), day=on.isoformat(),
            month=wanted, months=months, chinese=number == 0,
            compared=[_compared(one, number) for one in found if one.compared is not None],
            figures=_figures(found, number),
        )  # fmt: skip


def _compared(one: Appraised, number: int) -> dict[str, Any]:
    assert one.compared is not None, "everybody together is compared with nobody"
    told = compared_shown(one.compared)
    words = VERDICTS[one.compared.verdict].split(" ", 1)
    return told | {"verdictWords": words[number], "mark": one.compared.verdict.name.lower()}


def _figures(found: list[Appraised], number: int) -> dict[str, Any]:
    """A line for each figure, a column for everybody and each collector."""
    return {
        "heads": [one.collector for one in found],
        "lines": [
            (words.split(" ", 1)[number], [figure_shown(n, getattr(o.kpis, n)) for o in found])
            for n, words in NAMES.items()
        ],
    }
