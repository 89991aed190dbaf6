"""Where does the test suite get a PostgreSQL from?

A server of its own from Debian's package, with an empty cluster in a temporary directory, on a free
loopback port, without locale or durability that a test would wait for.  PostgreSQL does not run as
root: then it runs as the user that the package made.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.processes import Child, free_port, is_listening

if TYPE_CHECKING:
    from types import TracebackType

PROGRAMS = Path("/usr/lib/postgresql")
USER = "postgres"
START_SECONDS = 60.0
INIT_SECONDS = 120
STOP_SECONDS = 30.0


class Postgres:
    """A server while the `with` block runs; nothing of it is left afterwards."""

    def __init__(self) -> None:
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="kilowatch-postgres-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            entry = pwd.getpwnam(USER)
            os.chown(self._directory, entry.pw_uid, entry.pw_gid)
            self._as_user = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"]
            self._as_user += ["--pdeathsig", "KILL"]
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The server's first database, as SQLAlchemy and psycopg write it."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """A database of this server."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def _program(self, name: str) -> list[str]:
        newest = max(PROGRAMS.iterdir(), key=lambda each: float(each.name))
        return [*self._as_user, str(newest / "bin" / name), "-D", str(self._directory / "data")]

    def __enter__(self) -> Self:
        done = subprocess.run(
            [*self._program("initdb"), "--username", USER, "--auth", "trust",
             "--encoding", "UTF8", "--no-locale", "--no-sync"],
            capture_output=True, text=True, timeout=INIT_SECONDS, check=False,
            cwd=self._directory,
        )  # fmt: skip
        assert done.returncode == 0, f"no PostgreSQL cluster:\n{done.stdout}{done.stderr}"
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._directory), "-F"]
        self._child = Child.start(
            "postgres", [*self._program("postgres"), *options], self._directory
        )
        self._child.wait_until(lambda: is_listening(self.port), START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None and self._child.is_running:
            self._child.process.send_signal(signal.SIGINT)  # at once; SIGTERM waits for clients
            self._child.stop(STOP_SECONDS)
        shutil.rmtree(self._directory)
