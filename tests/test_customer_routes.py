"""What is agreed with customers and asked of collectors, over HTTP: who sees it, who decides it."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from api.app import application
from api.collection_routes import Appraisal, DayReview, WorkList
from api.customer_routes import ContractAnswer, LettersAnswer, PolicyAnswer
from api.papers import USUAL_FONTS
from api.state import State
from api.told_letters import paper_of
from scoring import policy
from scoring.benchmark import appraise
from scoring.collection import Task, ask
from scoring.events import CustomerClass, PaymentMode
from scoring.letters import LADDER, Case, Decided, Letter, Method, Proof, prove, serve
from scoring.policy_terms import CustomerFacts
from scoring.units import NANOS_PER_UNIT as UNIT
from streams.wire_customers import decode_fact
from tests.office import MONDAY, RULES
from tests.test_actions import Kept
from tests.test_api import Fed
from tests.test_benchmark import EASY, HARD, world
from tests.test_customer_desk import CONTRACT
from tests.test_security import Asking
from tests.works import Sent

SHANGHAI = ZoneInfo("Asia/Shanghai")
DECIDE = "/v1/accounts/mine/policy/decisions"
APPROVE = {"version": 1, "decision": "approve", "reason": "agreed with the customer"}


def furnish(register, account_id="mine", collector="17"):
    """A proposal, a contract, a proven letter, work of two collectors, a month appraised."""
    facts = CustomerFacts(
        account_id, 2026 * 12 + 6, CustomerClass.LARGE, "C", 0, "1751", 900_000_000, 1_250_000,
        10_000, 20_000 * UNIT, mode=PaymentMode.PLAN, has_prepayment_clause=True,
    )  # fmt: skip
    register.put(policy.propose(facts, [], MONDAY, date(2026, 7, 6)))
    register.put(replace(CONTRACT, account_id=account_id))
    decided = Decided(
        Letter.DISCONNECTION, f"{account_id}:notice:1", 1_200 * UNIT, date(2026, 7, 9)
    )
    case = Case(account_id, CustomerClass.LARGE, MONDAY, date(2026, 7, 6), 1_200 * UNIT, None,
                is_prepaid=True, decided=(decided,))  # fmt: skip
    served = serve(case, next(r for r in LADDER if r.letter is Letter.DISCONNECTION), ())
    pdf = paper_of(served, CONTRACT.customer_name, SHANGHAI, USUAL_FONTS)
    served = replace(served, pdf_sha256=hashlib.sha256(pdf).hexdigest())
    proof = Proof(Method.TEXT_MESSAGE, "delivery-receipts:0:7", "", "", MONDAY + 60, "gateway")
    register.put(prove(served, proof))
    for name, staff in ((account_id, collector), ("theirs", "18")):
        register.put(ask(name, Task.COLLECT, f"{name}:warning:1", staff, MONDAY))
    months = [
        replace(one, collector={"hard": collector, "easy": "18"}[one.collector])
        for one in world(1, {"hard": HARD, "easy": EASY}, 60)
    ]
    for one in appraise(months, 2026 * 12 + 6, date(2026, 8, 6)):
        register.put(one)


@pytest.fixture
def asking(tmp_path) -> Asking:
    asking = Asking(tmp_path)
    asking.state = State(
        asking.state.view, Fed(), RULES, security=asking.security, writer=Kept(),
        is_simulated=True,
    )  # fmt: skip
    asking.app = application(asking.state)
    furnish(asking.state.register)
    return asking


def test_a_policy_tells_what_waits_and_why(asking):
    answer = asking.as_("collector", "GET", "/v1/accounts/mine/policy")
    body = PolicyAnswer.model_validate(answer.json()).model_dump()
    assert body["in_force"] is None
    (waiting,) = body["waiting"]
    assert waiting["terms"]["paymentMode"] == "prepaid"
    assert "arrears risk grade C: prepayment" in waiting["reasons"]
    again = asking.as_("collector", "GET", "/v1/accounts/mine/policy",
                       headers={"if-none-match": answer.headers["etag"]})  # fmt: skip
    assert again.status_code == 304


def test_an_answer_stays_the_same_until_a_fact_or_a_deadline_changes_it(asking):
    def asked(path, etag=""):
        return asking.as_("viewer", "GET", path, headers={"if-none-match": etag})

    work = asked("/v1/collection/work")
    (due_at,) = {one["dueAt"] for one in work.json()["items"]}
    assert {one["isLate"] for one in work.json()["items"]} == {True}
    assert work.json()["asOf"] == due_at, "nothing is newer than the deadline that was missed"
    assert asked("/v1/collection/review").json()["asOf"] is None, "no record has been read"
    policy_answer = asked("/v1/accounts/mine/policy").json()
    assert policy_answer["asOf"].endswith("T16:00:00Z"), "the account's midnight"
    foreign = Sent("collection-work", b"no key", b"?", timestamp=1_783_440_010_500)
    asking.state.register.take([foreign])
    for path in ("work", "review", "appraisal"):
        answer = asked(f"/v1/collection/{path}")
        assert answer.json()["asOf"] == "2026-07-07T16:00:10Z"
        assert asked(f"/v1/collection/{path}", answer.headers["etag"]).status_code == 304
    assert asked("/v1/accounts/mine/policy").json()["asOf"] == "2026-07-07T16:00:10Z"
    asking.state.register.take([replace(foreign, timestamp=1_790_000_000_500)])
    for path in ("collection/review", "accounts/mine/policy"):
        assert asked(f"/v1/{path}").json()["asOf"] == "2026-07-07T16:00:20Z", "the time simulated"


def test_an_approver_decides_and_it_is_written_in_their_name(asking):
    for name in ("viewer", "operator", "collector", "field"):
        assert asking.as_(name, "POST", DECIDE, json=APPROVE).status_code == 403
    answer = asking.as_("approver", "POST", DECIDE, json=APPROVE)
    assert answer.status_code == 200, answer.text
    ((encoded, _at),) = asking.state.writer.records
    told = decode_fact(Sent(encoded.topic, encoded.key, encoded.value))
    assert (told.decided_by, told.decided_because) == ("approver", "agreed with the customer")
    assert told.obeyed_at == 0, "the stream is told by the customers' process"
    body = asking.as_("viewer", "GET", "/v1/accounts/mine/policy").json()
    assert body["inForce"]["policyId"] == "mine@1"
    assert body["waiting"] == []
    again = asking.as_("approver", "POST", DECIDE, json=APPROVE)
    assert (again.status_code, "approver" in again.json()["detail"]) == (409, True)
    assert '"policy approve"' in asking.audit.read_text()


WRONG = [
    ({"version": 9}, 404),
    ({"reason": ""}, 422),
    ({"reason": "   "}, 409),
    ({"decision": "perhaps"}, 422),
    ({"effectiveOn": "2020-01-01"}, 409),
    ({"who": "me"}, 422),
]


@pytest.mark.parametrize(("change", "status"), WRONG)
def test_a_wrong_decision_changes_nothing(asking, change, status):
    answer = asking.as_("approver", "POST", DECIDE, json=APPROVE | change)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert asking.state.writer.records == []


def test_a_decision_that_could_not_be_written_is_not_taken_for_one(asking):
    asking.state.writer.fails = 1
    assert asking.as_("approver", "POST", DECIDE, json=APPROVE).status_code == 503
    assert asking.as_("viewer", "GET", "/v1/accounts/mine/policy").json()["inForce"] is None


def test_letters_and_contract_with_proof_and_capacity(asking):
    body = asking.as_("viewer", "GET", "/v1/accounts/mine/letters").json()
    LettersAnswer.model_validate(body)
    (one,) = body["letters"]
    assert (one["isProven"], one["proof"]["reference"]) == (True, "delivery-receipts:0:7")
    assert one["restsOn"] == "mine:notice:1"
    contract = ContractAnswer.model_validate(
        asking.as_("viewer", "GET", "/v1/accounts/mine/contract").json()
    )
    assert (contract.capacity_va, contract.is_special_transformer) == (1_250_000, True)


def test_papers_are_pdf_and_a_letter_is_the_very_one_served(asking):
    sheet = asking.as_("viewer", "GET", "/v1/accounts/mine/policy/1.pdf")
    assert sheet.headers["content-type"] == "application/pdf"
    assert len(PdfReader(io.BytesIO(sheet.content)).pages) == 2
    (served,) = asking.state.register.letters("mine")
    path = f"/v1/accounts/mine/letters/{served.number}.pdf"
    letter = asking.as_("viewer", "GET", path)
    assert hashlib.sha256(letter.content).hexdigest() == served.pdf_sha256
    asking.state.register.put(replace(served, pdf_sha256="0" * 64))
    assert asking.as_("viewer", "GET", path).status_code == 409
    assert asking.as_("viewer", "GET", "/v1/accounts/mine/letters/x.pdf").status_code == 404
    assert asking.as_("viewer", "GET", "/v1/accounts/mine/policy/7.pdf").status_code == 404


def test_a_collector_sees_their_own_work_and_line_and_no_others(asking):
    def work(who, query=""):
        return asking.as_(who, "GET", f"/v1/collection/work{query}")

    WorkList.model_validate(work("viewer").json())
    assert {one["collector"] for one in work("viewer").json()["items"]} == {"17", "18"}
    assert {one["collector"] for one in work("collector").json()["items"]} == {"17"}
    assert work("collector", "?collector=18").status_code == 403
    assert work("field").status_code == 403
    day = asking.as_("collector", "GET", "/v1/collection/review?day=2026-07-06").json()
    assert [
        one["collector"] for one in DayReview.model_validate(day).model_dump()["collectors"]
    ] == ["17"]
    month = asking.as_("collector", "GET", "/v1/collection/appraisal").json()
    told = Appraisal.model_validate(month)
    assert [one["collector"] for one in told.collectors] == ["17"]
    assert told.everybody is not None
    assert len(asking.as_("viewer", "GET", "/v1/collection/appraisal").json()["collectors"]) == 2


def test_the_appraisal_as_csv_and_pdf(asking):
    answer = asking.as_("collector", "GET", "/v1/collection/appraisal/csv?month=2026-07")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["collector"] for row in rows] == ["17"]
    assert float(rows[0]["lead_low"]) <= float(rows[0]["lead"]) <= float(rows[0]["lead_high"])
    assert {"prepaid_sales", "carry_over", "restore_seconds_p95"} <= set(rows[0])
    pdf = asking.as_("viewer", "GET", "/v1/collection/appraisal/pdf")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "2026-07" in text
    assert (
        asking.as_("viewer", "GET", "/v1/collection/appraisal/csv?month=2020-01").status_code == 404
    )
    lines = asking.as_("viewer", "GET", "/v1/collection/review.csv?day=2026-07-06").content
    assert len(lines.decode("utf-8-sig").splitlines()) == 3


def test_the_page_decides_as_the_route_does(asking):
    page = asking.as_("approver", "GET", "/accounts/mine/policy?lang=zh").text
    assert "一户一策" in page
    assert "鲁纺棉业" in page
    assert "网关回执" in page
    assert asking.as_("viewer", "GET", "/accounts/mine/policy").text.count('<form class="act"') == 0
    form = {"version": "1", "decision": "approve", "reason": "agreed"}
    path = "/accounts/mine/policy/decisions"
    assert asking.as_("approver", "POST", path, data=form | {"reason": ""}).status_code == 422
    assert asking.as_("viewer", "POST", path, data=form).status_code == 403
    answer = asking.as_("approver", "POST", path, data=form)
    assert (answer.status_code, "mine@1" in answer.text) == (200, True)
    assert len(asking.state.writer.records) == 1
    assert asking.as_("approver", "POST", path, data=form).status_code == 409


def test_the_collection_page_is_the_collectors_own(asking):
    page = asking.as_("collector", "GET", "/collection?day=2026-07-06&lang=en").text
    assert "theirs" not in page
    assert "mine" in page
    assert "Carry-over" in page
    everything = asking.as_("viewer", "GET", "/collection?day=nonsense&month=nonsense").text
    assert "theirs" in everything
