"""What stands on the console's pages?

The figures of each page, taken from the same view and answers as the API's, and its templates
filled.  Which paths show them is `console`'s; words are `console_words`', pictures `chart`'s.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import numpy as np
from aiokafka.errors import KafkaError
from fastapi import Response
from jinja2 import Environment, FileSystemLoader

from api import ranking
from api.acting import actions_seen
from api.actions import approvers_now
from api.answer import STAGE_NAMES, TIER_NAMES, answer, summary
from api.chart import balance_picture, usage_bars
from api.choosing import SIZES, Choice
from api.console_words import WORDS, language_of
from api.gate import COOKIE, PERSON
from api.interlock_route import interlock_shown
from api.replies import CACHE, etag_of, is_the_same
from api.why import why
from api.words import HOLD_WORDS, HOLD_WORDS_ZH
from scoring.balance_ahead import balance_ahead
from scoring.effects import Hold, Stage, Tier
from scoring.events import Protection
from streams.wire import decimal_text, time_text

if TYPE_CHECKING:
    from fastapi import Request

    from api.people import Person
    from api.state import State
    from scoring.sheet import TariffSheet

HERE = Path(__file__).parent
ROWS = 50
NOTHING = "-"
MOST_SHOWN = 200
OUTCOMES = ("refused", "answered", "written", "not written", "done")
DAYS_DRAWN = 35
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": CACHE,
}


def _short(text: str | None) -> str:
    """An instant for a table: day and minute, in its own zone."""
    return NOTHING if not text else f"{text[5:10]} {text[11:16]}"


def _moment(text: str | None) -> str:
    """An instant to the second, as it stands in records."""
    return NOTHING if not text else text.replace("T", " ").removesuffix("Z")


def _outcome(text: str, words: dict[str, str]) -> str:
    """What became of a deed, its first words in the reader's language."""
    known = next((each for each in OUTCOMES if text.startswith(each)), "")
    return words[f"outcome_{known}"] + text.removeprefix(known) if known else text


def _money(text: str | None) -> str:
    return NOTHING if text is None else f"{float(text):,.2f}"


def _lasts(hours: float | None, words: dict[str, str]) -> str:
    if hours is None:
        return words["over_horizon"]
    if hours <= 0:
        return words["nothing_left"]
    return words["hours"].format(hours) if hours < 48 else words["days"].format(hours / 24)


def _forecast_word(ends: dict[str, float | None]) -> str:
    if ends["p50"] == 0:
        return "forecast_over"
    if ends["p50"] is None:
        return "forecast_long" if ends["p10"] is None else "forecast_mostly"
    return "forecast_text"


def _gauge(hours: float | None) -> float:
    """Sixty steps for ten days."""
    return 60.0 if hours is None else round(min(max(hours, 0) / 240, 1) * 60, 1)


class Pages:
    """Fills the templates."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True
        )
        self._templates.filters |= {
            "short": _short, "moment": _moment, "outcome": _outcome, "money": _money,
            "lasts": _lasts, "gauge": _gauge, "path": lambda text: quote(text, safe=""),
        }  # fmt: skip

    def language(self, request: Request) -> Any:
        """The chosen language, else the browser's."""
        chosen = request.query_params.get("lang") or request.cookies.get("language")
        return language_of(chosen, request.headers.get("accept-language", ""))

    def show(self, request: Request, template: str, status: int = 200, **more: Any) -> Response:
        """A page or a part of one; 304 if it has not changed."""
        lang = self.language(request)
        kept = {name: text for name, text in request.query_params.items() if name != "lang"}
        other = urlencode(kept | {"lang": "en" if lang == "zh" else "zh"})
        person = request.scope.get(PERSON)
        is_demo = not self._state.security.is_on
        text = self._templates.get_template(template).render(
            w=WORDS[lang], lang=lang, person=person, is_demo=is_demo, language_link=other,
            is_signed_in=COOKIE in request.cookies, **more,
        )  # fmt: skip
        etag = etag_of(text.encode())
        if status == 200 and is_the_same(etag, request.headers.get("if-none-match", "")):
            return Response(None, 304, HEADERS | {"etag": etag})
        response = Response(text, status, HEADERS | {"etag": etag}, "text/html; charset=utf-8")
        if request.query_params.get("lang") in WORDS:
            response.set_cookie("language", lang, max_age=31_536_000, samesite="lax", httponly=True)
        return response

    # --- what stands on them ---------------------------------------------------------------------

    def rows(self, request: Request) -> dict[str, Any]:
        """Who runs out next, as chosen in the query."""
        view, asked = self._state.view, request.query_params
        person: Person = request.scope[PERSON]
        tier, stage, size = (
            _one_of(asked.get(name), known)
            for name, known in (("tier", TIER_NAMES), ("stage", STAGE_NAMES), ("size", SIZES))
        )
        mine = (asked.get("collector") or None) if person.sees_all else person.collector
        chosen = Choice(tier, stage, size, mine, prefix=asked.get("prefix", "")[:64])
        sort = _one_of(asked.get("sort"), ranking.SORTS) or "runway"
        try:
            page = ranking.page(view, sort, chosen.rows(view), ROWS, asked.get("after") or None)
        except ranking.AfterUnreadable:
            page = ranking.page(view, sort, chosen.rows(view), ROWS, None)
        query = {name: text for name, text in asked.items() if name not in {"after", "lang"}}
        mine_only = Choice(collector=person.collector).rows(view) if not person.sees_all else None
        tiers = _counted(view.copied("tier"), mine_only, len(Tier))
        stages = _counted(view.copied("stage"), mine_only, len(Stage))
        return {
            "lines": [self._line(row) for row in page.rows],
            "following": page.after and urlencode(query | {"after": page.after}),
            "after": asked.get("after"), "chosen": chosen, "sort": sort, "stages": STAGE_NAMES,
            "tiers": dict(zip(TIER_NAMES, tiers, strict=True)), "total": sum(tiers),
            "tripped": stages[Stage.TRIPPED], "as_of": time_text(view.newest_read_at),
        }  # fmt: skip

    def _line(self, row: int) -> dict[str, Any]:
        line = summary(self._state.view, row)
        hours, at = line["runwayHoursP50"], line["asOf"]
        line["endsAt"] = None
        if hours is not None and at is not None:
            place = self._state.view.places[self._state.view.book.tariff_index[row]]
            read_at = datetime.fromisoformat(at).timestamp()
            line["endsAt"] = datetime.fromtimestamp(read_at + hours * 3600, place.zone).isoformat()
        return line

    def account(self, request: Request, row: int) -> dict[str, Any]:
        """The living part of one account."""
        view, lang = self._state.view, self.language(request)
        told = json.loads(answer(view, row, self._state.windows))
        ledger = view.book.ledger[row]
        hold_words = HOLD_WORDS_ZH if lang == "zh" else HOLD_WORDS
        words = WORDS[lang]
        ends = told["runwayHours"]
        hours = {name: _lasts(ends[name], words) for name in ("p10", "p50")}
        hours["p90"] = words["horizon"] if ends["p90"] is None else _lasts(ends["p90"], words)
        return {
            "a": told, "holds": [hold_words[each] for each in Hold(int(ledger["holds"]))],
            "picture": self._picture(row, told), "bars": self._bars(told["accountId"]),
            "periods": self._periods(row, words),
            "told": words[_forecast_word(ends)].format(**hours),
            "size": SIZES[int(ledger["customer_class"])],
            "collector": bytes(ledger["collector"]).decode(),
            "area": bytes(ledger["area"]).decode(),
        }  # fmt: skip

    def _picture(self, row: int, told: dict[str, Any]) -> Any:
        view = self._state.view
        if int(view.look["version"][row]) < 0:
            return None
        left, hours = balance_ahead(view.book.take(np.array([row])), view.tariffs)
        ends = tuple(told["runwayHours"][name] for name in ("p10", "p50", "p90"))
        available = int(view.look["available_nanos"][row])
        first = datetime.fromisoformat(told["asOf"]).date()
        return balance_picture(available, first, hours[0].tolist(), left[0].tolist(), ends)

    def _bars(self, account_id: str) -> Any:
        days = self._state.view.monitor.days_of(account_id, DAYS_DRAWN)
        return usage_bars(
            [(date.fromordinal(day), wh, decimal_text(nanos)) for day, wh, nanos in days]
        )

    def _periods(self, row: int, words: dict[str, str]) -> list[dict[str, str]]:
        view = self._state.view
        version = int(view.look["version"][row])
        if version < 0:
            return []
        sheet, ledger = view.tariffs.sheets[version], view.book.ledger[row]
        used, guessed = ledger["used_wh"][0].tolist(), ledger["estimated_wh"][0].tolist()
        whole = sum(used) or 1
        return [
            {
                "label": _period(sheet, name, words), "kwh": f"{used[i] / 1000:,.1f}",
                "share": f"{used[i] / whole:.0%}", "estimated": f"{guessed[i] / 1000:,.1f}",
            }
            for i, name in enumerate(sheet.rate_periods)
        ]  # fmt: skip

    async def why(self, request: Request, row: int) -> Any:
        """The road of decisions, None where it cannot be read now."""
        view = self._state.view
        account_id, place = view.book.account_ids[row], view.places[view.book.tariff_index[row]]
        if self._state.links is None:
            return None
        try:
            links = await self._state.links(account_id)
        except KafkaError:
            return None
        return why(account_id, links, self.language(request), place.zone or ZoneInfo("UTC"))

    def approvals(self, request: Request) -> dict[str, Any]:
        """Trips that wait for people, supplies that people hold, accounts taken out."""
        state, view = self._state, self._state.view
        stage, ledger = view.copied("stage"), view.book.ledger
        on_road = np.flatnonzero((stage == Stage.NOTICE_SENT) | (stage == Stage.NOTICED))
        waits = (ledger["holds"][on_road] & int(Hold.APPROVAL_MISSING)) > 0
        to_approve = [
            summary(view, row)
            | {"approvers": approvers_now(state, row)}
            for row in on_road[waits][:MOST_SHOWN].tolist()
        ]  # fmt: skip
        held = np.flatnonzero(view.copied("protections") & int(Protection.HELD_BY_OPERATOR))
        out = np.flatnonzero(view.copied("quarantined"))
        person: Person = request.scope[PERSON]
        return {
            "to_approve": to_approve, "held_count": len(held), "quarantined_count": len(out),
            "held": [
                summary(view, row) | {"by": state.actions.holder(view.book.account_ids[row])}
                for row in held[:MOST_SHOWN].tolist()
            ],
            "quarantined": [view.book.account_ids[row] for row in out[:MOST_SHOWN].tolist()],
            "deeds": actions_seen(state, person, None, 30)["actions"],
        }  # fmt: skip

    def system(self) -> dict[str, Any]:
        """How the process and the fleet's interlock stand."""
        state, view = self._state, self._state.view
        stages = _counted(view.copied("stage"), None, len(Stage))
        return {
            "is_ready": state.tail.is_ready, "interlock": interlock_shown(state),
            "flow": [
                ("trips_under_way", stages[Stage.TRIP_COMMANDED]),
                ("tripped_now", stages[Stage.TRIPPED]),
                ("restores_under_way", stages[Stage.RESTORE_COMMANDED]),
            ],
            "facts": [
                ("accounts", f"{len(view):,}"), ("newest", _short(time_text(view.newest_read_at))),
                ("behind", NOTHING if state.tail.behind is None else f"{state.tail.behind:,}"),
                ("rows_taken", f"{view.rows_taken:,}"), ("unreadable", f"{view.unreadable:,}"),
                ("watchers", state.changes.watchers),
            ],
        }  # fmt: skip


def _period(sheet: TariffSheet, name: str, words: dict[str, str]) -> str:
    """How a clerk calls a rate period: as the sheet says, else by the trade's word."""
    label = sheet.label(name)
    return words.get(f"period_{name}", name) if label == name else label


def _one_of(text: str | None, known: Any) -> str | None:
    return text if text in known else None


def _counted(column: Any, chosen: Any, kinds: int) -> list[int]:
    found = column if chosen is None else column[: len(chosen)][chosen]
    counts: list[int] = np.bincount(found, minlength=kinds).tolist()
    return counts
