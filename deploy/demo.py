"""What does a person see in the first minute?

`kilowatch demo`: a site on this machine and a simulated utility that drives it at high speed; a
table of who runs out next, as the API tells it, and what Kilowatch just said.  With `--for` and
`--json` the same run ends by itself in one summary that a script can judge.  Nothing here is used
in production; the processes it starts (`local`) are the ones that are.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.asking import Checked, answer_of, check_all, lists
from deploy.local import Site, metric
from deploy.processes import is_listening
from deploy.signing_keys import make_key
from deploy.story import Story
from scoring.units import instant_text
from simulator.drive import Drive
from simulator.world import Plan
from streams import topics
from streams.command_verifier import CommandVerifier
from streams.signing import KEYS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from simulator.link import Taken

API_PORT = 8080
PARTITIONS = 2
"""A few hundred accounts in eight partitions would be batches of nothing."""

SHOWN_ACCOUNTS = 12
SHOWN_EVENTS = 8
SHOW_SECONDS = 0.5
HEAR_SECONDS = 0.05
LOOK_SECONDS = 0.15

MAX_BEHIND = 400
"""Records under way at which the simulated utility waits for the worker: on a slow machine time
then runs slower, instead of commands being older than their expiry when they are obeyed."""

OFFICE_AFTER_SECONDS = 10.0
SHORTEST_OFFICE_SECONDS = 120.0
"""Credit and customers' papers start when the demo stands, and in runs that can show any."""

COLLECTORS = 6
"""Fifty customers each: enough to be compared."""

OPENING_DAYS = (0.1, 5.0)
"""First payments last so long: someone is out of money on the first simulated day."""

SUPPLY_LIMITS = "restore_repeat_seconds=14400, status_read_seconds=14400"
"""A second of the demo is an hour and a half: a restore that took half a second on the road would
be 45 minutes old, and by the usual limits (20 and 10 minutes) expired and sent again and again."""

KEY_BEGINS, KEY_DAYS = datetime(2020, 1, 1, tzinfo=UTC), 36_500
"""A key of one run, valid whatever its simulated time is."""

SETTINGS_FILE = Path("kilowatch-run/demo.env")
"""Where a second terminal finds the running demo, from the directory in which it was started."""

SAID = {
    topics.LOW_BALANCE_WARNINGS: "warned",
    topics.DISCONNECTION_NOTICES: "given notice",
    topics.TRIP_COMMANDS: "[red]tripped[/]",
    topics.RESTORE_COMMANDS: "[green]restored[/]",
}

SWITCH_WORDS = {"connected": "on", "disconnected": "off", "ready_for_reconnection": "armed"}

EXAMPLES = """examples:
  kilowatch demo                             watch; Ctrl-C ends it
  kilowatch demo --for 60 --json             one minute, then one JSON summary; exit code 0 if all
                                             of warnings, trips, restores and API answers came
  kilowatch demo --story                     one works' year: its grade falls, it must prepay, is
                                             given notice, pays, and gets its star back
  kilowatch demo --bootstrap kafka:9092      on a Kafka of your own (without Kilowatch topics yet)
"""


class ShownDrive(Drive):
    """A drive that remembers the last things said, for the screen."""

    def __init__(
        self, plan: Plan, bootstrap: str, *, kept: bool, verifier: CommandVerifier
    ) -> None:
        super().__init__(plan, bootstrap, kept=kept, verifier=verifier)
        self.last_said: deque[str] = deque(maxlen=SHOWN_EVENTS)

    def _take(self, record: Taken) -> None:
        super()._take(record)
        if record.topic in SAID:
            body = json.loads(record.value)
            tier = body.get("tier", "")
            said = "recovered" if tier == "normal" else f"{SAID[record.topic]} {tier}".rstrip()
            when = body["decidedAt"][5:16].replace("T", " ")
            self.last_said.appendleft(f"{when}  {body['accountId']} {said}")


class Demo:
    """One run: a site, a world, and what was seen of them."""

    def __init__(self, site: Site, options: argparse.Namespace) -> None:
        self.site = site
        self.seconds: float | None = options.seconds
        self.speed: float = options.speed
        plan = Plan(
            seed=options.seed, accounts=options.accounts, partitions=PARTITIONS,
            opening_days=OPENING_DAYS, collectors=COLLECTORS,
        )  # fmt: skip
        verifier = CommandVerifier.from_file(keys_of(site.directory) / KEYS_FILE)
        kept = self.seconds is not None
        self.drive = ShownDrive(plan, site.bootstrap, kept=kept, verifier=verifier)
        self.live = Checked(against="while balances fall")
        self.wall_seconds = 0.0
        self._paused = 0.0
        self._accounts: list[dict[str, Any]] = []

    def run(self, show: Callable[[Any], None]) -> None:
        """Drive until the time is over or Ctrl-C."""
        self.drive.open()
        started = looked = shown = time.monotonic()
        is_behind = False
        while self.seconds is None or self.wall_seconds < self.seconds:
            now = time.monotonic()
            self._paused += (now - started - self.wall_seconds) * is_behind
            self.wall_seconds = now - started
            until = self._next_instant()
            if until > self.drive.world.now and not is_behind:
                self.drive.step(until)
            else:
                self.drive.hear(HEAR_SECONDS)
            if self._is_time_for_the_office():
                self.site.start_customers()
            if now - looked > LOOK_SECONDS:
                looked, is_behind = now, self._behind() > MAX_BEHIND
            if now - shown > SHOW_SECONDS:
                shown = now
                self.site.check()
                self._ask()
                show(self.screen())

    def _is_time_for_the_office(self) -> bool:
        is_long = self.seconds is None or self.seconds >= SHORTEST_OFFICE_SECONDS
        return is_long and not self.site.office and self.wall_seconds > OFFICE_AFTER_SECONDS

    def _next_instant(self) -> int:
        wanted = int((self.wall_seconds - self._paused) * self.speed)
        return self.drive.world.plan.starts_at + wanted - wanted % 60

    def _behind(self) -> float:
        sent = sum(self.drive.sent.values()) - self.drive.sent[topics.TARIFFS]
        return sent - metric(self.site.worker_metrics(), "records_total")

    def _ask(self) -> None:
        """Who runs out next, and one of them in full, as any client would ask."""
        self._accounts = lists(self.site.api_address, SHOWN_ACCOUNTS)
        if self._accounts:
            name = self._accounts[self.live.asked % len(self._accounts)]["accountId"]
            answer = answer_of(self.site.api_address, name)
            self.live.note("" if answer.get("accountId") == name else f"{name}: {answer}")

    def screen(self) -> Group:
        """What stands on the terminal."""
        effects, sent = self.drive.tally.effects, self.drive.sent
        figures = (
            f"{instant_text(self.drive.world.now)}   {sent[topics.READINGS]:,} readings, "
            f"{sum(self.drive.tally.refusals.values())} refused\n"
            f"{effects[topics.LOW_BALANCE_WARNINGS]} warnings   "
            f"{effects[topics.DISCONNECTION_NOTICES]} notices   "
            f"{effects[topics.TRIP_COMMANDS]} trips   "
            f"{effects[topics.RESTORE_COMMANDS]} restores"
        )
        said = Text.from_markup("\n".join(self.drive.last_said) or "nothing said yet")
        where = Text(f"console {self.site.api_address}/   API {self.site.api_address}/docs", "cyan")
        return Group(Text(figures, style="bold"), table_of(self._accounts), said, where)

    def summary(self) -> dict[str, Any]:
        """The run in figures, and whether all that must happen did."""
        self.drive.drain()
        checked = check_all(self.site.api_address, self.site.bootstrap, self.drive)
        body = self.drive.summary(self.wall_seconds)
        body["p99ReadingToEffectSeconds"] = body["readingToEffectSeconds"]["p99"]
        body["apiAnswers"] = self.live.asked + checked.asked
        body["apiAnswersRight"] = self.live.right + checked.right
        body["apiCheckedAgainst"] = checked.against
        body["apiWrong"] = [*(self.live.wrong or []), *(checked.wrong or [])][:10]
        wanted = ("warnings", "trips", "restores", "apiAnswers")
        body["missing"] = [name for name in wanted if not body[name]]
        body["isRight"] = not (body["missing"] or body["apiWrong"] or body["forgedCommands"])
        return body


def tell_settings(site: Site) -> None:
    """Write what a shell must know for `kilowatch`'s other commands to speak to this demo."""
    SETTINGS_FILE.parent.mkdir(exist_ok=True)
    told = {**site.environment, "PATH": f"{Path(sys.executable).parent}:$PATH"}
    lines = [
        f"export {name}={text if name == 'PATH' else shlex.quote(text)}\n"
        for name, text in told.items()
    ]
    SETTINGS_FILE.write_text("".join(lines))


def keys_of(directory: Path) -> Path:
    """Where the key of this run lies: the worker signs with it, the simulated field verifies."""
    return directory / "keys"


def table_of(accounts: list[dict[str, Any]]) -> Table:
    """Who runs out next, in no more than the 80 characters of a plain terminal."""
    table = Table(
        title="who runs out next", title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False
    )
    for heading in ("account", "as of", "balance", "", "lasts", "tier", "stage", "switch"):
        side: Literal["left", "right"] = "right" if heading == "balance" else "left"
        table.add_column(heading, justify=side, no_wrap=True)
    for each in accounts:
        table.add_row(
            each["accountId"], (each["asOf"] or "")[5:16].replace("T", " "), each["balance"][:10],
            each["currency"] or "", _lasts(each["runwayHoursP50"]), each["tier"],
            each["stage"].replace("_commanded", " sent").replace("_", " "),
            SWITCH_WORDS.get(each["switch"], each["switch"]),
        )  # fmt: skip
    return table


def _lasts(hours: float | None) -> str:
    """A runway for people.

    >>> _lasts(None), _lasts(0.0), _lasts(5.25), _lasts(100.0)
    ('over 35 days', 'nothing left', '5 h', '4.2 days')
    """
    if hours is None:
        return "over 35 days"
    if hours <= 0:
        return "nothing left"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} days"


def parser() -> argparse.ArgumentParser:
    """The options of `kilowatch demo`."""
    options = argparse.ArgumentParser(
        prog="kilowatch demo",
        description="Everything on this machine: broker, worker, API and a simulated utility.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--for", dest="seconds", type=float, metavar="SECONDS", help="stop after so long")
    add("--json", action="store_true", help="print one JSON summary and nothing else (needs --for)")
    add("--accounts", type=int, default=300, help="customers of the utility (default 300)")
    add("--seed", type=int, default=7, help="which utility (default 7)")
    add("--speed", type=float, default=5_400.0,
        help="simulated seconds per second, at most (default 5400: a day in 16 s)")  # fmt: skip
    add(
        "--story",
        action="store_true",
        help="instead: one works' year in a minute or two, from late payments to its star again",
    )
    add("--bootstrap", default="", help="a Kafka to use instead of the embedded broker")
    add("--api-port", type=int, default=0,
        help=f"port of the API (default {API_PORT}, or a free one if that is taken)")  # fmt: skip
    return options


def main(arguments: list[str]) -> int:
    """`kilowatch demo`: 0 when nothing was missing or wrong."""
    options = parser().parse_args(arguments)
    if options.json and options.seconds is None:
        parser().error("--json needs --for SECONDS")
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    signal.signal(signal.SIGINT, _as_ctrl_c)  # a shell's background jobs are started deaf to it
    console = Console(stderr=options.json, quiet=options.json)
    directory = Path(tempfile.mkdtemp(prefix="kilowatch-demo-"))
    api_port = options.api_port or (0 if is_listening(API_PORT) else API_PORT)
    keys = keys_of(directory)
    keys.mkdir(mode=0o700)
    make_key(keys, "demo", KEY_BEGINS, KEY_DAYS)
    more = {"KILOWATCH_SIGNING_KEYS": str(keys), "KILOWATCH_SUPPLY_LIMITS": SUPPLY_LIMITS}
    partitions = 1 if options.story else PARTITIONS  # one works, one clock
    site = Site(directory, options.bootstrap, partitions, more, api_port)
    summary: dict[str, Any] = {}
    try:
        summary = _run(site, options, console)
    except KeyboardInterrupt:
        console.print()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a process
        console.print("stopping ...")
        SETTINGS_FILE.unlink(missing_ok=True)
        site.stop()
    shutil.rmtree(directory)  # kept, with the logs, when something failed
    if options.json:
        print(json.dumps(summary))
    elif summary:
        console.print_json(data=summary)
    return 0 if summary.get("isRight", True) else 1


def _run(site: Site, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    console.print("starting broker ...")
    site.start_broker()
    console.print("starting worker, history, API ...")
    worker = site.start_worker(wait=False)  # while it joins its group, the others start
    site.start_history()
    site.start_api()
    site.wait_for(worker)
    tell_settings(site)
    console.print(f"console at {site.api_address}/ (API at /docs), Kafka at {site.bootstrap}")
    console.print(f"other commands, in a second terminal: . {SETTINGS_FILE}")
    if options.story:
        return _told(site, options, console)
    demo = Demo(site, options)
    with Live(console=console, refresh_per_second=4) as live:
        demo.run(live.update)
    console.print("asking the API about every account ...")
    summary = demo.summary()
    demo.drive.close()
    return summary


def _told(site: Site, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Play one works' year, to its end or for so long."""
    site.start_customers()
    story = Story(site.bootstrap, site.api_address)
    story.start()
    started = time.monotonic()
    with Live(console=console, refresh_per_second=4) as live:
        while story.is_playing:
            site.check()
            live.update(Group(*(Text(line) for line in story.lines(site.api_address))))
            if options.seconds is not None and time.monotonic() - started > options.seconds:
                break
            time.sleep(SHOW_SECONDS)
    story.stop()
    told = story.summary()
    if options.seconds is None and told["isComplete"]:
        console.print("the works stands as it is, in the console too; Ctrl-C ends it")
        while True:
            site.check()
            time.sleep(SHOW_SECONDS)
    return {"story": told, "missing": told["toCome"], "isRight": told["isComplete"]}


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
