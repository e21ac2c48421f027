"""What the product declares at Hetzner passes every rule: small and large clusters, and cells with a server."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.mocks import MockResourceArgs
from pulumi_policy import ResourceValidationPolicy, Secret, StackValidationPolicy

from clawstack.naming import CELL_PROJECT
from clawstack_policies.pack import POLICIES
from tenants.server.component import ServerCell
from tests.mock_engine import run_program
from tests.unit.platform_cluster.examples import SECRET, Hetzner, declare, large_cluster, mock_id, raw_cluster
from tests.unit.policies.hetzner_resources import PLATFORM, Declared, judged, stack_judged
from tests.unit.server.builders import cell, make_settings, plan_of

JUDGING = [policy for policy in POLICIES if isinstance(policy, ResourceValidationPolicy)]
JUDGING_STACKS = [policy for policy in POLICIES if isinstance(policy, StackValidationPolicy)]


def marked(value: Any) -> Any:
    """Values as a policy sees them: marks of the mock engine in the words of the policy SDK."""
    if isinstance(value, dict):
        if SECRET in value:
            return Secret(marked(value["value"]))
        return {key: marked(member) for key, member in value.items()}
    return [marked(member) for member in value] if isinstance(value, list) else value


def declared(hetzner: Hetzner) -> list[Declared]:
    return [
        Declared(made.name, made.typ, {**marked(dict(made.inputs)), "id": str(mock_id(made.name))})
        for made in hetzner.made
        if made.typ.startswith("hcloud:index/")
    ]


class TenantsHetzner(Hetzner):
    """The same Hetzner, for cells."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if args.typ == "clawstack:tenants:ServerCell":
            return args.name, dict(args.inputs)
        return super().new_resource(args)


def server_cell(**settings: Any) -> Hetzner:
    hetzner, chosen = TenantsHetzner(), make_settings(**settings)

    def program() -> None:
        spec = cell()
        ServerCell(spec.slug, plan_of(spec, **settings), chosen)

    run_program(program, hetzner, project=CELL_PROJECT, stack="emma")
    return hetzner


@pytest.fixture(scope="module", params=["small", "large", "cell", "cell-in-network"])
def stack(request: pytest.FixtureRequest) -> tuple[list[Declared], str, str]:
    """The resources, the project and the stack's name."""
    match request.param:
        case "small":
            return declared(declare(raw_cluster())[0]), PLATFORM, "dev"
        case "large":
            return declared(declare(large_cluster())[0]), PLATFORM, "prod"
        case "cell":
            return declared(server_cell()), CELL_PROJECT, "emma"
        case _:
            return declared(server_cell(network_id=7)), CELL_PROJECT, "emma"


@pytest.mark.parametrize("policy", JUDGING, ids=lambda policy: policy.name)
def test_every_resource_passes_every_rule(
    stack: tuple[list[Declared], str, str], policy: ResourceValidationPolicy
) -> None:
    resources, project, name = stack
    assert any(each.type_.endswith(":Server") for each in resources)
    for each in resources:
        assert judged(policy, each.type_, each.props, name=each.name, project=project, stack=name) == [], each.name


@pytest.mark.parametrize("policy", JUDGING_STACKS, ids=lambda policy: policy.name)
def test_every_stack_passes_every_rule(stack: tuple[list[Declared], str, str], policy: StackValidationPolicy) -> None:
    resources, project, _ = stack
    assert stack_judged(policy, *resources, project=project) == []
