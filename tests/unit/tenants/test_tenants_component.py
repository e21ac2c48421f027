"""The process cell as Pulumi resources, against a recording engine."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime import mocks as pulumi_mocks
from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.labels import REQUIRED
from clawstack.plugin_server.values import SECRET_SIGNATURE, SIGNATURE_KEY
from clawstack.settings import Settings
from services.cells.substrates.installation import installation_of
from tenants.process.component import ProcessBuilder
from tenants.process_provider.servicer import default_handlers
from tenants.program import cell_program
from tenants.substrates.registry import builder_of
from tests.mock_engine import run_program
from tests.unit.tenants.builders import PLANTED, make_spec


class Recorder(pulumi_mocks.Mocks):
    """Answers like the plugin and keeps what it was asked for."""

    def __init__(self) -> None:
        self.made: dict[str, pulumi_mocks.MockResourceArgs] = {}

    @override
    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.made[args.typ] = args
        computed: dict[str, dict[str, Any]] = {
            "clawstack:process:Account": {"uid": 59_999, "gid": 59_998},
            "clawstack:process:StateDirectory": {"path": "/var/lib/clawstack/cells/x/state"},
            "clawstack:process:Gateway": {"endpoint": "http://127.0.0.1:21001", "pid": 4711},
        }
        return f"{args.name}-id", {**args.inputs, **computed.get(args.typ, {})}

    @override
    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program calls {args.token}, which nobody expects")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def run(recorder: Recorder, **changes: Any) -> list[str]:
    """Run the cell's program to its end; the URNs that it registered."""
    return run_program(
        cell_program(make_spec(**changes), ProcessBuilder()), recorder, project="clawstack-cells", stack="emma"
    )


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE_KEY) == SECRET_SIGNATURE


def test_a_cell_is_account_directory_and_gateway_below_one_component(recorder: Recorder) -> None:
    urns = run(recorder)
    children = [urn for urn in urns if "clawstack:process:" in urn]
    assert len(children) == 3
    assert all("clawstack:tenants:ProcessCell$clawstack:process:" in urn for urn in children)
    assert any("clawstack:tenants:ProcessCell$pulumi:providers:clawstack" in urn for urn in urns)


def test_every_resource_names_its_explicit_provider(recorder: Recorder) -> None:
    run(recorder)
    ours = [args for kind, args in recorder.made.items() if kind.startswith("clawstack:process:")]
    assert len(ours) == 3
    assert all("emma-parent-x7k2mq-provider" in str(args.provider) for args in ours)


def test_inputs_are_exactly_those_that_the_plugin_knows(recorder: Recorder) -> None:
    run(recorder)
    for kind, handler in default_handlers().items():
        assert set(recorder.made[kind].inputs) == handler.inputs, kind


def test_every_resource_carries_the_required_labels(recorder: Recorder) -> None:
    run(recorder)
    for kind, args in recorder.made.items():
        if kind.startswith("clawstack:process:"):
            assert set(REQUIRED) <= set(args.inputs["labels"]), kind


def test_secrets_are_marked_and_appear_nowhere_else(recorder: Recorder) -> None:
    run(recorder, answers={"child_name": "Wilhelmina", "child_birthday": "2025-09-14"})
    gateway = recorder.made["clawstack:process:Gateway"].inputs
    directory = recorder.made["clawstack:process:StateDirectory"].inputs
    assert is_secret(gateway["secretEnvironment"])
    assert is_secret(gateway["workspace"])
    assert is_secret(directory["backupKey"])
    open_ = repr([value for args in (gateway, directory) for value in args.values() if not is_secret(value)])
    assert not [planted for planted in (*PLANTED, "Wilhelmina") if planted in open_]


def test_the_gateway_is_bound_to_loopback(recorder: Recorder) -> None:
    run(recorder)
    assert recorder.made["clawstack:process:Gateway"].inputs["bindHost"] == "127.0.0.1"


def test_without_an_account_none_is_made_and_ids_say_so(recorder: Recorder) -> None:
    run(recorder, account=None)
    assert "clawstack:process:Account" not in recorder.made
    assert recorder.made["clawstack:process:Gateway"].inputs["uid"] == -1


def test_the_ids_of_the_account_reach_directory_and_gateway(recorder: Recorder) -> None:
    run(recorder)
    for kind in ("StateDirectory", "Gateway"):
        inputs = recorder.made[f"clawstack:process:{kind}"].inputs
        assert (inputs["uid"], inputs["gid"]) == (59_999, 59_998)


def test_an_impossible_cell_is_refused_before_the_engine_starts() -> None:
    with pytest.raises(InvalidInputError, match="no bundle"):
        cell_program(make_spec(bundle={"name": "nurse", "version": "1.0"}), ProcessBuilder())
    with pytest.raises(InvalidInputError, match="cannot run on the substrate"):
        builder_of("server", installation_of(Settings(_env_file=None)))
