"""How do the commands about customers read and write what is known of them?

A desk reads the register's topics to their end, lets a command change a fact, and writes it with
its events.  It stands apart so that `policy`, `notices`, `contracts` and `collection` share one way
to Kafka and one clock: the local day here is the only place where these commands ask the time.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.papers import FontsMissing
from api.register import TOPICS, NotKnown, Register
from scoring.collection import WorkRefused
from scoring.customer_file import FileRefused
from scoring.events import PolicyChanged
from scoring.letters import LetterRefused
from scoring.policy import PolicyRefused, obeyed
from simulator.link import Taken, Writer, read_all
from simulator.messages import Input, as_input
from streams.settings import settings_from
from streams.topics import partition_of
from streams.wire_customers import encode_fact
from streams.wire_inputs import encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from scoring.events import AccountEvent
    from scoring.policy import Policy
    from streams.settings import Settings
    from streams.wire_customers import Fact

REFUSED = (
    *(PolicyRefused, LetterRefused, WorkRefused, FileRefused),
    *(NotKnown, FontsMissing, ValueError, OSError),
)
"""What a person can mend: told in one sentence, exit code `COULD_NOT`."""

COULD_NOT = 1

THE_PARTITION = 0
"""Facts of customers are read by everybody, so their topics have one partition."""


class Desk:
    """The register as of now, and a hand to write in it."""

    def __init__(self, settings: Settings, zone: ZoneInfo) -> None:
        self.settings = settings
        self.zone = zone
        self.register = Register()
        self.now = int(time.time())
        self.register.take(read_all(settings.bootstrap, TOPICS))

    @property
    def today(self) -> date:
        """The local day."""
        return datetime.fromtimestamp(self.now, self.zone).date()

    @property
    def month(self) -> int:
        """The billing month of today."""
        return self.today.year * 12 + self.today.month - 1

    def write(self, facts: Iterable[Fact], events: Iterable[AccountEvent] = ()) -> None:
        """Facts into the register, then events to the stream; returns when both are safe.

        Facts first: an event whose fact were lost could not be explained.  A command that dies
        between the two is simply given again.
        """
        writer = Writer(self.settings.bootstrap)
        for fact in facts:
            writer.write(as_input(encode_fact(fact), THE_PARTITION, self.now))
            self.register.put(fact)
        writer.flush()
        for event in events:
            one = encode_event(event)
            partition = partition_of(event.account_id.encode(), self.settings.partitions)
            writer.write(Input(one.topic, partition, event.account_id, one.value, self.now))
        writer.flush()
        writer.close()

    def tell_stream(self, policies: Iterable[Policy]) -> None:
        """Policies in force to the stream, then the mark that it was told; told again if it dies.

        The same policy twice changes nothing (`scoring.terms`).
        """
        some = list(policies)
        self.write((), [PolicyChanged(one.account_id, 0, 0, obeyed(one)) for one in some])
        self.write([replace(one, obeyed_at=self.now) for one in some])


def read_effects(settings: Settings, topic: str) -> list[Taken]:
    """All records of an effects topic."""
    return list(read_all(settings.bootstrap, [topic]))


def desk_of(options: argparse.Namespace) -> Desk:
    """The desk a command works at, as its options say."""
    return Desk(settings_from(), options.zone)


def zone(name: str) -> ZoneInfo:
    """A time zone given by name.  Raises ValueError, which argparse tells."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"no time zone {name!r}") from error


def add_zone(parser: argparse.ArgumentParser) -> None:
    """The option that says whose local day is meant."""
    parser.add_argument(
        "--zone", type=zone, default=zone("Asia/Shanghai"), help="whose local days are meant"
    )


class Deeds:
    """The deeds of a command about customers: each a word, its options, and what does it.

    `at_desk`: each is done at a desk, which reads the register first; else by its options alone.
    """

    def __init__(self, prog: str, meaning: str, examples: str, *, at_desk: bool = True) -> None:
        self._at_desk = at_desk
        self._parser = argparse.ArgumentParser(
            prog=prog,
            description=meaning,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._words = self._parser.add_subparsers(required=True, metavar="DEED")

    def add(
        self, word: str, do: Callable[..., int], meaning: str, *names: str
    ) -> argparse.ArgumentParser:
        """One more, with these arguments; further options are the caller's to add."""
        one = self._words.add_parser(word, help=meaning, description=meaning)
        one.set_defaults(do=do)
        add_zone(one)
        for name in names:
            one.add_argument(name)
        return one

    def carry_out(self, arguments: list[str]) -> int:
        """Do one; its exit code, `COULD_NOT` if refused with a sentence that says why."""
        options = self._parser.parse_args(arguments)
        do: Callable[..., int] = options.do
        try:
            return do(desk_of(options), options) if self._at_desk else do(options)
        except REFUSED as error:
            print(error, file=sys.stderr)
            return COULD_NOT


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each line of a CSV file stands, and its cells; an empty cell is left out.

    Whole numbers, true and false are read as such, 007 is a name; a money column's cells stay as
    written.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            yield f"{path}:{number}", {name: _cell(text) for name, text in row.items() if text}


def _cell(text: str) -> Any:
    stripped = text.strip()
    if stripped in {"true", "false"}:
        return stripped == "true"
    is_number = stripped.lstrip("-").isdecimal() and str(int(stripped)) == stripped
    return int(stripped) if is_number else stripped  # 007 is a name
