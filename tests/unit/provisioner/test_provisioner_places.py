"""Where a cell's state is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from clawstack.settings import Settings
from services.cells.provisioner.cells import backend_url
from services.tables.tenants import Cell


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
        ("postgresql://u:p@db:5432/claw", "postgres://u:p@db:5432/claw"),
    ],
)  # fmt: skip
def test_every_cell_has_a_place_of_its_own(root: str | None, place: str) -> None:
    settings = Settings(data_dir=Path("/srv/claw"), pulumi_backend_url=SecretStr(root) if root else None)
    assert backend_url(settings, "emma-1").get_secret_value() == place


def test_a_new_password_reaches_the_cells_that_are_there() -> None:
    """Nothing of the URL is in a cell's row: what is asked for at the next operation is the setting of that moment."""
    places = {
        backend_url(Settings(pulumi_backend_url=SecretStr(f"postgres://u:{word}@db/claw")), "emma-1").get_secret_value()
        for word in ("old-one", "new-one")
    }
    assert places == {"postgres://u:old-one@db/claw", "postgres://u:new-one@db/claw"}
    assert not [column.name for column in Cell.__table__.columns if "url" in column.name]
