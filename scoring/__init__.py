"""The core of Kilowatch: pure functions from columns and events to columns and effects.

Nothing here reads a clock, a socket, a file or a dice; time and settings arrive as data.
Reading order: units, events, effects, book, calendar, tariff, usage, bill, balance, forecast,
runway, outlook, decide, scoring.  `streams` feeds it, `api` answers with it.
"""
