"""Do the workers read what `kilowatch tariffs publish` wrote, and is a published sheet kept?"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.broker import EmbeddedBroker
from deploy.cli import main
from deploy.sheet_files import read_files, sheet_files, shipped
from simulator.link import Reader
from streams.settings import settings_from
from streams.tariff_desk import TariffDesk
from streams.topics import TARIFFS, ensure_topics

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.broker


def desk_of(bootstrap: str) -> TariffDesk:
    desk, reader = TariffDesk(), Reader(bootstrap, [TARIFFS])
    assert desk.take(list(reader.read_to_end())) == []
    reader.close()
    return desk


def test_sheets_are_published_once_and_replaced_only_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sheets = tmp_path / "sheets"
    shutil.copytree(shipped(), sheets)
    (tmp_path / "broker").mkdir()
    with EmbeddedBroker(tmp_path / "broker") as broker:
        monkeypatch.setenv("KILOWATCH_BOOTSTRAP", broker.bootstrap)
        asyncio.run(ensure_topics(settings_from()))

        assert main(["tariffs", "publish", str(sheets)]) == 0
        assert "8 new, 0 replaced, 0 as before" in capsys.readouterr().out
        in_files = [one.sheet for one in read_files(sheet_files(sheets))[0]]
        assert sorted(desk_of(broker.bootstrap).tariffs.ids) == sorted(
            s.tariff_id for s in in_files
        )
        assert set(desk_of(broker.bootstrap).tariffs.sheets) == set(in_files)

        assert main(["tariffs", "publish", str(sheets)]) == 0
        assert "0 new, 0 replaced, 8 as before" in capsys.readouterr().out

        dearer = sheets / "gb-svt-gas@2024-07-01.yaml"
        dearer.write_text(dearer.read_text("utf-8").replace("0.0548", "0.0600"), "utf-8")
        assert main(["tariffs", "publish", str(sheets)]) == 1
        assert f"{dearer}:3: was published with other terms" in capsys.readouterr().err
        assert set(desk_of(broker.bootstrap).tariffs.sheets) == set(in_files)

        assert main(["tariffs", "publish", str(sheets), "--replace"]) == 0
        assert "0 new, 1 replaced, 7 as before" in capsys.readouterr().out
        prices = {
            s.tariff_id: s.price_picos_per_kwh for s in desk_of(broker.bootstrap).tariffs.sheets
        }
        assert prices["gb-svt-gas-2024q3"] == (60_000_000_000,)

        dearer.write_text(dearer.read_text("utf-8").replace("0.0600", "gratis"), "utf-8")
        assert main(["tariffs", "publish", str(sheets)]) == 1
        assert "nothing published" in capsys.readouterr().err
