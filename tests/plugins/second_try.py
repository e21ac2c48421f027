"""What failed among the tests that touch real processes runs once more when all others are done, alone.

The second run is a pytest of its own, without workers and with fresh session fixtures. A test that passes there is
flaky: it is named before the closing line, and the run is green. One that fails again is shown with both tracebacks.
Unit tests get no second try. A test of which no report came, because its worker died, gets its first one here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final, TextIO

import pytest
from _pytest.terminal import TerminalReporter

from tests.plugins import reports, verdicts
from tests.plugins.groups import touches_real_processes

#: More than this many failures are no flakes: the build is broken, and running them alone would take hours.
AT_MOST: Final = 25
_LAST_WORDS: Final = 3000
_POLL: Final = 0.2

Tries = dict[str, list[pytest.TestReport]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--second-try", action="store_true", help="run failed integration and e2e tests once more, alone, at the end"
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if not hasattr(config, "workerinput") and isinstance(terminal, TerminalReporter):
        config.pluginmanager.register(SecondTry(config, terminal), "clawstack-second-try")


class SecondTry:
    """Lives in the controller, or in the only process of a run without workers."""

    def __init__(self, config: pytest.Config, terminal: TerminalReporter) -> None:
        self._config = config
        self._terminal = terminal
        self._collected: dict[str, None] = {}
        self._ended: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._collected.update(dict.fromkeys(ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when not in {"setup", "call"}:  # "teardown", or xdist's "???" about a test whose worker died
            self._ended.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """After the workers have ended, before the terminal sums up."""
        if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        stats = self._terminal.stats
        lost = [nodeid for nodeid in self._collected if nodeid not in self._ended]
        failed = self._failed_that_may_try_again() if self._config.getoption("--second-try") else []
        tries = self._run(self._in_order({*failed, *lost})) if self._config.getoption("--second-try") else {}
        for nodeid in failed:
            verdicts.add_second(stats, nodeid, tries.get(nodeid, []), self._category)
        for nodeid in lost:
            verdicts.add_first(stats, nodeid, tries.get(nodeid, []), self._category)
        if failed or lost:
            self._terminal._main_color = None  # computed anew from the changed results
            red = verdicts.failed_in(stats)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED if red else pytest.ExitCode.OK

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self) -> Generator[None]:
        """Names of flaky tests are the last thing before the closing line; how they failed stands further above."""
        flaky = self._terminal.stats.get(verdicts.FLAKY, [])
        if flaky:
            self._terminal.write_sep("=", "FLAKY: FAILED FIRST, PASSED ALONE")
        for first in flaky:
            for report in first.all_of_first_try:
                self._terminal.write_sep("_", f"{report.nodeid} ({report.when})", yellow=True)
                self._terminal._outrep_summary(report)
        yield
        if flaky:
            self._terminal.write_line(f"flaky: {len(flaky)}", yellow=True, bold=True)
        for report in flaky:
            self._terminal.write_line(f"  {report.nodeid}", yellow=True)

    def _failed_that_may_try_again(self) -> list[str]:
        failed = [nodeid for nodeid in verdicts.failed_in(self._terminal.stats) if touches_real_processes(nodeid)]
        if len(failed) > AT_MOST:
            self._say(f"no second try: {len(failed)} tests failed, which is more than {AT_MOST}")
            return []
        return failed

    def _in_order(self, nodeids: set[str]) -> list[str]:
        """As they were collected: tests that want no cluster come before those that share one."""
        known = self._collected or dict.fromkeys(verdicts.failed_in(self._terminal.stats))
        return [nodeid for nodeid in known if nodeid in nodeids]

    def _run(self, nodeids: list[str]) -> Tries:
        """Reports of the second run by test; what it printed is shown if it did not get to its end."""
        if not nodeids:
            return {}
        self._say(f"running {len(nodeids)} tests once more, alone:")
        tries: Tries = defaultdict(list)
        with tempfile.TemporaryDirectory() as place:
            wanted, printed, told = Path(place, "tests"), Path(place, "printed"), Path(place, "reports")
            wanted.write_text("".join(f"{nodeid}\n" for nodeid in nodeids))
            told.touch()
            # -n0: PYTEST_ADDOPTS may ask for workers.
            command = [sys.executable, "-m", "pytest", "-n0", f"--reports-to={told}", f"@{wanted}"]
            with printed.open("w") as output, told.open() as lines:
                run = subprocess.Popen(
                    command, cwd=self._config.rootpath, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
                with run:
                    for report in reports.read(self._config, _lines_until(run, lines)):
                        if isinstance(report, pytest.TestReport):
                            tries[report.nodeid].append(report)
                            self._tell(report)
            if run.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
                self._say(f"the second run ended with code {run.returncode}:\n{printed.read_text()[-_LAST_WORDS:]}")
        return tries

    def _tell(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._terminal.write_line(f"  {report.outcome} after {report.duration:.1f} s: {report.nodeid}")

    def _say(self, text: str) -> None:
        self._terminal.write_line("")  # whatever stands there: the terminal does not know where xdist's dots ended
        self._terminal.write_line(text)

    def _category(self, report: pytest.TestReport) -> str:
        word: str = self._config.hook.pytest_report_teststatus(report=report, config=self._config)[0]
        return word


def _lines_until(run: subprocess.Popen[bytes], file: TextIO) -> Iterator[str]:
    """Lines as they are written, until the process has ended. A pipe would be held open by whatever it left behind."""
    part = ""
    while True:
        ended = run.poll() is not None
        while line := file.readline():
            part += line
            if part.endswith("\n"):
                yield part
                part = ""
        if ended:
            return
        time.sleep(_POLL)
