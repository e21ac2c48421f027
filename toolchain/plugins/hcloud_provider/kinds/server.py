"""Servers: what they are made with, and what can be changed while they live."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.kinds import server_parts as parts
from toolchain.plugins.hcloud_provider.kinds.firewall import reapply, server_place
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.resource import INTERRUPTED, PASSING, NamedObject, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, Plain, flag, labels, many, text, whole

_ADDRESSES = Group(
    fields={
        "ipv4Enabled": flag(default=True),
        "ipv6Enabled": flag(default=True),
        "ipv4": whole(computed=True),
        "ipv6": whole(computed=True),
    }
)
_NETWORK = Group(
    fields={
        "networkId": whole(computed=True),
        "subnetId": text(),
        "ip": text(computed=True, complaint=words.address),
        "aliasIps": many(Plain.TEXT, computed=True),
        "macAddress": text(computed=True),
    }
)
_NEEDS_OFF = frozenset({"serverType", "placementGroupId", "publicNets"})


def _same_user_data(old: Any, new: Any) -> bool:
    return str(old).strip() == str(new).strip()


class Server(NamedObject):
    """A virtual machine."""

    type_name = "hcloud:index/server:Server"
    noun, plural, key = "server", "servers", "server"
    computed = ("backupWindow", "ipv4Address", "ipv6Address", "ipv6Network", "primaryDiskSize", "status")
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.hostname),
        "serverType": text(required=True, complaint=words.not_empty("a server type such as cx23")),
        "image": text(replaces=True, complaint=words.not_empty("the name or id of an image")),
        "location": text(computed=True, replaces=True),
        "datacenter": text(computed=True, replaces=True),
        "userData": text(replaces=True, readable=False, complaint=words.user_data, same=_same_user_data),
        "sshKeys": many(Plain.TEXT, ordered=True, replaces=True, readable=False),
        "labels": labels(),
        "keepDisk": flag(default=False, readable=False),
        "allowDeprecatedImages": flag(default=False, readable=False),
        "backups": flag(default=False),
        "iso": text(readable=False),
        "rescue": text(readable=False, values=("linux64", "linux32")),
        "publicNets": many(_ADDRESSES, computed=True),
        "networks": many(_NETWORK, computed=True),
        "firewallIds": many(Plain.WHOLE, computed=True),
        "ignoreRemoteFirewallIds": flag(default=False, readable=False),
        "placementGroupId": whole(),
        "deleteProtection": flag(default=False),
        "rebuildProtection": flag(default=False),
        "shutdownBeforeDeletion": flag(default=False, readable=False),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        if not before and wish.get("image") is None:
            yield "image", "image is required to create a server; give its name, such as 'debian-13', or its id."
        delete, rebuild = wish.get("deleteProtection"), wish.get("rebuildProtection")
        if UNKNOWN not in (delete, rebuild) and bool(delete) != bool(rebuild):
            yield "rebuildProtection", "rebuildProtection must be the same as deleteProtection; give both."
        if wish.get("location") not in (None, UNKNOWN) and wish.get("datacenter") not in (None, UNKNOWN) and not before:
            yield "datacenter", "datacenter does not go with location; leave datacenter out, Hetzner has removed it."
        networks = wish.get("networks")
        numbers = (
            [net.get("networkId") for net in networks if isinstance(net, Mapping)] if isinstance(networks, list) else []
        )
        known = [number for number in numbers if isinstance(number, int)]
        if len(known) != len(set(known)):
            yield "networks", "networks names one network twice; a server is in each network once."
        if isinstance(networks, list):
            for index, net in enumerate(networks):
                if isinstance(net, Mapping) and net.get("networkId") is None and net.get("subnetId") is None:
                    yield f"networks[{index}].networkId", f"networks[{index}] needs networkId or subnetId."

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        public = parts.public_net(wish)
        return {
            "server_type": wish["serverType"],
            "image": wish["image"],
            "location": wish.get("location"),
            "datacenter": wish.get("datacenter"),
            "user_data": wish.get("userData") or None,
            "ssh_keys": list(wish.get("sshKeys") or []) or None,
            "firewalls": [{"firewall": number} for number in wish.get("firewallIds") or []] or None,
            "placement_group": wish.get("placementGroupId") or None,
            "public_net": public,
            # Without any public address it must be in its networks before it boots.
            "start_after_create": False if parts.hidden(wish) else None,
        }

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        return parts.seen(found, wish)

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        # Protection first off, last on: a protected server refuses some of what follows.
        protection = {"deleteProtection", "rebuildProtection"} & set(changed)
        if protection and not wish.get("deleteProtection"):
            self.protect(session, identity, wish)
        # A mark goes last: until then this may be broken off, and the next update must know.
        needs_off, marked = bool(_NEEDS_OFF & set(changed)), bool(PASSING & set(live["labels"]))
        late = {"labels"} if needs_off or marked else set()
        super().update(session, identity, wish, live, set(changed) - {"deleteProtection"} - late)
        self._update_network(session, identity, wish, live, changed)
        if needs_off:
            self._update_while_off(session, identity, wish, live, changed)
        elif live["status"] == "off" and (marked or (parts.hidden(wish) and "networks" in changed)):
            parts.power(session, identity, on=True)
        if "backups" in changed:
            verb = "enable" if wish.get("backups") else "disable"
            session.act(f"{self.path(identity)}/actions/{verb}_backup", f"{verb} backups of {self.label(wish)}")
        parts.boot_media(session, identity, wish, changed)
        if protection and wish.get("deleteProtection"):
            self.protect(session, identity, wish)
        if late:
            self._label(session, identity, wish.get("labels") or {}, wish)

    def _label(self, session: Session, identity: str, labels: Mapping[str, str], wish: Values) -> None:
        session.change(self.path(identity), {"labels": dict(labels)}, self.label(wish))

    def _update_network(
        self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]
    ) -> None:
        if "networks" in changed:
            parts.join_networks(session, identity, wish, live)
        if "firewallIds" in changed:
            old, new = set(live.get("firewallIds") or []), set(wish.get("firewallIds") or [])
            for number in sorted(new - old):
                reapply(session, str(number), [], [server_place(identity)])
            for number in sorted(old - new):
                reapply(session, str(number), [server_place(identity)], [])

    def _update_while_off(
        self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]
    ) -> None:
        """One interruption for everything that needs one; on again if it was on, also when this run is killed now.

        A mark at the server remembers that: the next update finds it and switches the server on.
        """
        running = live["status"] in {"running", "starting"}
        on_again = running or bool(PASSING & set(live["labels"]))
        if running:
            self._label(session, identity, {**live["labels"], INTERRUPTED: "true"}, wish)
            parts.switch_off(session, identity)
        try:
            self._update_off(session, identity, wish, live, changed)
        except Exception:
            if on_again and not session.api.stop.is_set():
                parts.power(session, identity, on=True)
                self._label(session, identity, live["labels"], wish)
            raise
        if on_again:
            parts.power(session, identity, on=True)

    def _update_off(
        self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]
    ) -> None:
        if "serverType" in changed:
            body = {"server_type": wish["serverType"], "upgrade_disk": not wish.get("keepDisk")}
            what = f"change {self.label(wish)} to {wish['serverType']}"
            session.act(f"{self.path(identity)}/actions/change_type", what, body)
        if "placementGroupId" in changed:
            parts.join_group(session, identity, wish, live)
        if "publicNets" in changed:
            parts.change_addresses(session, identity, wish)

    @override
    def protect(self, session: Session, identity: str, wish: Values) -> None:
        """Protect it from deletion and rebuilding, which Hetzner wants alike, or no longer."""
        both = bool(wish.get("deleteProtection"))
        body = {"delete": both, "rebuild": bool(wish.get("rebuildProtection", both))}
        session.act(f"{self.path(identity)}/actions/change_protection", f"protect {self.label(wish)}", body)

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        if state.get("shutdownBeforeDeletion"):
            parts.shut_down(session, identity)
        super().delete(session, identity, state)
