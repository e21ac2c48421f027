"""House laws that no linter knows."""

from __future__ import annotations

import platform
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_platform_folder_never_shadows_the_standard_library():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version().startswith("3.11")


def test_the_policy_entry_only_assembles():
    source = (ROOT / "policies" / "__main__.py").read_text()
    assert "def " not in source
    assert "POLICIES" in source
