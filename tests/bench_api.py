"""How many forecasts a second does one API process answer, and how soon?

`measure` starts an API process over a view of many accounts (made of real rows, so that every code
path of an answer is taken) with security on, asks it from many connections, and returns the figures
as a dict.  In the paced run a request counts from the moment it was due, not from when it could be
sent, so that a stall shows in every request behind it.  Not measured here: how a view is read from
Kafka.

    python -m tests.bench_api --accounts 1000000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
import uvloop

from api.app import application
from api.keys import KeyFile, make_key, write_keys
from api.people import Role
from api.protocol import protocol_of
from api.security import Security
from api.state import State
from api.tail import LIVE_RECORDS, answers_first
from api.view import View
from scoring.events import Source
from streams.log import PlainRecord
from streams.rows import decode_learned_rows, decode_ledger_rows, encode_ledger_rows
from streams.rows import encode_learned_rows as encode_learned
from streams.settings import Settings
from tests.office import RULES, Office

CONNECTIONS = 16
CHUNK = 10_000
KEY_SECONDS = 86_400


# --- the process that is measured ----------------------------------------------------------------


@dataclass
class Fed:
    """Stands for the tail."""

    is_ready: bool = True
    behind: int | None = 0


def view_of(accounts: int) -> tuple[View, list[PlainRecord]]:
    """A view of this many accounts, and some of its records to feed again."""
    office = Office(partitions=1)
    for number in range(24):
        office.open(f"model-{number}")
        office.pay(f"model-{number}", str(number * 9))
        office.live(f"model-{number}", days=3, watts=100 + 90 * number)
    newest = {record.key: record for record in office.kept["ledger-rows", 0]}
    learnt = {record.key: record for record in office.kept["learned-rows", 0]}
    ledger = decode_ledger_rows(list(newest.values())).rows
    learned = decode_learned_rows([learnt[key] for key in newest]).rows
    view = View()
    view.take_tariffs(office.tariff_records)
    records: list[PlainRecord] = []
    draw = np.random.default_rng(7)
    for first in range(0, accounts, CHUNK):
        here = np.arange(first, min(first + CHUNK, accounts))
        rows = ledger[here % len(ledger)]
        rows["ledger_nanos"] += draw.integers(0, 400 * 10**9, len(here))
        rows["tier"] = here % 100 < 4
        rows["source_offset"][:, Source.READINGS] = here
        keys = [f"home-{number:07d}".encode() for number in here.tolist()]
        values = encode_ledger_rows(rows, 0)
        records = _records("ledger-rows", keys, values)
        view.take_ledger_rows(0, records)
        values = encode_learned(learned[here % len(learned)], 0)
        view.take_learned_rows(0, _records("learned-rows", keys, values))
    for _done in view.looks():
        pass
    return view, records


def _records(topic: str, keys: list[bytes], values: list[bytes]) -> list[PlainRecord]:
    return [
        PlainRecord(topic, 0, place, 0, key, value)
        for place, (key, value) in enumerate(zip(keys, values, strict=True))
    ]


async def _serve(accounts: int, rows_a_second: int) -> None:
    """Serve until told to stop; the first line printed says the port, a key, what loading cost."""
    began_at = time.perf_counter()
    view, records = view_of(accounts)
    answers_first()
    loaded = {
        "load_seconds": round(time.perf_counter() - began_at, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    with tempfile.TemporaryDirectory() as directory:
        key, security = _key_and_security(Path(directory))
        app = application(State(view, Fed(), RULES, security=security))
        config = uvicorn.Config(
            app, port=0, log_level="error", access_log=False, lifespan="off", loop="none",
            http=protocol_of(app.at_once),
        )  # fmt: skip
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(json.dumps({"port": port, "key": key} | loaded), flush=True)
        feeding = asyncio.create_task(_feed(view, records, rows_a_second))
        await serving
        feeding.cancel()


def _key_and_security(directory: Path) -> tuple[str, Security]:
    """Security as in production, but for how often one key may ask."""
    key, kept = make_key("bench", (Role.VIEWER,), "", int(time.time()), KEY_SECONDS)
    write_keys(directory / "keys.json", KeyFile(keys=(kept,)))
    told = Settings(keys_file=str(directory / "keys.json"), requests_per_second=1_000_000)
    return key, Security(told)


async def _feed(view: View, records: list[PlainRecord], rows_a_second: int) -> None:
    """Rows keep coming, in the bites in which the tail takes them."""
    due_at = time.perf_counter()
    while rows_a_second:
        for first in range(0, len(records), LIVE_RECORDS):
            view.take_ledger_rows(0, records[first : first + LIVE_RECORDS])
            due_at += LIVE_RECORDS / rows_a_second
            await asyncio.sleep(max(due_at - time.perf_counter(), 0))


# --- the one who asks ----------------------------------------------------------------------------


@dataclass
class Asked:
    """What came back, and how long it took."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    wall: float = 0.0

    def figures(self) -> dict[str, float]:
        """Requests per second and percentiles in milliseconds."""
        taken = np.array(self.seconds) * 1000
        return {
            "requests": len(taken),
            "wrong": self.wrong,
            "per_second": round(len(taken) / self.wall),
            "p50_ms": round(float(np.percentile(taken, 50)), 2),
            "p99_ms": round(float(np.percentile(taken, 99)), 2),
            "max_ms": round(float(taken.max()), 2),
        }


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one question at a time."""

    def __init__(self, asking: Asking) -> None:
        self.transport: Any = None
        self._asking = asking
        self._due_at = 0.0
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, question: bytes, due_at: float) -> None:
        self._due_at = due_at
        self.transport.write(question)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._buffer.lower().find(b"content-length: ", 0, head)
        length = int(self._buffer[at + 16 : self._buffer.find(b"\r", at)])
        if len(self._buffer) >= head + 4 + length:
            self._asking.asked.seconds.append(time.perf_counter() - self._due_at)
            self._asking.asked.wrong += not self._buffer.startswith(b"HTTP/1.1 200")
            self._buffer = b""
            self._asking.go_on(self)


class Asking:
    """Puts questions over CONNECTIONS; at `rate` a second, or as fast as they are answered."""

    def __init__(self, questions: list[bytes], rate: int | None) -> None:
        self.asked = Asked()
        self._questions, self._rate = questions, rate
        self._numbers = count()
        self._loop = asyncio.get_running_loop()
        self._began_at = 0.0
        self._idle: asyncio.Future[None] = self._loop.create_future()

    async def run(self, port: int) -> Asked:
        """Ask them all."""
        opened = [
            (await self._loop.create_connection(lambda: Connection(self), "127.0.0.1", port))[1]
            for _ in range(CONNECTIONS)
        ]
        self._began_at = time.perf_counter()
        for connection in opened:
            self.go_on(connection)
        await self._idle
        self.asked.wall = time.perf_counter() - self._began_at
        for connection in opened:
            connection.transport.close()
        return self.asked

    def go_on(self, connection: Connection) -> None:
        """The next question, when it is due."""
        number = next(self._numbers)
        if number >= len(self._questions):
            if len(self.asked.seconds) == len(self._questions) and not self._idle.done():
                self._idle.set_result(None)
            return
        now = time.perf_counter()
        due_at = self._began_at + number / self._rate if self._rate else now
        if due_at > now:
            self._loop.call_later(due_at - now, connection.ask, self._questions[number], due_at)
        else:
            connection.ask(self._questions[number], due_at)


async def _ask(port: int, key: str, paths: list[str], rate: int | None) -> Asked:
    head = f"HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\n\r\n"
    return await Asking([f"GET {path} {head}".encode() for path in paths], rate).run(port)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process: what a busy machine does not change."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _peak_megabytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def measure(
    accounts: int = 1_000_000, seconds: float = 10.0, rate: int = 5_000, rows_a_second: int = 0
) -> dict[str, object]:
    """Start an API process over this many accounts and ask it.

    `paced` asks `rate` forecasts a second, `flat_out` as many as are answered, `ranked` asks for
    the first hundred accounts by runway, one after the other, beside no other load.
    """
    command = [
        sys.executable, "-m", "tests.bench_api", "--serve", "--accounts", str(accounts),
        "--rows-a-second", str(rows_a_second),
    ]  # fmt: skip
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            port, key, draw = told.pop("port"), told.pop("key"), random.Random(7)

            def paths(number: int) -> list[str]:
                ids = (draw.randrange(accounts) for _ in range(number))
                return [f"/v1/accounts/home-{each:07d}" for each in ids]

            def figures(asked_paths: list[str], pace: int | None) -> dict[str, float]:
                cpu_before = _cpu_seconds(server.pid)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    told = runner.run(_ask(port, key, asked_paths, pace)).figures()
                spent = _cpu_seconds(server.pid) - cpu_before
                return told | {"cpu_microseconds_each": round(spent / len(asked_paths) * 1e6)}

            figures(paths(2_000), None)  # warm
            return {
                "accounts": accounts,
                "rows_a_second": rows_a_second,
                **told,
                "paced": figures(paths(int(rate * seconds)), rate),
                "flat_out": figures(paths(int(rate * seconds)), None),
                "ranked": figures(["/v1/accounts?sort=runway&limit=100"] * 100, 5),
                "peak_memory_mb": _peak_megabytes(server.pid),
            }
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument(
        "--rows-a-second", type=int, default=1_111,
        help="that come meanwhile (default: a million accounts each quarter of an hour)",
    )  # fmt: skip
    parser.add_argument("--serve", action="store_true", help="be the measured process")
    chosen = parser.parse_args()
    if chosen.serve:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(chosen.accounts, chosen.rows_a_second))
        return
    figures = measure(chosen.accounts, chosen.seconds, chosen.rate, chosen.rows_a_second)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
