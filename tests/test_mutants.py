"""Can every mistake that the mutants try still be made, at one place and no other?"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.mistakes import MUTANTS
from tests.mutants import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutants_words_stand_in_the_code_once(mutant):
    assert (ROOT / mutant.file).read_text("utf-8").count(mutant.old) == 1
    assert mutant.new != mutant.old
    assert all((ROOT / each.split("::")[0]).exists() for each in mutant.tests)


def test_no_two_mutants_share_a_name():
    assert {n: c for n, c in Counter(each.name for each in MUTANTS).items() if c > 1} == {}
