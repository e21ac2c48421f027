"""Workers take whole groups, the longest first, one more whenever they run dry (pytest-xdist's scheduler, made stricter).

What xdist's own `loadgroup` lacks: an order by length; taking the next group only when the last test of the one before
is due (it takes it two tests early, and the two may last minutes); and not running a test again that killed its worker.
"""

from __future__ import annotations

from typing import Final

import pytest
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.plugins import durations
from tests.plugins.groups import COSTLY, group_of, ordered

#: A worker starts a test only when it knows the next one or that there is none, so the last of a group waits.
_WAITING: Final = 1


class GroupScheduling(LoadScopeScheduling):
    """Groups by `tests.plugins.groups`, in the order of the collection."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    @override
    def _reschedule(self, node: WorkerController) -> None:
        if node not in self.registered_collections:
            return  # replaces one that crashed and still collects
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) <= _WAITING:
            if not self.workqueue:
                node.shutdown()
                return
            self._assign_work_unit(node)

    @override
    def remove_node(self, node: WorkerController) -> str | None:
        """The test that a worker crashed with, which is reported and not run again; what it left goes to others."""
        workload = self.assigned_work.pop(node)
        crashed = next((nodeid for unit in workload.values() for nodeid, done in unit.items() if not done), None)
        if crashed is None:
            return None
        workload[group_of(crashed)][crashed] = True
        for name, unit in workload.items():
            if not all(unit.values()):
                self.workqueue[name] = unit
                self.workqueue.move_to_end(name, last=False)
        for other in self.nodes:
            self._reschedule(other)
        return crashed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--as-given", action="store_true", help="workers take groups in the order of the command line")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    """Whatever `--dist` says: no other way keeps apart what the machine has once."""
    config.option.loadscopereorder = False  # xdist would order groups by their number of tests
    return GroupScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers agree on the order because they read the same table; without workers pytest's own order stays."""
    if _is_worker(config) and not config.getoption("--as-given"):
        names = ordered({group_of(item.nodeid) for item in items}, durations.known())
        place = {name: number for number, name in enumerate(names)}
        items.sort(key=lambda item: place[group_of(item.nodeid)])


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A cluster or a world that no further test of this worker uses would cost memory and processor to the end."""
    if nextitem is None or not _is_worker(item.config):
        return
    here = group_of(item.nodeid)
    if here in COSTLY and group_of(nextitem.nodeid) != here:
        item.session._setupstate.teardown_exact(None)  # pytest has no word for ending what lives as long as the session


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
