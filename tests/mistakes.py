"""Which small mistakes must somebody notice?

They are tried one by one by `tests.mutants`, which says what becomes of each.
"""

from __future__ import annotations

from tests.mistakes_kind import SIMULATION, Mutant, among
from tests.mistakes_supply import OF_SUPPLY

__all__ = ["MUTANTS", "Mutant"]

GUARDS = ("tests/test_decide.py", "tests/test_guard_road.py")
DECIDED = ("tests/test_decide.py", "tests/test_supply_road.py")
ROAD = ("tests/test_partition.py", "tests/test_chain.py")
RULES = ("tests/test_rules.py", *GUARDS)
SIGNED = ("tests/test_signing.py",)
INTERLOCK = ("tests/test_interlock.py",)
TICK = ("tests/test_tick_round.py",)
WEATHER = ("tests/test_weather.py", "tests/test_decide.py")
CLOSED = ("tests/test_closed.py", "tests/test_money_road.py")
BILLS = ("tests/test_worked_bills.py", "tests/test_worked_lines.py", "tests/test_charges.py")
FILES = ("tests/test_strange_bills.py",)
MARKET = ("tests/test_dynamic.py",)

MUTANTS = (
    *among(
        "scoring/turn.py", ("tests/test_rounds.py",),
        ("days-of-a-neighbour", "one block of several partitions",
         'order = np.argsort(positions, kind="stable")', "order = np.arange(len(positions))"),
    ),
    *among(
        "scoring/scoring.py", ("tests/test_rounds.py",),
        ("pools-of-a-neighbour", "one block of several partitions",
         "Knowledge(kinds, share.book.pools, rows[here], degree_days)",
         "Knowledge(kinds, shares.all[0].book.pools, rows[here], degree_days)"),
    ),
    *among(
        "streams/rounds.py", ("tests/test_rounds.py",),
        ("no-turns", "one block of several partitions",
         "lines = [line for line in lines if line not in together] + together",
         "lines = list(lines)"),
    ),
    *among(
        "scoring/customers.py", ("tests/test_customers.py",),
        ("first-name-is-new", "change of tenant", "is_new = before not in (0, now)",
         "is_new = before != now"),
        ("old-load-shape", "change of tenant", '        ledger["hour_load"] = 0\n', ""),
        ("former-morning", "change of tenant",
         '        learned["level_wh"] = -ledger["day_wh"][:, None]\n', ""),
        ("former-row-back", "change of tenant", "(customer != ours)", "(customer == 0)"),
    ),
    *among(
        "scoring/terms.py", ("tests/test_guard_road.py",),
        ("new-tenant-tripped", "change of tenant", " or is_somebody_else or lent_less",
         " or lent_less"),
    ),
    *among(
        "scoring/degree_days.py", ("tests/test_degree_days.py",),
        ("weather-foreseen", "weather of the days to come",
         "last = min(len(air.degrees) - 1, self.until - air.first_day)",
         "last = len(air.degrees) - 1"),
        ("weather-twice", "degree days", "np.where(is_in[:, None, None] & np.isfinite(fresh)",
         "np.where(np.isfinite(fresh)"),
        ("cold-is-heat", "degree days", "HEATED_BELOW - celsius, celsius - COOLED_ABOVE",
         "celsius - COOLED_ABOVE, HEATED_BELOW - celsius"),
        ("believes-at-once", "degree days", "noise * PRIOR + unsure", "noise + unsure"),
    ),
    *among(
        "scoring/weather.py", ("tests/test_decide.py",),
        ("weather-of-tomorrow", "weather", "-ahead <= age <= max_age_seconds",
         "age <= max_age_seconds"),
    ),
    *among(
        "scoring/guards.py", GUARDS,
        ("stale-reading", "guard", "if here.now - here.read_at > limit:", "if False:"),
        ("estimated-share", "estimated share",
         "too_much = here.estimated_wh * MILLION > rules.max_estimated_ppm * here.used_wh",
         "too_much = False"),
        ("newest-estimated", "estimated share",
         "if too_much or here.newest_quality is not Quality.VALID:", "if too_much:"),
        ("payments-behind", "guard", "if not here.feed.caught_up:", "if False:"),
        ("life-support", "guard", "    | Hold.LIFE_SUPPORT\n", ""),
        ("approval", "approvals", "def _by_approval(here: Situation) -> Hold:\n",
         "def _by_approval(here: Situation) -> Hold:\n    return NO_HOLD\n"),
        ("one-try-more", "retry", "here.attempt >= here.rules.max_trip_attempts",
         "here.attempt > here.rules.max_trip_attempts"),
    ),
    *among(
        "scoring/rules.py", RULES,
        ("day-before-holiday", "calendar", "        and works_next\n", ""),
        ("window-end", "calendar",
         "end = datetime.fromtimestamp(at + rules.command_validity_seconds, zone)",
         "end = datetime.fromtimestamp(at, zone)"),
    ),
    *among(
        "scoring/rules.py", SIMULATION,
        ("sim-hours-of-elsewhere", "calendar", "    start = datetime.fromtimestamp(at, zone)\n",
         "    start = datetime.fromtimestamp(at + 9_000, zone)\n"),
    ),
    *among(
        "scoring/situation.py", DECIDED,
        ("trip-id", "ids", "trip:{self.trip_episode}:{self.attempt}",
         "trip:{self.trip_episode}:1"),
    ),
    *among(
        "scoring/decide.py", DECIDED,
        ("restore-rank", "restore rank",
         ("    why = why_unfounded(here) or why_trip_is_void(here)\n    if why:\n"
         "        return restore(here, why)\n    if here.now <"),
         "    why = why_unfounded(here)\n    if here.now <"),
        ("two-alive", "life cycle", ("    if here.now < here.command_expires_at:\n"
         "        return NOTHING\n    is_unheard_of"),
         "    is_unheard_of"),
        ("no-status-read", "life cycle", "    if is_unheard_of and here.switch is Switch.UNKNOWN:",
         "    if False:"),
    ),
    *among(
        "scoring/decide.py", SIMULATION,
        ("sim-stays-dark", "restore", "return restore(here, why) if why else proof_by_metering",
         "return NOTHING if why else proof_by_metering"),
    ),
    *among(
        "scoring/event_turn.py", ("tests/test_scoring.py", *ROAD),
        ("repeated-event", "replay",
         'event.source_offset <= one.ledger["source_offset"][0, source]',
         'event.source_offset < one.ledger["source_offset"][0, source]'),
    ),
    *among(
        "scoring/closed.py", CLOSED,
        ("closed-charge", "closed month",
         '                one["charged_nanos"] += before - after\n', ""),
        ("closed-tiers", "closed month",
         '        one["year_used_before_wh"] += wh\n', "        pass\n"),
        ("closed-doubt", "closed month", '        annex["closed_month"] = 0\n', ""),
    ),
    *among(
        "streams/partition.py", ROAD,
        ("told-before-kept", "order", "for step in reversed(steps) if told_first else steps:",
         "for step in steps if told_first else reversed(steps):"),
        ("no-fence", "order", "if not await self._log.still_owned(self.number):", "if False:"),
    ),
    *among(
        "scoring/guards.py", SIMULATION,
        ("sim-approval", "approvals", "def _by_approval(here: Situation) -> Hold:\n",
         "def _by_approval(here: Situation) -> Hold:\n    return NO_HOLD\n"),
    ),
    *among(
        "scoring/charges.py", BILLS,
        ("no-levies", "bill",
         "before_tax = of_energy + basic + adjusted + standing + levy.sum(axis=0)",
         "before_tax = of_energy + basic + adjusted + standing"),
        ("tiers-begin-anew", "bill",
         "filled = np.clip(after - lower, 0, width) - np.clip(before_wh - lower, 0, width)",
         "filled = np.clip(after - before_wh - lower, 0, width)"),
        ("no-losses", "bill", "used = used_wh + _losses(terms, used_wh, days, facts)",
         "used = used_wh"),
    ),
    *among(
        "scoring/basic_charge.py", BILLS,
        ("over-once", "bill",
         'dearer = drawn + above * (terms["over_factor_ppm"] - PPM) // PPM', "dearer = drawn"),
    ),
    *among(
        "scoring/power_factor.py", BILLS,
        ("factor-cut", "bill", "np.floor(factor + 0.5)", "np.floor(factor)"),
    ),
    *among(
        "deploy/usage_files.py", FILES,
        ("gap-unseen", "bill", "if uneven.any():", "if False:"),
    ),
    *among(
        "simulator/table.py", FILES,
        ("autumn-hour", "bill", "fold=int(second in shown)", "fold=0"),
    ),
    *among(
        "scoring/dynamic.py", MARKET,
        ("no-price-is-free", "market", "missing = asked & (picos == MISSING)",
         "missing = asked & False"),
    ),
    *among(
        "scoring/parts.py", MARKET,
        ("cost-of-no-part", "market",
         '_keep_cost(annex, place, before, annex["earlier_month"] == month)', "pass"),
    ),
    *among(
        "scoring/closed.py", ("tests/test_large_customers.py",),
        ("late-demand", "bill", "_raise_demand(annex, start, end, wh, next(iter(places))[0])",
         "pass"),
    ),
    *among(
        "scoring/plans.py", ("tests/test_plans.py",),
        ("another-dates-reading", "plan", "if by_reading and due_day < read_day:", "if False:"),
        ("month-end-unsaid", "plan", "if not told >> HELD_BIT & 1:", "if True:"),
    ),
    *among(
        "scoring/postings.py", ("tests/test_postings.py",),
        ("paid-twice", "money",
         '(one.ledger["payment_hashes"][0] == wanted).any()', "False"),
    ),
    *among(
        "scoring/postings.py", SIMULATION,
        ("sim-paid-twice", "money",
         '(one.ledger["payment_hashes"][0] == wanted).any()', "False"),
    ),
    *among(
        "streams/partition.py", SIMULATION,
        ("sim-committed-early", "order",
         ("                    await self._settle(as_one(together))\n"
         "                    for entry in together:\n"),
         ("                    for entry in together:\n"
         "                        self.committable.update(entry.next_offset)\n"
         "                    await self._settle(as_one(together))\n"
         "                    for entry in together:\n")),
    ),
    *among(
        "streams/entry.py", ("tests/test_entry.py",),
        ("carried-overtaken", "order", "if carriers and any(", "if not carriers and any("),
        ("refusal-overtaken", "order", "        if refuses and entry.rows:", "        if False:"),
    ),
    *among(
        "streams/chain.py", ROAD,
        ("link-not-kept", "chain", '    row["chain_hash"] = np.frombuffer(digest, "<u8")\n', ""),
        ("other-bytes", "chain", '"sha256": sha256(said.value).hexdigest()',
         '"sha256": sha256(b"").hexdigest()'),
    ),
    *among(
        "streams/command_verifier.py", SIGNED,
        ("expired-command", "expiry", "if expires_at < (self._latest if is_trip else now):",
         "if False:"),
        ("trip-of-a-former-life", "signature",
         "        if is_trip and starts is not None and seconds", "        if False and seconds"),
        ("restore-held-by-a-clock", "expiry", "(self._latest if is_trip else now)",
         "self._latest"),
        ("spelt-otherwise", "signature", "if base64.b64encode(signature) != written:", "if False:"),
        ("forgotten-at-expiry", "expiry", "oldest = self._latest - REMEMBERED_SECONDS",
         "oldest = self._latest"),
        ("clock-set-back", "expiry", "self._latest = max(self._latest, now)",
         "self._latest = now"),
        ("old-key", "signature", "if not key.valid_from <= decided_at <= key.valid_until:",
         "if False:"),
    ),
    *among(
        "scoring/deeds.py", SIMULATION,
        ("sim-command-lives-on", "expiry",
         "    expires_at = here.now + here.rules.command_validity_seconds\n",
         "    expires_at = here.now + here.rules.command_validity_seconds * 4\n"),
    ),
    *among(
        "scoring/situation.py", SIMULATION,
        ("sim-trip-id", "ids", "trip:{self.trip_episode}:{self.attempt}",
         "trip:{self.trip_episode}:1"),
    ),
    *among(
        "streams/signing.py", SIGNED,
        ("key-by-last", "signature", "key = (valid or begun or self._keys[:1])[-1]",
         "key = self._keys[-1]"),
        ("ended-key", "signature", "key = (valid or begun or self._keys[:1])[-1]",
         "key = (begun or self._keys[:1])[-1]"),
    ),
    *among(
        "scoring/procedures.py", ("tests/test_procedures.py", *DECIDED),
        ("notice-lead", "notice", "wait, valid = rules.notice_lead_seconds,",
         "wait, valid = rules.notice_lead_seconds // 3,"),
    ),
    *among(
        "scoring/metered.py", ("tests/test_told.py",),
        ("dead-line-proven", "proof", "is_live = volts >= here.rules.live_from_volts",
         "is_live = volts >= 0"),
    ),
    *among(
        "streams/clerk.py", TICK,
        ("tick-committed-first", "tick commit",
         "self.round.next_offset = entry.next_offset.pop(Source.TICKS)",
         "self.round.next_offset = entry.next_offset[Source.TICKS]"),
        ("tick-never-committed", "tick commit",
         "            entry.next_offset[Source.TICKS] = self.round.next_offset\n",
         "            pass\n"),
    ),
    *among(
        "streams/tick_round.py", TICK,
        ("tick-waiting-last", "tick order", "due[np.lexsort((due, ~waited, ~to_repeat))]",
         "due[np.lexsort((due, ~to_repeat))]"),
        ("tick-restores-last", "tick order", "due[np.lexsort((due, ~waited, ~to_repeat))]",
         "due[np.lexsort((due, ~waited))]"),
    ),
    *among(
        "scoring/weather.py", WEATHER,
        ("silent-feed", "weather", "age <= max_age_seconds", "age < NO_TIME + 2**40"),
        ("heat-one-day-after", "weather", "timedelta(days=aftermath_days + 1)",
         "timedelta(days=aftermath_days)"),
        ("spell-begins-within", "weather", "if spell.from_at <= end", "if spell.from_at <= start"),
        ("area-unknown", "weather", " and (area or not (watched or self.words))", ""),
        ("newer-of-two-words", "weather", "as_of = min((word.as_of", "as_of = max((word.as_of"),
    ),
    *among(
        "streams/weather_desk.py", WEATHER,
        ("unreadable-word", "weather", "word = AreaWord() if isinstance(decoded, Refusal) else",
         "word = self.weather.words.get(area) if isinstance(decoded, Refusal) else"),
        ("feed-clock-ahead", "weather",
         'as_of = min(seconds_of(body.as_of, "asOf"), received_at(record))',
         'as_of = seconds_of(body.as_of, "asOf")'),
    ),
    *among(
        "scoring/guards.py", SIMULATION,
        ("sim-weather", "weather",
         "        | weather_hold(here.rules, here.zone, here.now, here.weather)\n", ""),
    ),
    *among(
        "scoring/interlock.py", INTERLOCK,
        ("feeder-of-all", "interlock",
         "return self.rules.feeder_trips_per_minute if drawn == self.partition else 0",
         "return self.rules.feeder_trips_per_minute"),
        ("one-person-twice", "interlock",
         'person_key(state.first_release_by) not in ("", person_key(person))',
         'state.first_release_by != ""'),
        ("frozen-restores", "interlock",
         "        if self.state.is_frozen:\n            return Hold.INTERLOCK_FROZEN\n", ""),
        ("counted-by-another", "interlock", "        self.has_looked = False\n\n    def _fleet",
         "        pass\n\n    def _fleet"),
    ),
    *OF_SUPPLY,
)  # fmt: skip
