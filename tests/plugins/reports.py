"""Reports of a pytest run, written as lines of JSON for the run that started it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

Report = pytest.TestReport | pytest.CollectReport


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reports-to", metavar="FILE", help="write every report as a line of JSON into this file or pipe")


def pytest_configure(config: pytest.Config) -> None:
    place = config.getoption("--reports-to")
    if place is not None and not hasattr(config, "workerinput"):
        file = Path(place).open("w")  # noqa: SIM115 - closed when the run is over
        config.add_cleanup(file.close)
        config.pluginmanager.register(Writer(config, file), "clawstack-reports")


class Writer:
    """Every line is whole and flushed: whoever reads sees it while the run goes on, and keeps it if the run dies."""

    def __init__(self, config: pytest.Config, file: TextIO) -> None:
        self._config = config
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report)

    def _write(self, report: Report) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._file.write(json.dumps(data, default=str) + "\n")
        self._file.flush()


def read(config: pytest.Config, lines: Iterable[str]) -> Iterator[Report]:
    """The reports again, as they come."""
    for line in lines:
        data: dict[str, Any] = json.loads(line)
        report: Report | None = config.hook.pytest_report_from_serializable(config=config, data=data)
        if report is not None:
            yield report
