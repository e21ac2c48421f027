"""Runs a program of this folder as a cell's account, confined as everything of that cell is, or as any other account."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tenants.process.accounts import Ids
from tenants.process.run_as import command

_PYTHON = "/usr/bin/python3"
"""The system's: a cell cannot read the one of the tests."""


def as_cell(ids: Ids, root: Path, program: str, *arguments: str) -> dict[str, Any]:
    """What the attack `program` reports, run as the account `ids` in the cell at `root`."""
    return _told(command(ids, root, _PYTHON, "-I", "-c", _source(program), *arguments))


def as_stranger(uid: int, program: str, *arguments: str) -> dict[str, Any]:
    """What it reports, run as an account of this machine that is no cell's."""
    return _told([_PYTHON, "-I", "-c", _source(program), *arguments], user=uid, group=uid, extra_groups=[])


def reach(ids: Ids, root: Path, *attempts: tuple[str, str, int]) -> dict[str, str]:
    """Outcomes of `outward`, by attempt."""
    return as_cell(ids, root, "outward", json.dumps(attempts))


def _told(line: list[str], **how: Any) -> dict[str, Any]:
    result = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60, cwd="/", env={}, **how)
    assert result.returncode == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def _source(program: str) -> str:
    return Path(__file__).with_name(f"{program}.py").read_text(encoding="utf-8")
