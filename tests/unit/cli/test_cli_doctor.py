"""`clawstack doctor` asks for the plugins of the substrates in use; the demo finds the tools that it named."""

from __future__ import annotations

import pytest

from services.cli import doctor
from services.cli.demonstration.world import clean_environment


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("CLAWSTACK_DEFAULT_SUBSTRATE", "CLAWSTACK_KUBECONFIG", "CLAWSTACK_SERVERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({}, ()),
        ({"CLAWSTACK_DEFAULT_SUBSTRATE": "namespace"}, ("kubernetes",)),
        ({"CLAWSTACK_DEFAULT_SUBSTRATE": "server"}, ("hcloud",)),
        ({"CLAWSTACK_KUBECONFIG": "/somewhere"}, ("kubernetes",)),
        ({"CLAWSTACK_PORT": "many"}, ()),
    ],
    ids=["process", "namespace", "server", "configured beside the default", "settings that cannot be read"],
)
def test_the_plugins_of_the_substrates_in_use_are_needed(monkeypatch, settings, needed):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert doctor._needed() == needed


def test_the_demo_looks_for_tools_where_this_process_does(monkeypatch):
    for name in ("PULUMI_HOME", "CLAWSTACK_CACHE_DIR", "PULUMI_CONFIG_PASSPHRASE", "CLAWSTACK_PORT"):
        monkeypatch.setenv(name, "planted")
    found = {name for name in clean_environment() if name.startswith(("CLAWSTACK_", "PULUMI_"))}
    assert found == {"PULUMI_HOME", "CLAWSTACK_CACHE_DIR"}
