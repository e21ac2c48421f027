from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox_hcloud.process import Cloud, running


@pytest.fixture(scope="package")
def one_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One process for all tests of this folder."""
    folder: Path = tmp_path_factory.mktemp("hcloud")
    with running(folder, "--action-seconds", "0.03") as started:
        yield started


@pytest.fixture
def cloud(one_cloud: Cloud) -> Cloud:
    """The same, forgetful: nothing exists, nothing is ordered."""
    one_cloud.control("POST", "reset")
    one_cloud.control("POST", "speed", {"seconds": 0.03})
    one_cloud.control("DELETE", "requests")
    return one_cloud
