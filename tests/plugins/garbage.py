"""What tests left unclosed complains in the module that left it, and looking for it costs little."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator

import pytest

_imported = 0
"""Modules that were loaded when the garbage collector was last told to leave alone what there is."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Importing makes no garbage worth looking for, and looking takes a fifth of the collection's time."""
    gc.disable()
    try:
        return (yield)
    finally:
        _leave_imports_alone()
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """No garbage collection while a failure is written up.

    CPython before 3.11.8 cannot parse while it parses (https://github.com/python/cpython/issues/106905): a finalizer
    that complains while pytest parses the failed test's source ended the whole session with a SystemError (seen in CI).
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if collecting:
            gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Now everything is looked at: what tests of several modules shared and left unclosed complains at the end."""
    gc.unfreeze()
    gc.collect()


@pytest.fixture(autouse=True, scope="module")
def _garbage_of_its_own() -> Generator[None, None, None]:
    """What a module left unclosed complains in that module, not in whichever test happens to run later.

    Looking through all classes of the Kubernetes SDK after each module would take longer than most modules: what was
    imported is left alone. What a module made and dropped is garbage at this moment, so it is never among that.
    """
    yield
    gc.collect()
    if len(sys.modules) > _imported:
        _leave_imports_alone()


def _leave_imports_alone() -> None:
    global _imported  # noqa: PLW0603 - the garbage collector is one for the process, too
    gc.freeze()
    _imported = len(sys.modules)
