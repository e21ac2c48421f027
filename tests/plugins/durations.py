"""How long each group takes: a table in the repository, used for nothing but the order of groups.

`make durations` writes it anew from a run of all tests.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from tests.plugins.groups import group_of

TABLE: Final = Path(__file__).resolve().parents[1] / "durations.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-durations",
        action="store_true",
        help="write the seconds that each group took into tests/durations.json",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Writer(), "clawstack-durations")


def known(table: Path = TABLE) -> dict[str, float]:
    """Seconds of each group as far as somebody measured them."""
    return json.loads(table.read_text()) if table.exists() else {}


class Writer:
    """Adds up what the reports say."""

    def __init__(self, table: Path = TABLE) -> None:
        self._table = table
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[group_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Groups that did not run keep what is known of them."""
        measured = {name: round(value, 1) for name, value in self._seconds.items()}
        self._table.write_text(json.dumps({**known(self._table), **measured}, indent=1, sort_keys=True) + "\n")
