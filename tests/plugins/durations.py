"""How long each group takes: a table in the repository, used for nothing but the order of groups.

`make durations` writes it anew from a run of all tests and prints the table of docs/engineers.md.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.plugins.groups import group_of

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
TABLE: Final = _REPOSITORY / "tests" / "durations.json"


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
        """Groups that did not run keep what is known of them, unless their module is gone."""
        kept = {
            name: value
            for name, value in known(self._table).items()
            if (_REPOSITORY / name).exists() or "/" not in name
        }
        measured = {name: round(value, 1) for name, value in self._seconds.items()}
        self._table.write_text(json.dumps({**kept, **measured}, indent=1, sort_keys=True) + "\n")


def by_folder(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    """Sums for `machine`, `world` and each folder of tests, the longest first."""
    sums: defaultdict[str, float] = defaultdict(float)
    for group, value in seconds.items():
        sums["/".join(group.split("/")[:3]) if group.endswith(".py") else group] += value
    return sorted(sums.items(), key=lambda item: -item[1])


def main() -> None:
    """Print the table of docs/engineers.md: `python -m tests.plugins.durations`."""
    rows = by_folder(known())
    sys.stdout.write("| group or folder | seconds |\n| --- | --- |\n")
    for name, value in rows:
        sys.stdout.write(f"| {name} | {value:.0f} |\n")
    sys.stdout.write(f"| all | {sum(value for _, value in rows):.0f} |\n")


if __name__ == "__main__":
    main()
