"""What does a whole answer look like, for those who read the OpenAPI document?

One example for each answer and problem that has none beside its shape (or whose nulls the framework
would leave out), by the shape's name; the document takes them up.  They are checked against their
schemas, so they cannot grow old.
"""

from __future__ import annotations

from typing import Any

from api.shapes import ACTION_EXAMPLE, EXAMPLE

_SPAN: dict[str, Any] = {
    "from": "2026-07-11",
    "to": "2026-07-14",
    "usedWh": 36_120,
    "charge": "18.41",
    "before": {"from": "2026-07-01", "to": "2026-07-04", "usedWh": 33_870, "charge": "17.03"},
}
_POLICY: dict[str, Any] = {
    "policyId": "works-7@2",
    "status": "approved",
    "reasons": ["arrears risk grade C: prepayment"],
}
_PERIOD = {"month": "2026-06", "score": "81.40", "grade": "A", "stars": 4}

EXAMPLES: dict[str, dict[str, Any]] = {
    "AccountAnswer": EXAMPLE,
    "AccountList": {
        "asOf": "2026-07-14T10:15:00+00:00",
        "accounts": [
            {
                "accountId": "home-0001", "asOf": EXAMPLE["asOf"], "balance": "31.4182706",
                "available": "31.4182706", "currency": "CNY", "runwayHoursP50": 143.75,
                "tier": "normal", "stage": "normal", "switch": "connected",
            }
        ],
        "next": "/v1/accounts?sort=runway&limit=1&after=143.75~home-0001",
    },
    "ActionList": {"asOf": "2026-07-14T10:15:00+00:00", "actions": [ACTION_EXAMPLE]},
    "AccountSpan": {"accountId": "home-0001", "span": "ten-days", "date": "2026-07-14", **_SPAN},
    "GroupSpans": {
        "by": "industry",
        "span": "ten-days",
        "date": "2026-07-14",
        "groups": [
            {
                "group": "C-1310", "currency": "CNY", "accounts": 214, "arrears": "18240.55",
                "openBills": "93110.20", "paidInAdvance": "51022.17", "advanceShare": 0.548,
                **_SPAN,
            }
        ],
    },
    "AccountHistory": {
        "accountId": "home-0001",
        "asOf": EXAMPLE["asOf"],
        "history": [
            {
                "kind": "low-balance-warnings",
                "effectId": "home-0001:warning:low:3",
                "source": {"partition": 3, "offset": 118},
                "body": {"version": 1, "accountId": "home-0001", "tier": "low"},
            }
        ],
        "next": None,
    },
    "WhyAnswer": {
        "accountId": "home-0001",
        "asOf": EXAMPLE["asOf"],
        "answer": "2026-07-08T10:02:00+08:00: The supply was ordered off: -53.44 was available.",
        "steps": [
            {
                "number": 1,
                "at": "2026-07-08T10:02:00+08:00",
                "kind": "trip-commands",
                "effectId": "home-0001:trip:1:1",
                "sentence": "The supply was ordered off: -53.44 was available.",
                "cause": "ticks 3 118",
                "hash": "2a0f4bcde1197ea9e03bb9c3171fc3d751127d573e42f89845005829d039bb47",
            }
        ],
        "isProven": True,
        "proof": "All 1 records hold together.",
    },
    "CreditGrade": {
        "version": 1,
        "accountId": "works-7",
        "asOf": "2026-07-13",
        "terms": {"weights": "collection", "bands": "standard", "missing": "exclude"},
        "score": "81.40",
        "coverage": "87.00",
        "gradeByScore": "A",
        "grade": "A",
        "stars": 4,
        "monthly": _PERIOD,
        "published": _PERIOD,
        "heldBy": [],
        "items": [
            {
                "item": "B1", "name": "surface impression", "chinese": "表面印象",
                "group": "basic", "points": 10, "weight": 2,
                "line": "more than 90 % of the file filled in, site visited within 12 months",
                "lineChinese": "档案完整度超过90%,且12个月内已走访",
                "facts": {"file_sections_filled": 8, "file_sections_required": 8}, "missing": [],
                "notes": [
                    {
                        "text": "the file holds 8 of 8 facts, the newest of 2026-05-20",
                        "chinese": "客户档案已填8项，应填8项，最近更新2026-05-20",
                    }
                ],
            }
        ],
        "improvements": [
            {
                "item": "C1", "effort": "conduct", "to": "every due paid a day early or more",
                "toChinese": "每期均提前1天及以上缴费", "points": 10, "raisesBy": "2.29",
            }
        ],
        "nextGrade": "AA",
        "enough": ["C1"],
        "risk": {"month": "2026-07", "chanceLate": 0.07},
    },
    "PolicyAnswer": {
        "accountId": "works-7",
        "asOf": "2026-07-14T02:15:00Z",
        "inForce": _POLICY,
        "waiting": [],
        "versions": [_POLICY],
        "file": None,
        "fileFactsKnown": 31,
        "fileFactsWanted": 44,
    },
    "PolicyVersion": {"policy": _POLICY},
    "LettersAnswer": {
        "accountId": "works-7",
        "asOf": "2026-07-14T02:15:00Z",
        "letters": [{"number": "TD-20260701-works-7-1", "isProven": True}],
    },
    "ContractAnswer": {
        "accountId": "works-7",
        "asOf": "2026-07-14T02:15:00Z",
        "contract": None,
        "capacityVa": 1_250_000,
        "isSpecialTransformer": True,
        "ends": [{"what": "contract", "lastDay": "2026-08-31", "daysLeft": 48}],
    },
    "WorkList": {
        "asOf": "2026-07-14T02:15:00Z",
        "items": [{"workId": "works-7@collect@works-7:warning:1", "isLate": False}],
    },
    "DayReview": {
        "day": "2026-07-14",
        "asOf": "2026-07-14T02:15:00Z",
        "collectors": [
            {
                "collector": "17", "opened": 4, "due": 3, "closedInTime": 2, "closedLate": 1,
                "openNow": 9, "overdue": 1,
            }
        ],
    },
    "Appraisal": {
        "month": "2026-06",
        "asOf": "2026-07-14T02:15:00Z",
        "months": ["2026-06", "2026-05"],
        "everybody": None,
        "collectors": [{"collector": "17", "verdict": "as-others"}],
    },
    "AuditAnswer": {
        "asOf": "2026-07-14T02:15:00Z",
        "notes": [
            {
                "id": "00065ea4c0d4a1c09bf31c7f",
                "at": "2026-07-14T02:15:00Z",
                "person": "li.lei",
                "proof": "key 1f0c22aa",
                "from": "10.0.3.17",
                "deed": "hold-supply",
                "outcome": "written",
                "account": "home-00081",
                "more": {"action_id": "9bf31c7ff062936a96d3c8bd"},
            }
        ],
        "next": None,
    },
    "ProblemShown": {
        "type": "urn:kilowatch:account-not-found",
        "title": "no such account",
        "status": 404,
        "detail": "no account-settings have been read for 'home-9'; check the id, or send its "
        "terms to the topic account-settings",
    },
}  # fmt: skip
