"""The provisioning bench runs to its end with two cells, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench import provision
from bench._kwok import VOLUMES
from tests.waiting import patient
from toolchain.cluster.pins import KUBERNETES_BUILD, KWOK_BUILD
from toolchain.ground.surroundings import Surroundings

_SECONDS = 280


@pytest.mark.long
def test_two_cells_are_paid_for_changed_destroyed_and_compared(tmp_path: Path) -> None:
    around = Surroundings.read()
    for build in (KUBERNETES_BUILD, KWOK_BUILD):
        if not build.folder(around).is_dir():
            pytest.skip(f"{build.name} is not built: python -m toolchain setup cluster kwok")
    volumes = set(VOLUMES.glob("*"))
    sizes = {"BENCH_CHECKOUTS": "2", "BENCH_CELLS": "2", "BENCH_SAMPLE": "1", "BENCH_DEADLINE": "120"}
    done = subprocess.run(
        [sys.executable, provision.__file__],
        env={**os.environ, **sizes, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=patient(_SECONDS),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    first = {row[0].removeprefix("| "): row for row in reversed(rows)}
    for operation in ("paid checkouts at once", "update", "destroy"):
        assert float(first[operation][5]) > 0.2, "the engine's CPU-seconds"
        assert float(first[operation][10]) > 0.0, "kubectl's"
    by_part = [row for row in rows if len(row) == 10 and row[0] == "| update"]
    assert float(by_part[0][5]) > 0.05, "the policy pack judged"
    assert "What did not go well" not in done.stdout
    left = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"]) if _is_ours(each.info["cmdline"])]
    assert not left
    assert set(VOLUMES.glob("*")) <= volumes


def _is_ours(command: list[str] | None) -> bool:
    return any("claw-bench-cluster-" in word for word in command or ())
