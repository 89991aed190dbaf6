"""The console in real Chromium: what a clerk sees and does, by hand and by keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from api.actions import Acted
from api.app import application
from api.audit_history import AuditHistory
from api.history import History
from api.history_tables import engine_of, migrate
from api.people import Role
from api.state import State
from api.view import View
from scoring.events import Action, CustomerClass, Groups
from streams.topics import partition_of
from tests.audit_cases import audit_lines
from tests.office import DAY, HOUR, MONDAY, RULES, Office
from tests.running import served
from tests.test_actions import Kept
from tests.test_api import Fed
from tests.test_customer_routes import furnish
from tests.test_security import Asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SHOTS = Path(__file__).parents[2] / "kilowatch-run" / "console"
"""Pictures of every page for people to look at; written anew by each run, never kept in git."""
PATHS = [
    "/",
    "/accounts/home-03",
    "/accounts/works-1",
    "/accounts/works-1/policy",
    "/collection",
    "/approvals",
    "/system",
    "/audit",
    "/sign-in",
]


def town() -> Office:
    """Twenty homes with more money from one to the next, and a works that has none."""
    office = Office()
    for number in range(20):
        name = f"home-{number:02d}"
        office.open(name, groups=Groups(collector="17"))
        office.pay(name, str(12 + number * 9))
        office.live(name, days=3, watts=400 + 20 * number)
    office.open("works-1", customer_class=CustomerClass.LARGE, groups=Groups(collector="18"))
    office.pay("works-1", "5")
    office.live("works-1", days=3, watts=3000)
    return office


@pytest.fixture(scope="module")
def office() -> Office:
    return town()


@pytest.fixture(scope="module")
def asking(tmp_path_factory, office) -> Asking:
    asking = Asking(tmp_path_factory.mktemp("console"))

    async def no_links(_account_id: str) -> list[bytes]:
        return []

    directory = tmp_path_factory.mktemp("history")
    engine = engine_of(f"sqlite:///{directory}/history.db")
    migrate(engine)
    lines = directory / "lines.jsonl"
    lines.write_bytes(b"".join(audit_lines(130)))
    AuditHistory(engine).take(lines)
    history = History(engine)
    view = office.feed(View())
    asking.state = State(
        view, Fed(), RULES, history, no_links, security=asking.security, writer=Kept()
    )
    furnish(asking.state.register, "works-1")
    deed = Acted(
        "a1", "home-03", Action.NOTE, "wang", "called; pays on Friday", MONDAY, MONDAY, 0, 0
    )
    asking.state.actions.remember(deed)
    asking.app = application(asking.state)
    return asking


@pytest.fixture(scope="module")
def address(asking) -> Iterator[str]:
    with served(asking.app) as address:
        yield address


@pytest.fixture(scope="module")
def browser(chromium) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def signed_in(browser, address, key, width=1280, language="en-GB", scheme="light") -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, locale=language, color_scheme=scheme
    )
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
    page.goto(address)
    page.fill("input[name=key]", key)
    page.press("input[name=key]", "Enter")
    page.wait_for_selector("nav")
    return page


LOOKS = [(1280, "en-GB", "light"), (390, "en-GB", "light"), (1280, "zh-CN", "dark"),
         (390, "zh-CN", "light")]  # fmt: skip


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
def test_every_page_is_sound_in_both_languages_and_widths(
    browser, address, asking, width, language, scheme
):
    asking.enrol("chief", Role.APPROVER, Role.AUDITOR)
    page = signed_in(browser, address, asking.keys["chief"], width, language, scheme)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for path in PATHS:
        page.goto(address + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        name = path.strip("/").replace("/", "-") or "next"
        page.screenshot(path=SHOTS / f"{name}-{language[:2]}-{width}-{scheme}.png", full_page=True)
        assert wide <= width, f"{path} scrolls sideways: {wide} px"
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    assert page.faults == []
    page.context.close()


def test_a_clerk_finds_an_account_and_reads_its_forecast(browser, address, asking):
    page = signed_in(browser, address, asking.keys["viewer"])
    assert page.locator("tbody tr").first.get_attribute("data-row") == "works-1"
    page.keyboard.press("/")
    page.keyboard.type("home-03")
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/home-03")
    assert page.locator("svg polyline.line").count() == 1
    assert "one chance in ten" in page.inner_text("section")
    assert re.search(
        r"As forecast, no disconnection before .+ · pay by .+", page.inner_text(".nextstep")
    )
    assert page.locator("form.act").count() == 0  # a viewer only looks
    page.fill("#find", "home-1")
    page.press("#find", "Enter")
    page.wait_for_url("**prefix=home-1")
    assert page.locator("tbody tr").count() == 10
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/home-1*")
    page.context.close()


def test_an_auditor_reads_by_keyboard_who_did_what(browser, address, asking):
    page = signed_in(browser, address, asking.keys["auditor"])
    assert page.url == f"{address}/audit"
    assert page.locator("nav a").count() == page.locator("nav a[aria-current=page]").count() == 1
    assert page.locator("tbody tr").count() == 100
    page.click("p.pages a")
    assert page.locator("tbody tr").count() == 30
    page.focus("input[name=person]")
    page.keyboard.type("li")
    page.keyboard.press("Tab")
    page.keyboard.type("hold")
    page.keyboard.press("Enter")
    page.wait_for_url("**person=li**")
    assert page.locator("tbody tr").count() == 22  # every sixth line
    assert set(page.locator("tbody tr td:nth-child(2)").all_inner_texts()) == {"li"}
    page.fill("input[name=from]", "2026-07-02")
    page.press("input[name=from]", "Enter")
    page.wait_for_url("**from=2026-07-02**")
    assert page.locator("tbody tr").count() == 0
    assert page.faults == []
    page.context.close()


def test_two_people_are_needed_and_each_signs_for_themselves(browser, address, asking):
    view = asking.state.view
    row = view.book.row("works-1")
    view.book.ledger["stage"][row] = 2
    first = signed_in(browser, address, asking.keys["approver"])

    def approve(page: Page, action: str = "approve-trip") -> None:
        page.goto(f"{address}/accounts/works-1")
        page.select_option("select[name=action]", action)
        page.fill("input[name=reason]", "all steps are proven")
        page.click("form.act button")
        page.wait_for_selector(".done, .problem")

    approve(first)
    assert first.locator(".done").count() == 1
    approve(first)
    assert "second person" in first.inner_text(".problem")
    second = signed_in(browser, address, asking.keys["operator"])
    assert second.goto(f"{address}/accounts/works-1").ok
    assert second.locator("option[value=approve-trip]").count() == 0
    approve(second, "reject-trip")
    assert second.locator(".done").count() == 1
    people = [record[0].value for record in asking.state.writer.records]
    assert [b'"operator":"approver"' in people[0], b'"operator":"operator"' in people[1]] == [1, 1]
    first.context.close()
    second.context.close()


class AtWork:
    """Writes as Kafka would: a worker's clerk enters it at once, and the view hears of it."""

    def __init__(self, office: Office, view: View) -> None:
        self.office, self.view = office, view

    async def write(self, encoded, at: int) -> tuple[int, int]:
        partition = partition_of(encoded.key, self.office.partitions)
        offset = self.office.offsets[encoded.topic, partition]
        before = len(self.office.kept["ledger-rows", partition])
        self.office.enter(encoded.topic, partition, (encoded.key.decode(), encoded.value, at))
        new = self.office.kept["ledger-rows", partition][before:]
        self.view.take_ledger_rows(partition, new)
        return partition, offset


@pytest.fixture
def noticed(tmp_path) -> Asking:
    """A works that is out of money, whose notice was delivered an hour ago."""
    asking, office = Asking(tmp_path), Office(partitions=1)
    asking.enrol("second", Role.APPROVER)
    office.open("works-1", direct_close_agreed=True, customer_class=CustomerClass.LARGE)
    office.pay("works-1", "10")
    office.live("works-1", 2, watts=2_000)
    for hour in (9, 10):
        at = MONDAY + 2 * DAY + hour * HOUR
        office.read("works-1", (at, (48 + hour) * 2_000))
        office.beat(at + 60)
        office.tick(at + 120)
        if hour == 9:
            office.receive("works-1", at + 180)

    async def links(account_id: str) -> list[bytes]:
        return office.links(account_id)

    view = office.feed(View())
    asking.state = State(
        view, Fed(), RULES, None, links, asking.security, writer=AtWork(office, view),
        is_simulated=True,
    )  # fmt: skip
    asking.app, asking.told = application(asking.state), office.told
    return asking


def test_two_approvers_complete_a_trip_while_a_third_person_watches(browser, noticed):
    with served(noticed.app) as address:
        watcher = signed_in(browser, address, noticed.keys["viewer"])
        watcher.goto(f"{address}/accounts/works-1")
        watcher.wait_for_selector(".pulse.on")
        assert watcher.locator(".badge.stage-noticed").count() == 1
        for who, trips in (("approver", 0), ("second", 1)):
            page = signed_in(browser, address, noticed.keys[who])
            page.goto(f"{address}/approvals")
            line = page.locator("tr[data-row=works-1]").first
            assert ("approver" in line.inner_text()) == (who == "second")
            page.screenshot(path=SHOTS / f"trip-1-seen-by-{who}.png", full_page=True)
            line.locator("a").click()
            page.select_option("select[name=action]", "approve-trip")
            page.fill("input[name=reason]", "all steps are proven")
            page.click("form.act button")
            page.wait_for_selector(".done")
            assert len(noticed.told["trip-commands"]) == trips
            assert page.faults == []
            page.context.close()
        watcher.wait_for_selector(".badge.stage-trip_commanded")  # nobody reloads it
        watcher.reload()
        assert "The supply was ordered off" in watcher.inner_text(".answer")
        watcher.screenshot(path=SHOTS / "trip-2-sent.png", full_page=True)
        assert "no disconnection before" not in watcher.inner_text(".nextstep")
        deeds = watcher.locator(".columns .scroll").last
        assert deeds.evaluate("each => each.scrollWidth <= each.clientWidth"), "cut off"
        watcher.context.close()
    (trip,) = noticed.told["trip-commands"]
    assert set(trip["approvers"]) == {"approver", "second"}


def test_a_change_is_seen_without_a_hand(browser, address, asking, office):
    page = signed_in(browser, address, asking.keys["viewer"])
    page.wait_for_selector(".pulse.on")
    before = page.inner_text("tr[data-row=home-00] td.num")
    marks = {place: len(log) for place, log in office.kept.items()}
    office.pay("home-00", "500", MONDAY + 3 * DAY + HOUR)
    office.read("home-00", (MONDAY + 3 * DAY + 2 * HOUR, 72 * 400 + 800))

    for (topic, partition), log in office.kept.items():
        if topic == "ledger-rows":
            new = log[marks.get((topic, partition), 0) :]
            asking.state.view.take_ledger_rows(partition, new)
    page.wait_for_function(
        "before => document.querySelector('tr[data-row=home-00] td.num')?.innerText !== before",
        arg=before,
    )
    page.context.close()


def test_the_first_screen_loads_at_once(browser, address, asking, record_property):
    page = signed_in(browser, address, asking.keys["viewer"])
    page.goto(address)
    painted = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    )
    record_property("first_contentful_paint_ms", painted)  # reported, not judged
    print(f"first contentful paint: {painted:.0f} ms")
    page.context.close()
