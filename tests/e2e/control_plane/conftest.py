"""One API server for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.control_plane.api_server import ApiServer, serving
from tests.unit.k3s.clusters import node


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Started with what the user data of a control plane says."""
    with serving(tmp_path_factory.mktemp("api"), node()) as server:
        yield server
