"""How is another program started so that none is left behind?

The demo, the bench and the broker tests all run workers and brokers as processes of their own;
this is the one place that starts and ends them.  A child gets a process group of its own, so that
Ctrl-C reaches the parent alone and the parent ends its children in the right order.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

STOP_SECONDS = 10.0
"""A child that was asked to end and has not after this long is killed: longer than a worker needs
to finish its batch and commit."""

POLL_SECONDS = 0.02
LOG_LINES_SHOWN = 15


class ProcessFailed(RuntimeError):  # noqa: N818 - read as a sentence
    """A child ended or did not become ready; the message carries the end of its log."""


@dataclass(slots=True)
class Child:
    """One running program, its name for people and the file that holds what it printed."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start `command`; what it prints goes to `directory/name.log`.

        On Linux the child is killed when its parent dies, however that happens (`setpriv`).
        """
        guard = shutil.which("setpriv")
        if guard is not None:
            command = [guard, "--pdeathsig", "KILL", *command]
        log_path = directory / f"{name}.log"
        with log_path.open("ab") as log_file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                env=None if environment is None else {**os.environ, **environment},
                process_group=0,
            )
        return cls(name, process, log_path)

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self.process.poll() is None

    def log_end(self) -> str:
        """The last lines it printed."""
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    def check(self) -> None:
        """ProcessFailed if the program has ended."""
        if not self.is_running:
            code = self.process.returncode
            raise ProcessFailed(f"{self.name} ended with code {code}:\n{self.log_end()}")

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Return once ready; ProcessFailed if the program ends before or takes longer."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"{self.name} was not ready after {seconds:g} s:\n{self.log_end()}"
                )
            time.sleep(POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        if self.is_running:
            self.process.terminate()

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End the program, by force if it does not listen; its exit code."""
        self.ask_to_stop()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the program and all it started at once, as a power cut would; its exit code."""
        if self.is_running:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


def stop_all(children: Sequence[Child]) -> None:
    """End these programs together, last started first."""
    for child in reversed(children):
        child.ask_to_stop()
    for child in reversed(children):
        child.stop()


def free_port() -> int:
    """A TCP port of this machine's loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as caller:
        caller.settimeout(1.0)
        return caller.connect_ex(("127.0.0.1", port)) == 0
