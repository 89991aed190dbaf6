"""How is an amount of money written out in words, so that nobody can add a figure to it?

Chinese financial capitals (人民币大写) as notices and receipts want them: 壹佰元整, 零 where places
are skipped, 角 and 分 at the end.  Amounts for people are rounded to the cent as everywhere
(`scoring.units.money_text`).
"""

from __future__ import annotations

from scoring.units import CENT_NANOS

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")


def amount_in_capitals(amount_nanos: int) -> str:
    """The amount in Chinese financial capitals, to the cent, half away from zero.

    >>> from scoring.units import nanos
    >>> amount_in_capitals(nanos("10304.50"))
    '人民币壹万零叁佰零肆元伍角整'
    >>> amount_in_capitals(nanos("0.07"))
    '人民币柒分'
    """
    cents = (abs(amount_nanos) + CENT_NANOS // 2) // CENT_NANOS
    whole, part = divmod(cents, 100)
    tenths, hundredths = divmod(part, 10)
    words = f"{_whole(whole)}元" if whole or not part else ""
    if tenths:
        words += f"{DIGITS[tenths]}角"
    elif hundredths and whole:
        words += "零"
    words += f"{DIGITS[hundredths]}分" if hundredths else "整"
    sign = "负" if amount_nanos < 0 and cents else ""
    return f"人民币{sign}{words}"


def _whole(number: int) -> str:
    """A whole number by groups of four places; skipped places are one 零 together."""
    if not number:
        return DIGITS[0]
    words, skipped = "", False
    for position in range(len(GROUPS) - 1, -1, -1):
        group = number // 10_000**position % 10_000
        if not group:
            skipped = bool(words)
            continue
        if words and (skipped or group < 1_000):
            words += DIGITS[0]
        words += _group(group) + GROUPS[position]
        skipped = False
    return words


def _group(group: int) -> str:
    words, skipped = "", False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if not digit:
            skipped = bool(words)
            continue
        words += (DIGITS[0] if skipped else "") + DIGITS[digit] + PLACES[place]
        skipped = False
    return words
