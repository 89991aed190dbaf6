"""Debian's Prometheus as a process of a test: started by a configuration, asked by a query."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from deploy.local import asked
from deploy.processes import Child, free_port

if TYPE_CHECKING:
    from pathlib import Path

WAIT_SECONDS = 90.0


def prometheus(directory: Path, config: dict[str, Any]) -> tuple[Child, str]:
    """The running process and its address."""
    (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    child = Child.start(
        "prometheus",
        ["prometheus", f"--config.file={directory}/prometheus.yaml",
         f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={directory}/tsdb"],
        directory,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    child.wait_until(lambda: asked(f"{address}/-/ready") != "", WAIT_SECONDS)
    return child, address


def job(name: str, port: int) -> dict[str, Any]:
    """What is scraped of one process."""
    return {
        "job_name": f"kilowatch-{name}",
        "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
    }


def values(address: str, query: str) -> list[float]:
    """What a query comes to; raises what Prometheus does not understand."""
    text = asked(f"{address}/api/v1/query?query={quote(query)}")
    assert text, f"Prometheus does not understand {query}"
    return [float(each["value"][1]) for each in json.loads(text)["data"]["result"]]
