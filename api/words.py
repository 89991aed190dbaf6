"""How is each reason said to a person?

One plain sentence per `Hold`, apart from the code that chooses them, so that whoever speaks to
customers can mend the words.  Why a hold stands is decided in `scoring.guards`.
"""

from scoring.effects import Hold

HOLD_WORDS: dict[Hold, str] = {
    Hold.PROTECTED: "the account is protected from disconnection",
    Hold.CRITICAL_CUSTOMER: "a critical customer is never disconnected automatically",
    Hold.LIFE_SUPPORT: "somebody there depends on electricity to live",
    Hold.DISPUTE: "the bill is in dispute",
    Hold.HELD_BY_OPERATOR: "an operator asked to leave the supply on",
    Hold.OUTSIDE_WINDOW: "supply is stopped only in working hours of a day before a working day",
    Hold.CALENDAR_UNREADABLE: "nobody has stated the days off, so no day is known to be right",
    Hold.READING_STALE: "the newest reading is too old to act on",
    Hold.READING_ESTIMATED: "too much of the energy is estimated",
    Hold.PAYMENTS_NOT_CAUGHT_UP: "payments are still being read",
    Hold.PAYMENTS_FEED_SILENT: "the payments system has not been heard from for too long",
    Hold.NOTICE_NOT_DELIVERED: "the notice's delivery is not proven",
    Hold.NOTICE_TOO_RECENT: "the notice was delivered too short a time ago",
    Hold.SWITCH_UNKNOWN: "nobody knows whether the switch is closed",
    Hold.TARIFF_UNKNOWN: "no tariff sheet is in force for the account",
    Hold.QUARANTINED: "the figures cannot be right; a person must look",
    Hold.NOT_PREPAID: "only prepaid accounts are tripped",
    Hold.APPROVAL_MISSING: "people must approve it first",
    Hold.TRIES_USED_UP: "all tries are used up; a crew must go",
    Hold.NOTICE_OVERDUE: "the notice could not be delivered; a person must bring it",
    Hold.WEATHER_MORATORIUM: "nobody is disconnected in this cold or heat",
    Hold.WEATHER_UNKNOWN: "the weather service has not been heard from for too long",
    Hold.BALANCE_UNSETTLED: "the meter, tariff or way of paying has changed lately",
    Hold.EMERGENCY_CREDIT: "emergency credit is left",
    Hold.NO_SAFE_RECONNECTION: "the switch could not be closed again as agreed",
    Hold.OUTCOME_UNKNOWN: "nobody knows yet what became of the last command",
    Hold.NOT_OVERDUE: "no bill is overdue for long enough",
}
