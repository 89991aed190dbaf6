"""What can be typed after `kilowatch`?

One word per deed; each word belongs to the module that does it and is imported only when said, so
that `--help` answers at once.  Nothing is done here but choosing, and turning what an operator can
mend into one sentence instead of a traceback.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

STOPPED_BY_CTRL_C = 130
WRONG_USE = 2


@dataclass(frozen=True, slots=True)
class Command:
    """A word, the module whose `main(argv)` does it, and what `--help` says."""

    word: str
    module: str
    meaning: str
    example: str


COMMANDS = {
    command.word: command
    for command in (
        Command(
            "demo",
            "deploy.demo",
            "broker, worker, API and a simulated utility on this machine",
            "kilowatch demo                         watch; Ctrl-C ends it\n"
            "  kilowatch demo --for 60 --json         one minute, one JSON summary",
        ),
        Command(
            "worker",
            "streams.app",
            "turn readings, payments and reports into warnings, trips and restores",
            "KILOWATCH_BOOTSTRAP=kafka:9092 kilowatch worker",
        ),
        Command(
            "api",
            "api.app",
            "answer live balances and forecasts over HTTP",
            "KILOWATCH_API_PORT=8080 kilowatch api",
        ),
        Command(
            "history",
            "api.history_keeper",
            "keep what was said in a database: SQLite, or PostgreSQL by URL",
            "KILOWATCH_HISTORY_URL=postgresql+psycopg://kilowatch@db/kilowatch kilowatch history\n"
            "  kilowatch history migrate              only bring the database up to date",
        ),
        Command(
            "policy",
            "deploy.policies",
            "one customer, one policy: propose, decide, obey, print",
            "kilowatch policy propose facts.csv     then: list, show, approve, obey, sheet",
        ),
        Command(
            "notices",
            "deploy.notices",
            "letters to customers who owe: the ladder, the PDF, the proof of delivery",
            "kilowatch notices ladder mill-1 --owed 1200.50 --overdue-since 2026-06-01",
        ),
        Command(
            "contracts",
            "deploy.contracts",
            "supply contracts, guarantors, special transformers: what is there, what expires",
            "kilowatch contracts put contracts.yaml",
        ),
        Command(
            "collection",
            "deploy.collecting",
            "collectors' work, the day's review, the month's appraisal",
            "kilowatch collection appraise july.csv --pdf july.pdf",
        ),
        Command(
            "replay-policy",
            "deploy.policy_replay",
            "tell whom another policy would have warned or cut",
            "kilowatch replay-policy new-rules.yaml",
        ),
        Command(
            "keys",
            "deploy.keys",
            "make, list and revoke the keys with which the API is asked",
            "kilowatch keys create li.lei --role operator",
        ),
        Command(
            "simulate",
            "simulator.drive",
            "a seeded utility with customers, meters, payments and faults, on Kafka",
            "kilowatch simulate --accounts 300 --speed 3600",
        ),
        Command(
            "replay",
            "simulator.replay",
            "send a file of real readings as those customers' meters",
            "kilowatch replay simulator/sample/homes_ca_8_weeks.parquet",
        ),
        Command(
            "backtest",
            "deploy.backtest",
            "judge the forecasts on a file of real readings",
            "kilowatch backtest homes.parquet --holidays AU-NSW --report homes.html",
        ),
        Command(
            "credit",
            "streams.credit_app",
            "grade large customers as their facts arrive, and say why",
            "kilowatch credit",
        ),
        Command(
            "customers",
            "api.customers_app",
            "keep policies, letters, work and appraisals as the stream and grades say",
            "kilowatch customers",
        ),
        Command(
            "facts",
            "deploy.facts",
            "state ratings, tax arrears and other facts no meter tells",
            "kilowatch facts state ratings.csv --source rating-agency",
        ),
        Command(
            "risk",
            "deploy.risk",
            "judge the learned arrears risk on a table of customers, or on a seeded world",
            "kilowatch risk customers.parquet",
        ),
        Command(
            "bill",
            "deploy.bills",
            "the itemised bill of a file of usage under a tariff sheet",
            "kilowatch bill --tariff cn-sd-residential --usage home.csv",
        ),
        Command(
            "tariffs",
            "deploy.tariff_sheets",
            "check tariff sheets by file, line and field, or publish them",
            "kilowatch tariffs check my-sheets/",
        ),
        Command(
            "prices",
            "deploy.prices",
            "check or publish a market's prices by the day, and send again what waited for them",
            "kilowatch prices publish april.csv --tariff day-ahead.yaml",
        ),
        Command(
            "why",
            "deploy.why",
            "tell in words why an account was warned, cut or left on",
            "kilowatch why home-00187 --lang zh --zone Asia/Shanghai",
        ),
        Command(
            "verify",
            "deploy.verify",
            "prove that no decision was changed, dropped or added",
            "kilowatch verify",
        ),
        Command(
            "interlock",
            "deploy.interlock",
            "show how the fleet interlock stands, freeze it, or release it",
            'kilowatch interlock release --operator e-017 --reason "sheet taken back"',
        ),
        Command(
            "signing-keys",
            "deploy.signing_keys",
            "make, list and rotate the keys that sign commands",
            "kilowatch signing-keys new keys/ --id 2026-11",
        ),
        Command(
            "topics",
            "deploy.topics",
            "create missing topics, check the others, and list them",
            "kilowatch topics",
        ),
    )
}


def help_text() -> str:
    """What `kilowatch --help` prints."""
    words = "\n".join(f"  {each.word:<14}{each.meaning}" for each in COMMANDS.values())
    examples = "\n".join(f"  {each.example}" for each in COMMANDS.values())
    return (
        "usage: kilowatch COMMAND [options]\n\n"
        "Watches prepaid electricity accounts live: balance, forecast, warning, trip, restore.\n\n"
        f"commands:\n{words}\n\n"
        f"examples:\n{examples}\n\n"
        "`kilowatch COMMAND --help` tells a command's options. Settings are environment variables\n"
        "KILOWATCH_...; the README lists them. `kilowatch --version` tells the version."
    )


def main(arguments: list[str] | None = None) -> int:
    """Do what was typed; the exit code: 0 done, 1 failed, 2 wrongly asked."""
    arguments = sys.argv[1:] if arguments is None else arguments
    word, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if word in {"-h", "--help", "help"}:
        print(help_text())
        return 0
    if word in {"-V", "--version"}:
        print(f"kilowatch {version('kilowatch')}")
        return 0
    command = COMMANDS.get(word)
    if command is None:
        print(f"kilowatch has no command {word!r}\n\n{help_text()}", file=sys.stderr)
        return WRONG_USE
    try:
        sys.argv[0] = f"kilowatch {word}"  # argparse shows it in a command's own help
        return import_module(command.module).main(rest) or 0
    except KeyboardInterrupt:
        return STOPPED_BY_CTRL_C
    except Exception as error:  # told in one sentence if a person can mend it, else raised again
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(f"kilowatch {word}: {sentence}", file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str | None:
    """What a person should do about this error; None if it is a fault of the program."""
    from deploy.broker import BrokerMissing
    from deploy.processes import ProcessFailed
    from simulator.link import LinkBroken
    from streams.command_verifier import KeysWrong
    from streams.connection import why_no_kafka
    from streams.settings import SettingsWrong, settings_from
    from streams.topics import TopicsWrong

    if isinstance(
        error, (SettingsWrong, KeysWrong, TopicsWrong, BrokerMissing, ProcessFailed, LinkBroken)
    ):
        return str(error)
    if isinstance(error, OSError):
        return _of_the_machine(error)
    if isinstance(error, ZoneInfoNotFoundError):
        return f"{error.args[0]}; write one such as Asia/Shanghai"
    from sqlalchemy.exc import OperationalError

    from api.history import WrittenByAnother

    if isinstance(error, WrittenByAnother):
        return str(error)
    if isinstance(error, OperationalError):
        return f"the history's database does not answer: {error.orig}; see KILOWATCH_HISTORY_URL"
    from aiokafka.errors import KafkaConnectionError
    from kafka.errors import KafkaConnectionError as ToolsConnectionError
    from kafka.errors import KafkaTimeoutError as ToolsTimeoutError
    from pyarrow import ArrowInvalid

    if isinstance(error, (KafkaConnectionError, ToolsConnectionError, ToolsTimeoutError)):
        return why_no_kafka(settings_from())
    if isinstance(error, ArrowInvalid):
        return f"a file of data cannot be read: {str(error).splitlines()[0]}"
    return None


def _of_the_machine(error: OSError) -> str | None:
    """A missing file, a port that is taken; None of what no person can mend by these words."""
    if error.errno == errno.EADDRINUSE:
        return f"{error.strerror or error}: name another by KILOWATCH_API_PORT or _METRICS_PORT"
    named = error.filename
    if named is None and isinstance(error, FileNotFoundError) and error.args:
        named = error.args[0]  # Arrow says it so
    if not isinstance(named, (str, bytes, Path)) or not named:
        return None
    path = Path(str(named))
    if isinstance(error, FileNotFoundError):
        if path.parent.is_dir():
            return f"there is no file {path}"
        return f"there is no directory {path.parent}"
    return f"{path}: {error.strerror}"


if __name__ == "__main__":
    sys.exit(main())
