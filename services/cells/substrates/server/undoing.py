"""What a killed run made at Hetzner and could not write down: found by the cell's label, removed.

The platform stack has `clawstack.cluster.recover` for that; an operator runs it. Here nobody is asked, so what may hold
a cell's memory is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from hcloud import Client

from clawstack.cluster.recover import StackState, pending_parts, read_state

Wait = Callable[[Any], None]


def undo(client: Client, selector: str, deployment: Mapping[str, Any], *, wait: Wait) -> list[str]:
    """Remove it, what uses another thing first; in words what was removed. Safe to repeat."""
    state = read_state({"deployment": dict(deployment)})
    removed = []
    for part in pending_parts(client, state):
        wait(part.undo())
        removed.append(part.what)
    for what, remove in _unrecorded(client, selector, state, wait):
        remove()
        removed.append(what)
    return removed


def _unrecorded(
    client: Client, selector: str, state: StackState, wait: Wait
) -> Iterator[tuple[str, Callable[[], object]]]:
    for server in client.servers.get_all(label_selector=selector):
        if not state.knows("servers", str(server.id)):
            yield f"server {server.name}", partial(_delete, server, wait)
    for firewall in client.firewalls.get_all(label_selector=selector):
        if not state.knows("firewalls", str(firewall.id)):
            yield f"firewall {firewall.name}", firewall.delete
    for zone, rrset in _pending_records(client, selector, state):
        yield f"record {rrset.name}.{zone}", partial(_delete, rrset, wait)
    for volume in client.volumes.get_all(label_selector=selector):
        if (
            not state.knows("volumes", str(volume.id))
            and volume.server is None
            and _begun(state, "Volume", str(volume.name))
        ):
            yield f"volume {volume.name}", partial(_remove_volume, volume, wait)


def _pending_records(client: Client, selector: str, state: StackState) -> Iterator[tuple[str, Any]]:
    for zone in {str(inputs["zone"]) for kind, inputs in state.pending if kind == "ZoneRrset"}:
        for rrset in client.zones.get(zone).get_rrset_all(label_selector=selector):
            if not state.knows("rrsets", f"{zone}/{rrset.name}/{rrset.type}"):
                yield zone, rrset


def _begun(state: StackState, kind: str, name: str) -> bool:
    return any(each == kind and inputs.get("name") == name for each, inputs in state.pending)


def _delete(found: Any, wait: Wait) -> None:
    answer = found.delete()
    wait(getattr(answer, "action", answer))


def _remove_volume(volume: Any, wait: Wait) -> None:
    if volume.protection is None or volume.protection["delete"]:
        wait(volume.change_protection(delete=False))
    volume.delete()
