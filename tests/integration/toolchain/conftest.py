"""A project with the located toolchain; nothing of it may still run when its test ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstack.tools import Tools
from tests.integration.toolchain.engine import Project
from tests.waiting import patient
from toolchain.locate import locate


@pytest.fixture(scope="session")
def tools() -> Tools:
    return locate()


@pytest.fixture
def project(tools: Tools, tmp_path: Path) -> Iterator[Project]:
    project = Project(folder=tmp_path, tools=tools)
    project.prepare()
    yield project
    left = await_none(project)
    for process in project.processes():
        process.kill()
    assert left == []


def await_none(project: Project, seconds: float = 15) -> list[list[str]]:
    """What of the project still runs after at most that time."""
    deadline = time.monotonic() + patient(seconds)
    while (running := [process.info["cmdline"] for process in project.processes()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return running
