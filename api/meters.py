"""What can be measured of this API process?

Prometheus metrics, without account labels, so that their number stays the same however many
accounts there are.  What is worth an alert is told in deploy/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.standing import Standing

if TYPE_CHECKING:
    from api.state import State

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)


class Meters:
    """The metrics of one application; each has its registry, so that tests may make several."""

    def __init__(self, state: State) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "kilowatch_api_requests_total",
            "Requests answered",
            ["route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "kilowatch_api_request_seconds",
            "From request to answer, inside the process",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        view, tail = state.view, state.tail
        self._gauge("kilowatch_api_accounts", "Accounts in the view").set_function(
            lambda: len(view)
        )
        self._gauge("kilowatch_api_ready", "1 once all there was has been read").set_function(
            lambda: tail.is_ready
        )
        self._gauge(
            "kilowatch_api_records_behind", "State records not read yet; -1 not known"
        ).set_function(lambda: -1 if tail.behind is None else tail.behind)
        self._gauge("kilowatch_api_rows_taken", "Rows taken up since start").set_function(
            lambda: view.rows_taken
        )
        self._gauge(
            "kilowatch_api_rows_unreadable", "State records that were no row, since start"
        ).set_function(lambda: view.unreadable)
        audit = state.audit
        self._gauge(
            "kilowatch_api_audit_waiting_bytes", "Of the audit's file, not in the database yet"
        ).set_function(lambda: 0 if audit is None else audit.waiting_bytes())

        self.registry.register(Standing(state))

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self.registry)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        # finding a label's child again costs more than counting
        known = self._children.get((route, status))
        if known is None:
            known = self._requests.labels(route, status), self._seconds.labels(route)
            self._children[route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def text(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
