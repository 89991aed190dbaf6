"""What can an operator set, and what does each setting mean?

Every setting is an environment variable KILOWATCH_..., read and checked once at start; a wrong one
stops the process with a sentence that names it and says what to write.  The table in the README
is made from this file (`settings_table`).  What the limits of supply mean is told in
`scoring.rules`; an account's own terms come as account-settings records.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from scoring.day_kinds import CountryUnknown, of_country, weekdays_only
from scoring.interlock import InterlockRules
from scoring.late_charge import USUAL_RATES, LateChargeRules
from scoring.rules import SupplyRules
from scoring.units import NotExact, nanos
from streams.supply_limits import areas, calendar, days_off, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scoring.day_kinds import DayKinds

PREFIX = "KILOWATCH_"


ALIKE = 0.85
"""How much of a wrong name must be right for a name to be meant; all share their beginning."""


class SettingsWrong(ValueError):  # noqa: N818 - the operator reads it as a sentence
    """One or more variables cannot be used; the message names each and says what to write."""


def _amount(text: str) -> int:
    """A written amount from zero in nanos, or ValueError saying what to write."""
    try:
        found = nanos(text)
    except NotExact as error:
        raise ValueError("write an amount such as 1.00") from error
    if found < 0:
        raise ValueError("write an amount from 0")
    return found


def _brokers(text: str) -> None:
    """Raises ValueError for what is no list of host:port."""
    for each in text.split(",") if text else ():
        host, _colon, port = each.strip().rpartition(":")
        inner = host.removeprefix("[").removesuffix("]")
        if not inner or (":" in host and inner == host) or not (port.isascii() and port.isdigit()):
            raise ValueError("write host:port, several separated by commas, IPv6 as [::1]:9092")


def _setting(
    default: Any,
    meaning: str,
    *,
    least: int | None = None,
    most: int | None = None,
    one_of: tuple[str, ...] = (),
    filled: bool = False,
    dates: bool = False,
    check: Callable[[str], object] | None = None,
) -> Any:
    """A dataclass field with what a person must know of it."""
    terms = {"meaning": meaning, "least": least, "most": most, "one_of": one_of, "check": check}
    return field(default=default, metadata=terms | {"filled": filled, "dates": dates})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a process; the variable of `tick_seconds` is KILOWATCH_TICK_SECONDS."""

    bootstrap: str = _setting(
        "127.0.0.1:9092", "Kafka brokers to start from, host:port separated by commas",
        filled=True, check=_brokers,
    )  # fmt: skip
    kafka_security: str = _setting(
        "plaintext",
        "how all clients speak to the brokers: `plaintext`, `tls`, `sasl` (a password over a line "
        "that is not encrypted) or `sasl-tls`",
        one_of=("plaintext", "tls", "sasl", "sasl-tls"),
    )
    kafka_ca_file: str = _setting(
        "", "PEM file of the authorities that sign the brokers' certificates; empty: the system's"
    )
    kafka_certificate_file: str = _setting(
        "", "PEM file of our own certificate, where brokers ask for one"
    )
    kafka_key_file: str = _setting("", "PEM file of that certificate's private key")
    kafka_sasl: str = _setting(
        "SCRAM-SHA-512",
        "SASL mechanism",
        one_of=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    )
    kafka_user: str = _setting("", "SASL user")
    kafka_password_file: str = _setting("", "file that holds the SASL password, and nothing else")
    group: str = _setting(
        "kilowatch", "consumer group that shares the partitions among workers", filled=True
    )
    instance_id: str = _setting(
        "",
        "fixed name of this worker in its group (a pod's name), so that a planned restart moves no "
        "partition; empty: none",
    )
    partitions: int = _setting(
        8,
        "partitions of every co-partitioned topic; may never change once topics exist",
        least=1,
        most=1024,
    )
    replication: int = _setting(1, "copies of each new topic; 3 in production", least=1, most=9)
    session_timeout_seconds: int = _setting(
        10, "silence after which a worker's partitions go to others", least=1, most=300
    )
    timestamps: str = _setting(
        "broker",
        "who stamps received_at on inputs: `broker` (production) or `producer` (simulation and "
        "replay, where time is simulated)",
        one_of=("broker", "producer"),
    )
    ticks: str = _setting(
        "worker",
        "who writes ticks: `worker` (by its clock, production) or `outside` (a simulator)",
        one_of=("worker", "outside"),
    )
    tick_seconds: int = _setting(
        30, "how often a worker writes a tick to each of its partitions", least=1, most=3600
    )
    poll_records: int = _setting(
        8_192, "most records taken from Kafka at once, over all partitions", least=1, most=500_000
    )
    compression: str = _setting(
        "none",
        "compression of what the worker writes",
        one_of=("none", "gzip", "lz4", "zstd", "snappy"),
    )
    holidays: str = _setting(
        "",
        "days off on which nobody is tripped, e.g. `2026-10-01,2026-10-02`: the years named are "
        "known, in others nobody is tripped at all; `none`: weekends only, every year; empty: the "
        "calendar is unknown and nobody is tripped",
        dates=True,
    )
    moratoria: str = _setting(
        "",
        "areas whose weather must be known before a supply is cut, e.g. `north,south`, or `*` "
        "for all; an area of which the topic `moratoria` has spoken needs no naming",
        check=lambda text: SupplyRules(moratoria_areas=areas(text)),
    )
    trips_per_minute: int = _setting(
        60, "most trips a minute over all partitions", least=0, most=100_000
    )
    feeder_trips_per_minute: int = _setting(
        3, "most trips a minute on one feeder", least=0, most=100_000
    )
    policy_trips: int = _setting(
        500,
        "most trips in the first day after rules or tariff sheets have changed",
        least=0,
        most=10_000_000,
    )
    signing_keys: str = _setting(
        "",
        "directory of the keys that sign trip and restore commands, made by "
        "`kilowatch signing-keys`; empty: commands are not signed, and field systems that verify "
        "them refuse them",
    )
    late_charge: str = _setting(
        USUAL_RATES,
        "late payment charge: of a debt a day, and of a debt of an earlier year, by customer class",
        check=lambda text: LateChargeRules.written(text, 0, "plan", 1),
    )
    late_charge_minimum: str = _setting(
        "1.00",
        "least late payment charge of a debt, in the tariffs' currency",
        check=_amount,
    )
    late_charge_modes: str = _setting(
        "plan", "accounts that pay it", one_of=("plan", "prepaid", "all", "none")
    )
    bill_due_day: int = _setting(
        20, "a month's bill is to be paid by this day of the next month", least=1, most=28
    )
    supply_limits: str = _setting(
        "",
        "limits of warnings, notices, trips and restores that differ from the defaults of "
        "`scoring/rules.py`, by name, e.g. `second_notice_lead_seconds=3600, "
        "prepaid_approvers=0/1/2`",
        check=lambda text: SupplyRules(**limits(text)),
    )
    forecast_holidays: str = _setting(
        "",
        "country, or part of one, whose holidays the forecast knows, e.g. `CN`, `GB`, `AU-NSW`; "
        "empty: weekdays only. It moves no trip",
    )
    history_url: str = _setting(
        "sqlite:///kilowatch-history.db",
        "database of the history: SQLite, or PostgreSQL as "
        "`postgresql+psycopg://user@host/database` (the password best in a file, by `PGPASSFILE`)",
        filled=True,
    )
    history_days: int = _setting(
        730, "days that the history keeps what was said", least=1, most=36_500
    )
    fonts: str = _setting(
        "/usr/share/fonts/opentype/noto",
        "directory of the Chinese fonts (Debian: fonts-noto-cjk) for letters and policy sheets",
        filled=True,
    )
    credit_weights: str = _setting(
        "collection",
        "what the credit score of large customers weighs by",
        one_of=("collection", "balanced", "sales"),
    )
    credit_bands: str = _setting(
        "standard", "grades of the credit score", one_of=("standard", "wuhan")
    )
    credit_missing: str = _setting(
        "exclude",
        "what a missing fact does to the credit score: `exclude` leaves its item out, `zero` "
        "counts it as nothing",
        one_of=("exclude", "zero"),
    )
    bind: str = _setting(
        "127.0.0.1", "address on which the API and the metrics of a worker listen", filled=True
    )
    api_port: int = _setting(8080, "port of the API; 0: any free one", least=0, most=65_535)
    metrics_port: int = _setting(
        9180, "port of /metrics of a worker or the history; 0: any free one", least=0, most=65_535
    )
    security: str = _setting(
        "on",
        "who may ask the API: `on`: holders of a key or token; `off`: everybody, for demos, and "
        "only where the API listens on loopback",
        one_of=("on", "off"),
    )
    keys_file: str = _setting(
        "", "file of API keys, written by `kilowatch keys`; it holds hashes, no keys"
    )
    oidc_issuer: str = _setting("", "`iss` of the bearer tokens that are taken; empty: none are")
    oidc_audience: str = _setting("kilowatch", "`aud` that a bearer token must name")
    oidc_keys: str = _setting(
        "", "https address or file of the issuer's public keys (JWKS), read anew when unknown"
    )
    audit_file: str = _setting(
        "",
        "file to which the API appends who did what and who was refused, as JSON lines; empty: "
        "to its log",
    )
    requests_per_second: int = _setting(
        500, "requests a second of one key or person, on average", least=1, most=1_000_000
    )
    api_certificate_file: str = _setting(
        "",
        "PEM file of the API's certificate; empty: plain HTTP, behind a proxy that has TLS",
    )
    api_certificate_key_file: str = _setting("", "PEM file of that certificate's private key")
    log_level: str = _setting(
        "INFO", "least weight of a log line", one_of=("DEBUG", "INFO", "WARNING", "ERROR")
    )


def variable(name: str) -> str:
    """The environment variable of a setting.

    >>> variable("tick_seconds")
    'KILOWATCH_TICK_SECONDS'
    """
    return PREFIX + name.upper()


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings written in an environment (default: this process's).

    Raises SettingsWrong with one line for each wrong or unknown KILOWATCH_ variable.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    wrong: list[str] = []
    known = {variable(each.name): each for each in fields(Settings)}
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            alike = get_close_matches(name, known, n=3, cutoff=ALIKE) or known
            wrong.append(f"{name} is not a setting; there are {', '.join(alike)}")
            continue
        each = known[name]
        try:
            values[each.name] = _read(environment[name].strip(), each.type, each.metadata)
        except ValueError as error:
            wrong.append(f"{name}={environment[name]!r}: {error}")
    if wrong:
        raise SettingsWrong("\n".join(wrong))
    return Settings(**values)


def _read(text: str, kind: Any, terms: Mapping[str, Any]) -> Any:
    """One variable's value, or ValueError saying what to write instead."""
    if str(kind) == "int":
        least, most = terms["least"], terms["most"]
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)
    if terms["dates"]:
        days_off(text)
    if terms["check"]:
        terms["check"](text)
    if terms["one_of"] and text not in terms["one_of"]:
        raise ValueError(f"write one of {', '.join(terms['one_of'])}")
    if terms["filled"] and not text:
        raise ValueError(f"must not be empty: {terms['meaning']}")
    return text


def day_kinds(settings: Settings) -> DayKinds:
    """The days the forecast of this deployment tells apart; raises SettingsWrong."""
    if not settings.forecast_holidays:
        return weekdays_only()
    try:
        return of_country(settings.forecast_holidays)
    except CountryUnknown as error:
        raise SettingsWrong(f"{variable('forecast_holidays')}: {error}") from error


def supply_rules(settings: Settings) -> SupplyRules:
    """The limits of supply of this deployment: the defaults, with its calendar."""
    try:
        return SupplyRules(
            calendar=calendar(settings.holidays),
            moratoria_areas=areas(settings.moratoria),
            **limits(settings.supply_limits),
        )
    except ValueError as error:
        raise SettingsWrong(f"{variable('supply_limits')}: {error}") from error


def interlock_rules(settings: Settings) -> InterlockRules:
    """The limits of the whole fleet of this deployment."""
    return InterlockRules(
        fleet_trips_per_minute=settings.trips_per_minute,
        feeder_trips_per_minute=settings.feeder_trips_per_minute,
        trips_per_policy_change=settings.policy_trips,
    )


def late_charge_rules(settings: Settings) -> LateChargeRules:
    """What paying late costs in this deployment."""
    return LateChargeRules.written(
        settings.late_charge,
        _amount(settings.late_charge_minimum),
        settings.late_charge_modes,
        settings.bill_due_day,
    )


def settings_table() -> str:
    """The settings as a Markdown table, for the README and `--help`."""
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for each in fields(Settings):
        terms = each.metadata
        limits = f" ({terms['least']} to {terms['most']})" if terms["least"] is not None else ""
        default = each.default if each.default not in ("", ()) else "(empty)"
        lines.append(f"| `{variable(each.name)}` | `{default}` | {terms['meaning']}{limits} |")
    return "\n".join(lines)
