"""Does systemd take our units, and how much could a process of theirs reach?"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy import dashboards

UNITS = sorted((Path(dashboards.__file__).parent / "systemd").iterdir())
MOST_EXPOSED = 20
"""Of 100: systemd calls up to 20 "OK"; a service without any of it has 96."""


def analyzed(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    # the program is not installed here: another one that is stands for it
    there = unit.read_text().replace("/opt/kilowatch/bin/kilowatch", "/bin/true")
    copy = tmp_path / unit.name.replace("@", "@1")
    copy.write_text(there)
    done = analyzed("verify", "--recursive-errors=no", str(copy))
    said = [line for line in done.stderr.splitlines() if copy.name in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_process_of_the_unit_can_reach_little(unit: Path) -> None:
    done = analyzed("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit))
    assert done.returncode == 0, done.stdout[-300:]
