"""The limit of a whole test scales with the waits in it (tests/waiting.py)."""

from __future__ import annotations

import pytest

from tests.waiting import PATIENCE, patient


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A nearer marker goes before the test's own and before the setting in pyproject.toml."""
    if PATIENCE == 1 or not config.pluginmanager.hasplugin("timeout"):
        return
    usual = float(config.getini("timeout") or 0)
    for item in items:
        own = item.get_closest_marker("timeout")
        seconds = float(own.args[0]) if own and own.args else usual
        item.add_marker(pytest.mark.timeout(patient(seconds)), append=False)
