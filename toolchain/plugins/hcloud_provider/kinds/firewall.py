"""Firewalls and what they are applied to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Final

from typing_extensions import override

from clawstack.errors import NotFoundError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session, same_address
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, Resource, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, Plain, labels, many, text, whole

_WITH_PORTS: Final = frozenset({"tcp", "udp"})
_MOST_RULES: Final = 50


def _same_ranges(old: Any, new: Any) -> bool:
    return len(old) == len(new) and all(any(same_address(a, b) for b in new) for a in old)


def _ranges(value: Any) -> str | None:
    return next((f"has {item!r}, which {reason}" for item in value if (reason := words.network_range(item))), None)


RULE: Final = Group(
    fields={
        "direction": text(required=True, values=("in", "out")),
        "protocol": text(required=True, values=("tcp", "udp", "icmp", "esp", "gre")),
        "port": text(complaint=words.ports),
        "sourceIps": many(Plain.TEXT, complaint=_ranges, same=_same_ranges),
        "destinationIps": many(Plain.TEXT, complaint=_ranges, same=_same_ranges),
        "description": text(),
    }
)


class Firewall(NamedObject):
    """A set of rules."""

    type_name = "hcloud:index/firewall:Firewall"
    noun, plural, key = "firewall", "firewalls", "firewall"
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "labels": labels(),
        "rules": many(RULE),
        "applyTos": many(Group(fields={"server": whole(), "labelSelector": text()}), computed=True),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        rules = wish.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            if isinstance(rule, Mapping):
                yield from _rule_complaints(rule, f"rules[{index}]")
        if isinstance(rules, list) and len(rules) > _MOST_RULES:
            yield "rules", f"rules has {len(rules)} entries; Hetzner takes at most {_MOST_RULES} a firewall."

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        applied = [_place(entry.get("server"), entry.get("labelSelector")) for entry in wish.get("applyTos") or []]
        return {"rules": _rules(wish), "apply_to": applied}

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        servers, selectors = applied_to(found)
        applied = [*({"server": server} for server in servers), *({"labelSelector": text} for text in selectors)]
        return {"rules": [_rule_seen(rule) for rule in found.get("rules") or []], "applyTos": applied}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        super().update(session, identity, wish, live, changed)
        if "rules" in changed:
            path = f"{self.path(identity)}/actions/set_rules"
            session.act(path, f"set the rules of {self.label(wish)}", {"rules": _rules(wish)})
        if "applyTos" in changed:
            reapply(session, identity, _places(live.get("applyTos")), _places(wish.get("applyTos")))

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        found = session.get(self.path(identity), self.key, f"firewall {identity}")
        if found is None:
            return
        servers, selectors = applied_to(found)
        places = [*(_place(server, None) for server in servers), *(_place(None, text) for text in selectors)]
        reapply(session, identity, places, [])
        super().delete(session, identity, state)


class FirewallAttachment(Resource):
    """Everything that one firewall is applied to."""

    type_name = "hcloud:index/firewallAttachment:FirewallAttachment"
    noun = "firewall attachment"
    one_at_a_time = True
    fields: ClassVar[Mapping[str, Field]] = {
        "firewallId": whole(required=True, replaces=True),
        "serverIds": many(Plain.WHOLE),
        "labelSelectors": many(Plain.TEXT),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        if wish.get("serverIds") in (None, []) and wish.get("labelSelectors") in (None, []):
            yield "serverIds", "serverIds or labelSelectors must name something to attach the firewall to."

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        identity = str(wish["firewallId"])
        found = session.get(f"/firewalls/{identity}", "firewall", f"firewall {identity}")
        if found is None:
            raise NotFoundError(f"There is no firewall {identity}.", remedy="Give the id of one that exists.")
        servers, selectors = applied_to(found)
        there = [*(_place(server, None) for server in servers), *(_place(None, text) for text in selectors)]
        # What somebody else applied stays until the first update, as with the official provider.
        reapply(session.making(identity), identity, [], [place for place in self._wished(wish) if place not in there])
        return identity

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        found = session.get(f"/firewalls/{identity}", "firewall", f"firewall {identity}")
        servers, selectors = applied_to(found or {})
        if not servers and not selectors:
            return None
        return identity, {"firewallId": int(identity), "serverIds": servers, "labelSelectors": selectors}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        reapply(session, identity, self._wished(live), self._wished(wish))

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        if session.get(f"/firewalls/{identity}", "firewall", f"firewall {identity}") is not None:
            reapply(session, identity, self._wished(state), [])

    @staticmethod
    def _wished(values: Values) -> list[Object]:
        servers = [_place(server, None) for server in values.get("serverIds") or []]
        return [*servers, *(_place(None, selector) for selector in values.get("labelSelectors") or [])]

    @override
    def label(self, wish: Values) -> str:
        return f"attachment of firewall {wish.get('firewallId')}"


def applied_to(firewall: Object) -> tuple[list[int], list[str]]:
    """Servers and label selectors that a firewall is applied to by name, in a fixed order."""
    places = firewall.get("applied_to") or []
    servers = sorted(int(place["server"]["id"]) for place in places if place.get("type") == "server")
    return servers, sorted(
        str(place["label_selector"]["selector"]) for place in places if place.get("type") == "label_selector"
    )


def reapply(session: Session, firewall: str, old: list[Object], new: list[Object]) -> None:
    """Take the firewall from what is only in `old`, put it on what is only in `new`."""
    gone, fresh = [place for place in old if place not in new], [place for place in new if place not in old]
    base = f"/firewalls/{firewall}/actions"
    if fresh:
        what = f"apply firewall {firewall}"
        session.act(f"{base}/apply_to_resources", what, {"apply_to": fresh}, fine=["firewall_already_applied"])
    if gone:
        what = f"take firewall {firewall} off"
        fine = ["firewall_already_removed", "firewall_resource_not_found", "not_found"]
        session.act(f"{base}/remove_from_resources", what, {"remove_from": gone}, fine=fine)


def server_place(server: str | int) -> Object:
    """A server as the API wants it named."""
    return _place(int(server), None)


def _place(server: int | None, selector: str | None) -> Object:
    if server:
        return {"type": "server", "server": {"id": server}}
    return {"type": "label_selector", "label_selector": {"selector": selector}}


def _places(entries: Any) -> list[Object]:
    return [_place(entry.get("server"), entry.get("labelSelector")) for entry in entries or []]


def _rules(wish: Values) -> list[Object]:
    return [
        {
            "direction": rule["direction"],
            "protocol": rule["protocol"],
            **({"port": rule["port"]} if rule.get("port") else {}),
            "source_ips": rule.get("sourceIps") or [],
            "destination_ips": rule.get("destinationIps") or [],
            **({"description": rule["description"]} if rule.get("description") else {}),
        }
        for rule in wish.get("rules") or []
    ]


def _rule_seen(rule: Object) -> dict[str, Any]:
    told = {"direction": rule["direction"], "protocol": rule["protocol"], "port": rule.get("port")}
    ends = {"sourceIps": rule.get("source_ips"), "destinationIps": rule.get("destination_ips")}
    given = {**told, **ends, "description": rule.get("description")}
    return {name: value for name, value in given.items() if value}


def _rule_complaints(rule: Values, path: str) -> Iterator[Reason]:
    direction, protocol, port = rule.get("direction"), rule.get("protocol"), rule.get("port")
    if protocol in _WITH_PORTS and not port:
        yield f"{path}.port", f'{path}.port is required with protocol {protocol!r}; "any" stands for all of them.'
    if protocol not in (*_WITH_PORTS, UNKNOWN, None) and port:
        yield f"{path}.port", f"{path}.port goes only with tcp and udp; leave it out with {protocol!r}."
    end, other = ("sourceIps", "destinationIps") if direction == "in" else ("destinationIps", "sourceIps")
    if direction in {"in", "out"}:
        if not rule.get(end):
            yield f"{path}.{end}", f"{path}.{end} is required with direction {direction!r}."
        if rule.get(other) not in (None, [], UNKNOWN):
            yield f"{path}.{other}", f"{path}.{other} does not go with direction {direction!r}; leave it out."
