"""Fixtures of the provisioner's integration tests."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.cells.context import CellPlatform
from tests.integration.provisioner.rig import Probe, Rig, Seen


@pytest.fixture
def probe(data_dir: Path) -> Probe:
    return Probe(data_dir / "probe")


@pytest.fixture
def rig(platform: CellPlatform, probe: Probe, data_dir: Path) -> Rig:
    """A provisioner that runs the real engine on probe cells; short terms, so that tests need not wait."""
    settings = platform.settings.model_copy(
        update={
            "lease_ttl": timedelta(seconds=3),
            "operation_grace": timedelta(seconds=2),
            "operation_timeout": timedelta(seconds=60),
            "policy_pack": data_dir / "no-policies",
        }
    )
    object.__setattr__(platform, "settings", settings)
    return Rig(platform=platform, probe=probe, seen=Seen())
