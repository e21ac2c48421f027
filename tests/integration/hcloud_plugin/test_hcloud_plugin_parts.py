"""What lies inside another object and was made by a run that was killed: refused, undone by recovery, made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hcloud
import pytest

from clawstack.cluster.recover import StackState, pending_parts, read_state
from clawstack.errors import NeedsAttentionError
from tests.integration.hcloud_plugin.calling import Engine, engine
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.integration.hcloud_plugin.test_hcloud_plugin_kinds import LIVES, balancer, network
from tests.integration.hcloud_plugin.test_hcloud_plugin_trouble import refusal
from tests.unit.hcloud_plugin.engine_calls import TYPES

Object = dict[str, Any]
Needs = Callable[[Engine], Object]
REFUSED = ("NetworkSubnet", "NetworkRoute", "LoadBalancerNetwork", "LoadBalancerService", "VolumeAttachment")
TAKEN_OVER = ("ServerNetwork", "LoadBalancerTarget")
"""`server_already_attached` and `target_already_defined` are no errors for the official provider."""


def balancer_in_subnet(plugin: Engine) -> Object:
    return {"loadBalancerId": int(balancer(plugin).id), "subnetId": network(plugin)[1].id}


def parts(*kinds: str) -> list[Any]:
    """Of what lies inside another object and has no name: kind, what it needs, its wish."""
    return [pytest.param(kind, needs, wish, id=kind) for kind, needs, wish, *_ in LIVES if kind in kinds]


def pending(kind: str, wish: Object) -> StackState:
    """The state of a stack whose engine was killed while it made this."""
    creating = {"type": "creating", "resource": {"type": TYPES[kind], "inputs": wish}}
    return read_state({"deployment": {"pending_operations": [creating]}})


@pytest.mark.parametrize(
    ("kind", "needs", "wish"),
    parts(*REFUSED),
)
def test_a_part_that_a_killed_run_left_behind_is_refused_too(
    hetzner: Hetzner, kind: str, needs: Needs, wish: Object
) -> None:
    with engine(hetzner) as killed:
        wish = {**needs(killed), **wish}
        killed.create(kind, wish)
    before = len(hetzner.requests())
    with engine(hetzner) as repeated:
        assert isinstance(refusal(lambda: repeated.create(kind, wish)).error, NeedsAttentionError)
    assert [call for call in hetzner.requests()[before:] if call["method"] != "GET"] == []


@pytest.mark.parametrize(("kind", "needs", "wish"), parts(*TAKEN_OVER))
def test_a_part_that_the_official_provider_takes_over_is_taken_over(
    hetzner: Hetzner, kind: str, needs: Needs, wish: Object
) -> None:
    with engine(hetzner) as killed:
        wish = {**needs(killed), **wish}
        made = killed.create(kind, wish)
    with engine(hetzner) as repeated:
        assert repeated.create(kind, wish).id == made.id


@pytest.mark.parametrize("fault", ["lost_answer", "reset"])
@pytest.mark.parametrize(
    ("kind", "needs", "wish"),
    parts(*REFUSED, *TAKEN_OVER),
)
def test_a_part_whose_answer_got_lost_is_this_calls_own(
    hetzner: Hetzner, plugin: Engine, kind: str, needs: Needs, wish: Object, fault: str
) -> None:
    wish = {**needs(plugin), **wish}
    hetzner.fault(fault, match="POST .*/actions/(add_.*|attach.*)$", times=1)
    made = plugin.create(kind, wish)
    assert plugin.refresh(made) is not None


@pytest.mark.parametrize(
    ("kind", "needs", "wish"),
    [*parts(*REFUSED), pytest.param("LoadBalancerNetwork", balancer_in_subnet, {}, id="LoadBalancerNetwork by subnet")],
)
def test_recovery_undoes_what_is_refused_so_that_it_is_made_once(
    hetzner: Hetzner, kind: str, needs: Needs, wish: Object
) -> None:
    client = hcloud.Client(hetzner.token, api_endpoint=hetzner.endpoint, poll_interval=0.02)
    with engine(hetzner) as killed:
        wish = {**needs(killed), **wish}
        killed.create(kind, wish)
    [part] = pending_parts(client, pending(kind, wish))
    part.undo().wait_until_finished()
    assert pending_parts(client, pending(kind, wish)) == []
    with engine(hetzner) as repeated:
        assert repeated.refresh(repeated.create(kind, wish)) is not None
