"""What do the credit process and the customers' desk make of one log together?"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from api.customer_desk import STREAM_TOPICS, CustomerDesk
from api.register import TOPICS
from scoring.effects import Cause, Evidence
from scoring.events import Source
from streams.credit_desk import INPUTS, CreditDesk, CreditTerms
from streams.wire_customers import encode_fact
from tests.works import PARTITIONS, WORKS, Sent, record

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVIDENCE = Evidence(1, 0, 0, 0, "t", 1, None, None, 0)
CAUSE = Cause(Source.TICKS, 0, 1)


def at(day: date, hour: int = 10) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI).timestamp())


class Both:
    """The credit process and the customers' desk, with a log between them."""

    def __init__(self, fonts: str = "") -> None:
        self.credit = CreditDesk(PARTITIONS, CreditTerms())
        self.desk = CustomerDesk(PARTITIONS, SHANGHAI, is_simulated=True, fonts=fonts)
        self.said = []
        self.offset = 0

    def hear(self, *records):
        graded = [
            record(each)
            for each in self.credit.take([each for each in records if each.topic in INPUTS])
        ]
        for each in (*records, *graded):
            self.offset += 1
            each.offset = self.offset
        found = self.desk.take(
            [each for each in (*records, *graded) if each.topic in (*TOPICS, *STREAM_TOPICS)],
            0,
            is_caught_up=True,
        )
        self.said += found
        return found

    def put(self, fact):
        one = encode_fact(fact)
        return self.hear(Sent(one.topic, one.key, one.value))

    @property
    def policies(self):
        return self.desk.register.policies(WORKS)
