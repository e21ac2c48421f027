"""What two tries say together. Pure: reports in, the terminal's table of results out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pytest

FLAKY: Final = "flaky"
#: The terminal's words for what makes a run red.
BAD: Final = ("failed", "error")
_RESULTS: Final = ("passed", "skipped", "xfailed", "xpassed", *BAD)

Stats = dict[str, list[Any]]
Category = Callable[[pytest.TestReport], str]


def failed_in(stats: Mapping[str, list[Any]]) -> list[str]:
    """Names of tests that failed, each once; also those whose fixtures did."""
    return list(dict.fromkeys(report.nodeid for word in BAD for report in stats.get(word, ())))


def add_second(stats: Stats, nodeid: str, second: Iterable[pytest.TestReport], category: Category) -> None:
    """Put the second try of a failed test beside its first one, so that the test counts once.

    It is flaky if it passed now. Else it failed, also when no report came or it was skipped: nothing shows that it can
    pass.
    """
    first = [report for word in BAD for report in stats.get(word, ()) if report.nodeid == nodeid]
    reports = list(second)
    _forget(stats, nodeid)
    bad = [report for report in reports if category(report) in BAD]
    if not bad and any(report.when == "call" and report.passed for report in reports):
        first[0].all_of_first_try = first
        stats.setdefault(FLAKY, []).append(first[0])
        return
    for report in bad:
        report.sections[:0] = [(f"first try, {each.when}", each.longreprtext) for each in first]
    for report in bad or first:
        stats.setdefault(category(report), []).append(report)


def add_first(stats: Stats, nodeid: str, reports: Iterable[pytest.TestReport], category: Category) -> None:
    """Results of a test that had none, because its worker died before its turn."""
    came = list(reports)
    for report in came or [_lost(nodeid)]:
        stats.setdefault(category(report), []).append(report)


def _forget(stats: Stats, nodeid: str) -> None:
    for word in _RESULTS:
        if word in stats:
            stats[word] = [report for report in stats[word] if report.nodeid != nodeid]
            if not stats[word]:
                del stats[word]


def _lost(nodeid: str) -> pytest.TestReport:
    file = nodeid.split("::", 1)[0]
    return pytest.TestReport(
        nodeid=nodeid,
        location=(file, None, nodeid.partition("::")[2]),
        keywords={},
        outcome="failed",
        longrepr="No result came: the process that was to run it ended before.",
        when="call",
    )
