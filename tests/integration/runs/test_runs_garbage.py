"""What a module left unclosed complains in that module, also when much was imported and is left alone."""

from __future__ import annotations

import re

from tests.integration.runs.conftest import Run

_LEAVES = """
class Knot:
    def __init__(self):
        self.file = open(__file__)
        self.me = self

def test_leaves():
    import json.tool, wave  # something new, so that what is loaded is left alone anew
    Knot()

def test_innocent(): pass
"""
_SHARES = """
import pytest

class Knot:
    def __init__(self):
        self.file = open(__file__)
        self.me = self

@pytest.fixture(scope="session")
def shared():
    yield [Knot()]

def test_shares(shared): shared_with = shared
"""
_INNOCENT = "def test_calm(): pass\n"


def test_an_unclosed_file_fails_its_own_module(run: Run) -> None:
    done = run("-n", "1", unit__a=_INNOCENT, unit__b=_LEAVES, unit__c=_INNOCENT)
    assert done.returncode == 1
    assert re.findall(r"^ERROR (\S+)", done.stdout, re.MULTILINE) == ["tests/unit/test_b.py::test_innocent"]
    assert "unclosed file" in done.stdout


def test_what_a_session_shared_and_left_unclosed_does_not_go_unseen(run: Run) -> None:
    done = run("-n", "0", unit__a=_SHARES, unit__b=_INNOCENT)
    assert done.returncode != 0
    assert "unclosed file" in done.stdout
