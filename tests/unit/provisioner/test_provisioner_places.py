"""Where a cell's state is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawstack.settings import Settings
from services.cells.provisioner.cells import backend_url


@pytest.mark.parametrize(
    ("root", "place"),
    [
        (None, "file:///srv/claw/state/emma-1"),
        ("file:///state", "file:///state/emma-1"),
        ("file:///state/", "file:///state/emma-1"),
        ("s3://bucket", "s3://bucket/emma-1"),
        ("s3://bucket/cells/?region=fsn1&endpoint=s3.example.org", "s3://bucket/cells/emma-1?region=fsn1&endpoint=s3.example.org"),
        ("azblob://container?storage_account=x", "azblob://container/emma-1?storage_account=x"),
        ("postgres://u:p@db:5432/claw?sslmode=require", "postgres://u:p@db:5432/claw?sslmode=require"),
    ],
)  # fmt: skip
def test_every_cell_has_a_place_of_its_own(root: str | None, place: str) -> None:
    settings = Settings(data_dir=Path("/srv/claw"), pulumi_backend_url=root)
    assert backend_url(settings, "emma-1") == place
