"""Who waits for the embedded database to be started or stopped learns for whom, and not for ever."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from clawstack.errors import TemporaryError
from clawstack.locks import locked
from services.kit.database import embedded
from services.kit.database.embedded import EmbeddedPostgres


def test_a_database_that_another_process_changes_is_named_with_that_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_LOCK_SECONDS", 0.0)
    database = EmbeddedPostgres(data_dir=tmp_path, cache_dir=tmp_path)
    with (
        locked(tmp_path / "locks" / "postgres.lock", seconds=0, what="It"),
        pytest.raises(TemporaryError, match=rf"The database of {tmp_path} is being changed by .*PID \d+"),
    ):
        database.start()
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700
    assert not (tmp_path / "postgres.lock").exists(), "the data folder may be entered by every account"
