"""Fixtures of the process substrate's integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.tenants.harness import Cell, Place


@pytest.fixture
def place() -> Iterator[Place]:
    """A data directory; everything that runs below it is ended afterwards."""
    made = Place.make()
    yield made
    made.clean()


@pytest.fixture
def new_cell(place: Place) -> Callable[..., Cell]:
    """Makes cells of the place; arguments replace fields of the spec."""

    def make(**changes: Any) -> Cell:
        return Cell(spec=place.spec(**changes))

    return make


@pytest.fixture
def cell(new_cell: Callable[..., Cell]) -> Cell:
    """One cell of the place."""
    return new_cell()
