"""Commands leave nothing behind: not when they end by themselves, not when `serve` is told to end while it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.kit.database.embedded import EmbeddedPostgres
from tests.integration.cli.conftest import Cli
from tests.waiting import patient, until
from toolchain.ground.paths import cache_root

_SECONDS = 30


@pytest.fixture(scope="module")
def alone() -> Iterator[Cli]:
    """A command whose database nobody else holds."""
    folder = Path(tempfile.mkdtemp(prefix="claw-cli-", dir="/tmp"))
    folder.chmod(0o711)
    yield Cli(data=folder / "data", folder=folder)
    EmbeddedPostgres(data_dir=folder / "data", cache_dir=cache_root()).stop()
    shutil.rmtree(folder, ignore_errors=True)


def left_over(cli: Cli) -> list[str]:
    """Living processes that name the data folder."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(cli.data) in word for word in words):
            found.append(" ".join(words))
    return found


def started(cli: Cli) -> subprocess.Popen[str]:
    """`serve` in a session of its own, as a terminal or a service manager starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli", "serve", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cli.folder,
        env=cli.environment,
        start_new_session=True,
    )


def wait_for_its_hold(cli: Cli, process: subprocess.Popen[str]) -> None:
    """Until the process is in the midst of starting the database."""
    lock = cli.data / "locks" / "postgres.lock"

    def held() -> bool:
        assert process.poll() is None
        return lock.exists()

    until(held, f"{lock}", seconds=_SECONDS, pause=0.01)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_told_to_end_while_the_database_starts(alone, sent, code):
    (alone.data / "locks" / "postgres.lock").unlink(missing_ok=True)
    process = started(alone)
    try:
        wait_for_its_hold(alone, process)
        os.kill(process.pid, sent)
        output, _ = process.communicate(timeout=patient(_SECONDS))
    finally:
        process.kill()
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert left_over(alone) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_while_it_serves(alone, sent):
    process = started(alone)
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "Starting worker" in line:
                break
        os.kill(process.pid, sent)
        lines.append(process.communicate(timeout=patient(_SECONDS))[0])
    finally:
        process.kill()
    output = "".join(lines)
    assert process.returncode == 0, output
    assert "Stopped worker" in output
    assert "Traceback" not in output
    assert left_over(alone) == []


def test_a_command_stops_the_database_that_it_started(alone):
    assert "revision" in alone.ok("db", "status")
    assert left_over(alone) == []
