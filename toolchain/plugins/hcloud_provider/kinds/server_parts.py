"""The parts of a server's life that are more than one call: addresses, networks, power, boot media."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Collection
from typing import Any, Final

from clawstack.errors import ClawstackError, InvalidInputError
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.kinds.network import subnet_of, within
from toolchain.plugins.hcloud_provider.model.resource import Values

_SHUTDOWN_SECONDS: Final = 30.0
_SHUTDOWN_FIRST_PAUSE: Final = 0.25
_SHUTDOWN_LAST_PAUSE: Final = 3.0
_DETACHED: Final = ("not_found", "server_not_attached", "not_attached")


def seen(found: Object, wish: Values) -> dict[str, Any]:
    """The API's server as outputs. What only this resource's own wish makes its business is told only then."""
    public = found.get("public_net") or {}
    location = found.get("location") or (found.get("datacenter") or {}).get("location") or {}
    told: dict[str, Any] = {
        "serverType": (found.get("server_type") or {}).get("name"),
        "image": _image(found, wish),
        "location": location.get("name"),
        "datacenter": (found.get("datacenter") or {}).get("name"),
        "status": found.get("status"),
        "backupWindow": found.get("backup_window") or "",
        "backups": bool(found.get("backup_window")),
        "primaryDiskSize": found.get("primary_disk_size"),
        "placementGroupId": (found.get("placement_group") or {}).get("id") or 0,
        "rebuildProtection": bool((found.get("protection") or {}).get("rebuild")),
        "firewallIds": _firewalls(public, wish),
        **_addresses(public),
    }
    if wish.get("userData"):
        # As the official provider: enough to see that it is another, without a second copy of its secrets.
        told["userData"] = base64.b64encode(hashlib.sha1(wish["userData"].encode()).digest()).decode()  # noqa: S324 - its format
    if wish.get("publicNets"):
        told["publicNets"] = [_public_seen(public)]
    if wish.get("networks"):
        told["networks"] = [_network_seen(net, wish) for net in found.get("private_net") or []]
    return {name: value for name, value in told.items() if value is not None}


def _image(found: Object, wish: Values) -> str | None:
    """Its name where it has one, unless the wish was by number."""
    image = found.get("image")
    if not image:
        return wish.get("image")
    return str(image["id"]) if not image.get("name") or wish.get("image") == str(image["id"]) else str(image["name"])


def _firewalls(public: Object, wish: Values) -> list[int]:
    if wish.get("ignoreRemoteFirewallIds") and wish.get("firewallIds"):
        return list(wish["firewallIds"])
    return sorted(entry["id"] for entry in public.get("firewalls") or [])


def _addresses(public: Object) -> dict[str, str]:
    told = {}
    if public.get("ipv4"):
        told["ipv4Address"] = public["ipv4"]["ip"]
    if public.get("ipv6"):
        network = public["ipv6"]["ip"]
        told |= {"ipv6Network": network, "ipv6Address": network.partition("/")[0] + "1"}
    return told


def _public_seen(public: Object) -> dict[str, Any]:
    ipv4, ipv6 = public.get("ipv4") or {}, public.get("ipv6") or {}
    numbers = {"ipv4": ipv4.get("id") or 0, "ipv6": ipv6.get("id") or 0}
    return {"ipv4Enabled": bool(ipv4), "ipv6Enabled": bool(ipv6), **numbers}


def _network_seen(net: Object, wish: Values) -> dict[str, Any]:
    subnets = [entry["subnetId"] for entry in wish.get("networks") or [] if entry.get("subnetId")]
    own = [text for text in subnets if subnet_of(text)[0] == net["network"] and within(net["ip"], subnet_of(text)[1])]
    told = {"networkId": net["network"], "ip": net["ip"], "aliasIps": net.get("alias_ips") or []}
    return {**told, "macAddress": net.get("mac_address") or "", **({"subnetId": own[0]} if own else {})}


def public_net(wish: Values) -> Object | None:
    """What is sent about public addresses, None where Hetzner shall choose."""
    wished = next(iter(wish.get("publicNets") or []), None)
    if wished is None:
        return None
    body: Object = {}
    for family in ("ipv4", "ipv6"):
        number = wished.get(family) or None
        body[f"enable_{family}"] = bool(wished.get(f"{family}Enabled", True)) or number is not None
        if number is not None:
            body[family] = number
    return body


def hidden(wish: Values) -> bool:
    """Whether it has private addresses only."""
    public = public_net(wish)
    shown = public is None or public["enable_ipv4"] or public["enable_ipv6"]
    return bool(wish.get("networks")) and not shown


def power(session: Session, identity: str, *, on: bool) -> None:
    """Switch on or off; one that is so already is fine."""
    verb = "poweron" if on else "poweroff"
    session.act(f"/servers/{identity}/actions/{verb}", f"switch server {identity} {'on' if on else 'off'}")


def switch_off(session: Session, identity: str) -> None:
    """Off, gently where the system listens: its data should be on the disk."""
    try:
        gently = shut_down(session, identity)
    except ClawstackError as refused:
        session.tell(refused.message)
        gently = False
    if not gently:
        power(session, identity, on=False)


def shut_down(session: Session, identity: str) -> bool:
    """Ask the system to end, and wait a moment for it; whether it did."""
    session.act(f"/servers/{identity}/actions/shutdown", f"shut server {identity} down", fine=["not_found"])
    deadline, pause = time.monotonic() + _SHUTDOWN_SECONDS, _SHUTDOWN_FIRST_PAUSE
    while time.monotonic() < deadline:
        found = session.get(f"/servers/{identity}", "server", f"server {identity}")
        if found is None or found.get("status") == "off":
            return True
        session.api.pause(pause, "for the server to shut down")
        pause = min(pause * 2, _SHUTDOWN_LAST_PAUSE)
    session.tell("it does not shut down")
    return False


def join_networks(session: Session, identity: str, wish: Values, live: Values) -> None:
    """Leave networks that are not wished, join those that are; an address can only be changed by joining again."""
    wished = {_network_id(entry): entry for entry in wish.get("networks") or []}
    present = {net["networkId"]: net for net in live.get("networks") or []}
    for number, net in present.items():
        entry = wished.get(number)
        if entry is None or (entry.get("ip") and entry["ip"] != net["ip"]):
            leave(session, identity, number)
        elif entry.get("aliasIps") is not None and sorted(entry["aliasIps"]) != sorted(net["aliasIps"]):
            set_aliases(session, identity, number, entry["aliasIps"])
    for number, entry in wished.items():
        if number not in present or (entry.get("ip") and entry["ip"] != present[number]["ip"]):
            join(session, identity, entry)


def _network_id(entry: Values) -> int:
    if entry.get("networkId"):
        return int(entry["networkId"])
    return subnet_of(entry["subnetId"])[0]


def join(session: Session, identity: str, entry: Values, *, kind: str = "servers") -> None:
    """Put a server (or load balancer) into a network, by its number or by one of its subnets."""
    body: Object = {"network": _network_id(entry)}
    if entry.get("ip"):
        body["ip"] = entry["ip"]
    elif entry.get("subnetId"):
        body["ip_range"] = subnet_of(entry["subnetId"])[1]
    if entry.get("aliasIps"):
        body["alias_ips"] = list(entry["aliasIps"])
    what = f"put {kind.removesuffix('s').replace('_', ' ')} {identity} into network {body['network']}"
    fine = ["server_already_attached", "load_balancer_already_attached"]
    session.act(f"/{kind}/{identity}/actions/attach_to_network", what, body, fine=fine)


def leave(session: Session, identity: str, network: int | str, *, kind: str = "servers") -> None:
    """Take it out of a network."""
    what = f"take {kind.removesuffix('s').replace('_', ' ')} {identity} out of network {network}"
    session.act(f"/{kind}/{identity}/actions/detach_from_network", what, {"network": int(network)}, fine=_DETACHED)


def set_aliases(session: Session, identity: str, network: int | str, aliases: Collection[str]) -> None:
    """Further addresses of a server in a network."""
    body = {"network": int(network), "alias_ips": list(aliases)}
    session.act(f"/servers/{identity}/actions/change_alias_ips", f"set alias addresses of server {identity}", body)


def join_group(session: Session, identity: str, wish: Values, live: Values) -> None:
    """From one placement group into another; the server must be off."""
    if live.get("placementGroupId"):
        what = f"take server {identity} out of its placement group"
        session.act(f"/servers/{identity}/actions/remove_from_placement_group", what)
    if wish.get("placementGroupId"):
        what = f"put server {identity} into placement group {wish['placementGroupId']}"
        body = {"placement_group": wish["placementGroupId"]}
        session.act(f"/servers/{identity}/actions/add_to_placement_group", what, body)


def change_addresses(session: Session, identity: str, wish: Values) -> None:
    """Public addresses as wished; the server must be off. An address that Hetzner made for it goes with it."""
    found = session.get(f"/servers/{identity}", "server", f"server {identity}") or {}
    public, wanted = found.get("public_net") or {}, public_net(wish) or {"enable_ipv4": True, "enable_ipv6": True}
    for family in ("ipv4", "ipv6"):
        present = (public.get(family) or {}).get("id")
        number = wanted.get(family)
        enabled = wanted[f"enable_{family}"]
        if present and (not enabled or number not in (None, present)):
            _drop_address(session, present)
            present = None
        if enabled and not present:
            _give_address(session, identity, family, number)


def _drop_address(session: Session, number: int) -> None:
    found = session.get(f"/primary_ips/{number}", "primary_ip", f"primary IP {number}") or {}
    session.act(f"/primary_ips/{number}/actions/unassign", f"take primary IP {number} off", fine=["not_found"])
    if found.get("auto_delete"):
        session.delete(f"/primary_ips/{number}", f"primary IP {number}")


def _give_address(session: Session, identity: str, family: str, number: int | None) -> None:
    if number is not None:
        body = {"assignee_id": int(identity), "assignee_type": "server"}
        session.act(f"/primary_ips/{number}/actions/assign", f"give primary IP {number} to server {identity}", body)
        return
    name = f"primary_ip-{identity}-{family}"
    body = {"name": name, "type": family, "assignee_type": "server", "assignee_id": int(identity), "auto_delete": True}
    session.settle(session.create("/primary_ips", body, f"primary IP {name}"))


def boot_media(session: Session, identity: str, wish: Values, changed: Collection[str]) -> None:
    """ISO and rescue system; each takes effect by a reset."""
    base, reset = f"/servers/{identity}/actions", False
    found: Object = {}
    if {"iso", "rescue"} & set(changed):
        found = session.get(f"/servers/{identity}", "server", f"server {identity}") or {}
    if "iso" in changed:
        if found.get("iso"):
            session.act(f"{base}/detach_iso", f"take the ISO out of server {identity}")
            reset = True
        if wish.get("iso"):
            session.act(f"{base}/attach_iso", f"put ISO {wish['iso']} into server {identity}", {"iso": wish["iso"]})
            reset = True
    if "rescue" in changed:
        if found.get("rescue_enabled"):
            session.act(f"{base}/disable_rescue", f"disable the rescue system of server {identity}")
            reset = True
        if wish.get("rescue"):
            body = {"type": wish["rescue"], "ssh_keys": key_numbers(session, wish.get("sshKeys") or [])}
            session.act(f"{base}/enable_rescue", f"enable the rescue system of server {identity}", body)
            reset = True
    if reset:
        session.act(f"{base}/reset", f"reset server {identity}")


def key_numbers(session: Session, wished: Collection[str]) -> list[int]:
    """Ids of SSH keys that are given by id or name."""
    numbers = []
    for text in wished:
        found = next(iter(session.every("/ssh_keys", "ssh_keys", name=text)), None)
        if found is None and not text.isdigit():
            raise _no_key(text)
        numbers.append(int(found["id"] if found else text))
    return numbers


def _no_key(text: str) -> ClawstackError:
    return InvalidInputError(f"There is no SSH key {text!r}.", remedy="Give the name or id of one that exists.")
