"""Both registries know the same substrates, and nothing starts with a name that they do not know."""

from __future__ import annotations

from typing import Any

import pytest

from clawstack.errors import InvalidInputError, NeedsAttentionError, PermanentError
from clawstack.plans import load_catalogue
from clawstack.settings import Settings
from services.cells.substrates.registry import LIVE, check_substrates
from services.run.factory import build_platform
from tenants.substrates.registry import DEFAULT, SUBSTRATES, substrate_of

STACKS, LIVING = "tenants/substrates/registry.py", "services/cells/substrates/registry.py"


def check(**settings: Any) -> None:
    check_substrates(Settings(_env_file=None, **settings), load_catalogue())


def test_the_product_is_whole_and_every_object_is_entered_under_its_own_name() -> None:
    check()
    assert list(SUBSTRATES) == list(LIVE)
    assert Settings(_env_file=None).default_substrate == DEFAULT
    for registry in (SUBSTRATES, LIVE):
        assert {name: one.name for name, one in registry.items()} == {name: name for name in registry}


def test_a_substrate_without_a_driver_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUBSTRATES, "shelf", SUBSTRATES["process"])
    with pytest.raises(PermanentError) as stopped:
        build_platform(Settings(_env_file=None), database_url="postgresql://nowhere/none")
    assert stopped.value.code == "half_a_substrate"
    assert f"'shelf' is missing in {LIVING}" in stopped.value.message
    assert STACKS not in stopped.value.message


def test_a_substrate_without_a_builder_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIVE, "shelf", LIVE["process"])
    with pytest.raises(PermanentError) as stopped:
        build_platform(Settings(_env_file=None), database_url="postgresql://nowhere/none")
    assert f"'shelf' is missing in {STACKS}" in stopped.value.message
    assert LIVING not in stopped.value.message


def test_each_half_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LIVE, "server")
    monkeypatch.setitem(LIVE, "shelf", LIVE["process"])
    with pytest.raises(PermanentError) as stopped:
        check()
    assert f"'shelf' is missing in {STACKS}; 'server' is missing in {LIVING}" in stopped.value.message


def test_what_plans_and_settings_name_has_to_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in (SUBSTRATES, LIVE):
        monkeypatch.delitem(registry, "namespace")
    with pytest.raises(NeedsAttentionError) as by_settings:
        check(default_substrate="namespace")
    assert "CLAWSTACK_DEFAULT_SUBSTRATE names the substrate 'namespace'" in by_settings.value.message
    with pytest.raises(NeedsAttentionError) as by_plan:
        check()
    assert "Plan starter names the substrate 'namespace'" in by_plan.value.message
    assert by_plan.value.remedy == "Choose one of: process, server."


def test_a_name_that_is_stored_and_that_nobody_knows_any_more_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Cells cannot run on the substrate 'shelf' here") as refused:
        substrate_of("shelf", Settings(_env_file=None))
    assert refused.value.remedy == "Choose one of: process."
