"""Temporary folders of the engine's runs: nothing is left of a run that ended, and nothing taken from one that lives."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

from services.cells.engine.scratch import scratch, sweep
from tests.waiting import until


def test_a_run_leaves_nothing_and_finds_its_folder_by_every_name(tmp_path: Path) -> None:
    with scratch(tmp_path / "tmp") as place:
        assert stat.S_IMODE(place.path.stat().st_mode) == 0o700
        assert place.environment() == dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(place.path))
        (place.path / "deep" / "er").mkdir(parents=True)
        (place.path / "deep" / "kubeconfig").write_text("planted")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_worker_left_goes_once_its_engine_is_dead_too(tmp_path: Path) -> None:
    worker = os.fork()
    if worker == 0:
        with scratch(tmp_path / "tmp") as place:
            (place.path / "kubeconfig").write_text("planted")
            engine = subprocess.Popen(["sleep", "60"], pass_fds=[place.holder], start_new_session=True)
            (tmp_path / "engine.draft").write_text(str(engine.pid))
            (tmp_path / "engine.draft").rename(tmp_path / "engine")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    engine_pid = int((tmp_path / "engine").read_text())
    with scratch(tmp_path / "tmp") as living:
        assert sweep(tmp_path / "tmp") == 0, "an engine whose worker is dead still works in there"
        os.kill(engine_pid, signal.SIGKILL)
        until(lambda: sweep(tmp_path / "tmp") == 1, "the dead run's folder is swept", seconds=10, pause=0.01)
        assert list((tmp_path / "tmp").iterdir()) == [living.path]
    assert sweep(tmp_path / "absent") == 0
