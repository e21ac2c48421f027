"""After a killed `pulumi up`: undo what it made at Hetzner and could not write into its state. Dry run unless `--delete`.

    pulumi cancel --yes
    pulumi stack export | python -m clawstack.cluster.recover CLUSTER --delete
    pulumi refresh --yes --clear-pending-creates
    pulumi up

An engine that is killed between Hetzner's answer and its own checkpoint leaves an object that the next update would make
again: Hetzner refuses the second one, because names and addresses exist once. Such an object is empty (it was made a
moment ago and nothing was told of it), so it is deleted rather than adopted. What the state knows is never touched.

Exit status: 0 nothing to undo (or undone), 1 something is there, 2 wrong arguments or no access.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hcloud
from hcloud.load_balancers import LoadBalancerTarget, LoadBalancerTargetLabelSelector
from hcloud.networks import NetworkRoute, NetworkSubnet

from clawstack.cluster.leftovers import Leftover, find_leftovers, unrecorded
from clawstack.cluster.sweep import Sweeper, client_from, report
from clawstack.errors import InvalidInputError, NeedsAttentionError, TemporaryError
from clawstack.hetzner_refusals import NOT_FOUND

_PREFIX: Final = "hcloud:index/"
#: Pulumi's word for a kind to the client's.
_KINDS: Final = {
    "LoadBalancer": "load_balancers",
    "Server": "servers",
    "Volume": "volumes",
    "FloatingIp": "floating_ips",
    "PrimaryIp": "primary_ips",
    "Snapshot": "images",
    "Firewall": "firewalls",
    "PlacementGroup": "placement_groups",
    "Network": "networks",
    "SshKey": "ssh_keys",
    "Zone": "zones",
    "ManagedCertificate": "certificates",
    "UploadedCertificate": "certificates",
}


@dataclass(frozen=True, kw_only=True)
class StackState:
    """What recovery needs of a stack's exported state."""

    recorded: frozenset[tuple[str, str]]
    """Kind and id of every object that the state knows."""
    record_sets: frozenset[tuple[str, str, str]]
    """Zone, name and type of every record set that the state knows."""
    pending: tuple[tuple[str, Mapping[str, Any]], ...]
    """Type and inputs of every creation that was begun and not written down."""

    def knows(self, kind: str, identity: int | str) -> bool:
        """Whether the state has this object."""
        if kind == "rrsets":
            zone, name, type_ = str(identity).split("/", 2)
            return (zone, name, type_) in self.record_sets
        return (kind, str(identity)) in self.recorded


def read_state(document: Mapping[str, Any]) -> StackState:
    """The state from what `pulumi stack export` prints; raises InvalidInputError for anything else."""
    deployment = document.get("deployment")
    if not isinstance(deployment, dict):
        raise InvalidInputError(
            "This is no exported stack.",
            code="bad_stack_export",
            remedy="Pipe `pulumi stack export` into this command.",
        )
    ours = [each for each in deployment.get("resources") or [] if str(each.get("type", "")).startswith(_PREFIX)]
    by_kind = [(_kind(each["type"]), each) for each in ours if each.get("id")]
    sets = [each["inputs"] for kind, each in by_kind if kind == "ZoneRrset"]
    pending = [
        (_kind(each["resource"]["type"]), each["resource"].get("inputs") or {})
        for each in deployment.get("pending_operations") or []
        if each.get("type") == "creating" and str(each["resource"]["type"]).startswith(_PREFIX)
    ]
    return StackState(
        recorded=frozenset((_KINDS[kind], str(each["id"])) for kind, each in by_kind if kind in _KINDS),
        record_sets=frozenset((str(each["zone"]), str(each.get("name", "@")), str(each["type"])) for each in sets),
        pending=tuple(pending),
    )


def _kind(type_: str) -> str:
    return type_.rsplit(":", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class UnlabelledPart:
    """Something without labels of its own that a pending creation may have made inside another object."""

    what: str
    undo: Callable[[], Any]


def pending_parts(client: hcloud.Client, state: StackState) -> list[UnlabelledPart]:
    """Parts of pending creations that are really there."""
    finders = {
        "NetworkSubnet": _subnet,
        "NetworkRoute": _route,
        "LoadBalancerNetwork": _interface,
        "LoadBalancerService": _service,
        "LoadBalancerTarget": _target,
        "VolumeAttachment": _attachment,
    }
    found = [finders[kind](client, inputs) for kind, inputs in state.pending if kind in finders]
    return [part for part in found if part is not None]


def _by_id(collection: Any, identity: Any) -> Any | None:
    try:
        return collection.get_by_id(int(identity))
    except hcloud.APIException as error:
        if error.code == NOT_FOUND:
            return None
        raise


def _subnet(client: hcloud.Client, inputs: Mapping[str, Any]) -> UnlabelledPart | None:
    network = _by_id(client.networks, inputs["networkId"])
    if network is None or inputs["ipRange"] not in {subnet.ip_range for subnet in network.subnets or []}:
        return None
    gone = NetworkSubnet(ip_range=inputs["ipRange"])
    return UnlabelledPart(what=f"subnet {gone.ip_range} of {network.name}", undo=lambda: network.delete_subnet(gone))


def _route(client: hcloud.Client, inputs: Mapping[str, Any]) -> UnlabelledPart | None:
    network = _by_id(client.networks, inputs["networkId"])
    routes = {(route.destination, route.gateway) for route in network.routes or []} if network else set()
    if network is None or (inputs["destination"], inputs["gateway"]) not in routes:
        return None
    gone = NetworkRoute(destination=inputs["destination"], gateway=inputs["gateway"])
    return UnlabelledPart(what=f"route {gone.destination} of {network.name}", undo=lambda: network.delete_route(gone))


def _interface(client: hcloud.Client, inputs: Mapping[str, Any]) -> UnlabelledPart | None:
    balancer = _by_id(client.load_balancers, inputs["loadBalancerId"])
    # The id of a subnet is `<network>-<range>`.
    network = int(inputs.get("networkId") or str(inputs.get("subnetId", "0")).partition("-")[0])
    joined = [each.network for each in (balancer.private_net or []) if each.network.id == network] if balancer else []
    if balancer is None or not joined:
        return None
    return UnlabelledPart(what=f"interface of {balancer.name}", undo=lambda: balancer.detach_from_network(joined[0]))


def _service(client: hcloud.Client, inputs: Mapping[str, Any]) -> UnlabelledPart | None:
    balancer = _by_id(client.load_balancers, inputs["loadBalancerId"])
    port = int(inputs.get("listenPort") or 0)
    services = [each for each in (balancer.services or []) if each.listen_port == port] if balancer else []
    if balancer is None or not services:
        return None
    return UnlabelledPart(what=f"service {port} of {balancer.name}", undo=lambda: balancer.delete_service(services[0]))


def _target(client: hcloud.Client, inputs: Mapping[str, Any]) -> UnlabelledPart | None:
    balancer = _by_id(client.load_balancers, inputs["loadBalancerId"])
    wanted = inputs.get("labelSelector")
    chosen = [
        each for each in (balancer.targets or []) if each.label_selector and each.label_selector.selector == wanted
    ] if balancer else []  # fmt: skip
    if balancer is None or not chosen:
        return None
    gone = LoadBalancerTarget(
        type="label_selector", label_selector=LoadBalancerTargetLabelSelector(selector=str(wanted))
    )
    return UnlabelledPart(what=f"targets of {balancer.name}", undo=lambda: balancer.remove_target(gone))


def _attachment(client: hcloud.Client, inputs: Mapping[str, Any]) -> UnlabelledPart | None:
    volume = _by_id(client.volumes, inputs["volumeId"])
    if volume is None or volume.server is None:
        return None
    return UnlabelledPart(what=f"attachment of {volume.name}", undo=volume.detach)


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """What an interrupted update left."""

    parts: Sequence[UnlabelledPart]
    objects: Sequence[Leftover]


def find_unrecorded(client: hcloud.Client, cluster: str, state: StackState) -> Undoing:
    """What is at Hetzner and not in the state."""
    objects = unrecorded(find_leftovers(client, cluster), state.knows)
    return Undoing(parts=pending_parts(client, state), objects=objects)


def undo(sweeper: Sweeper, found: Undoing) -> None:
    """Remove it all; safe to repeat."""
    for part in found.parts:
        sweeper.tell(f"removing {part.what}")
        sweeper.call(part.undo)
    sweeper.remove(found.objects, unprotect=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m clawstack.cluster.recover", description="Undo what a killed `pulumi up` could not write down."
    )
    parser.add_argument("cluster", help="name of the cluster, as in clawstack:cluster.name")
    parser.add_argument("--delete", action="store_true", help="undo it; without it nothing is changed")
    args = parser.parse_args(arguments)
    try:
        return _recover(args, client_from(os.environ))
    except json.JSONDecodeError:
        print("Standard input is no JSON; pipe `pulumi stack export` into this command.", file=sys.stderr)  # noqa: T201
    except (InvalidInputError, NeedsAttentionError, TemporaryError) as error:
        print(error.sentence(), file=sys.stderr)  # noqa: T201
    except hcloud.HCloudException as error:
        print(f"Hetzner refused: {error}.", file=sys.stderr)  # noqa: T201
    return 2


def _recover(args: argparse.Namespace, client: hcloud.Client) -> int:
    state = read_state(json.load(sys.stdin))
    found = find_unrecorded(client, args.cluster, state)
    for part in found.parts:
        print(part.what)  # noqa: T201
    report(found.objects, as_json=False)
    if not args.delete:
        return 1 if found.parts or found.objects else 0
    undo(Sweeper(client=client, tell=lambda line: print(line, file=sys.stderr)), found)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
