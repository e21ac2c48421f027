"""The network wall of process cells as nftables reads it, rendered and read by pure functions.

One table for each platform; its cells are elements of sets, so a packet costs the same whether there are two cells or
two thousand, and a cell comes and goes without a rule being touched.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Element = tuple[str, ...]
"""An element of a set: its parts as nftables prints them."""

PREFIX: Final = "clawstack_cells_"
_LOOPBACK: Final = ("127.0.0.1", "::1")
_SETS: Final = ("cells", "ports", "reach4", "reach6")
_SKELETON: Final = """\
add table inet {table}
add set inet {table} cells {{ typeof meta skuid; }}
add set inet {table} ports {{ typeof meta skuid . tcp sport; }}
add set inet {table} reach4 {{ typeof meta skuid . ip daddr . tcp dport; }}
add set inet {table} reach6 {{ typeof meta skuid . ip6 daddr . tcp dport; }}
add chain inet {table} cell
add chain inet {table} output {{ type filter hook output priority filter; policy accept; }}
flush chain inet {table} cell
flush chain inet {table} output
add rule inet {table} cell meta skuid . ip daddr . tcp dport @reach4 accept
add rule inet {table} cell meta skuid . ip6 daddr . tcp dport @reach6 accept
add rule inet {table} cell meta skuid . tcp sport @ports tcp flags & (syn | ack) != syn accept
add rule inet {table} cell meta l4proto tcp counter reject with tcp reset
add rule inet {table} cell counter reject with icmpx admin-prohibited
add rule inet {table} output meta skuid @cells goto cell
"""
"""Repeating it changes nothing, and mends what somebody changed. Answers from the gateway's own port are known by not
opening a connection rather than by connection tracking: a cell could fill the machine's table of connections."""


@dataclass(frozen=True, kw_only=True)
class WalledCell:
    """What one account may open: connections to these addresses and to its own gateway; nothing while there is none."""

    uid: int
    port: int | None = None
    """Of the cell's gateway, on loopback."""
    reaches: frozenset[tuple[str, int]] = frozenset()
    """Addresses (never names) with TCP ports."""

    def elements(self) -> Mapping[str, frozenset[Element]]:
        """Its elements, by set."""
        uid = str(self.uid)
        own = {(host, self.port) for host in _LOOPBACK} if self.port else set()
        reaches = [(ipaddress.ip_address(host), port) for host, port in (*self.reaches, *own) if port]
        return {
            "cells": frozenset({(uid,)}),
            "ports": frozenset({(uid, str(self.port))} if self.port else ()),
            "reach4": frozenset((uid, str(host), str(port)) for host, port in reaches if host.version == 4),  # noqa: PLR2004 - IPv4
            "reach6": frozenset((uid, str(host), str(port)) for host, port in reaches if host.version == 6),  # noqa: PLR2004 - IPv6
        }


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The elements of the table as it is."""

    elements: Mapping[str, frozenset[Element]]
    whole: bool
    """Whether table, sets and chains are all there, and the chain at the hook leads to the cells' rules."""

    def of(self, uid: int) -> Mapping[str, frozenset[Element]]:
        """Those of one account."""
        return {name: frozenset(e for e in self.elements.get(name, ()) if e[0] == str(uid)) for name in _SETS}

    def uids(self) -> frozenset[int]:
        """Accounts that have any."""
        return frozenset(int(element[0]) for elements in self.elements.values() for element in elements)

    def holds(self, cell: WalledCell) -> bool:
        """Whether this cell is walled in, and reaches what it must."""
        wanted = cell.elements()
        return self.whole and all(wanted[name] <= self.elements.get(name, frozenset()) for name in _SETS)


NOTHING: Final = Seen(elements={}, whole=False)


def table_of(cells: Path) -> str:
    """Name of the table of the platform whose cells lie in this folder: two platforms on a machine have two."""
    return f"{PREFIX}{hashlib.sha256(str(cells).encode()).hexdigest()[:12]}"


def skeleton(table: str) -> str:
    """Table, sets and rules, without a cell."""
    return _SKELETON.format(table=table)


def laid(table: str, cells: Iterable[WalledCell], seen: Seen) -> str:
    """Makes the elements of each of `cells` exactly what they should be; one transaction."""
    script = [skeleton(table)]
    for cell in cells:
        there, wanted = seen.of(cell.uid), cell.elements()
        script += [_change("delete", table, name, there[name] - wanted[name]) for name in _SETS]
        script += [_change("add", table, name, wanted[name]) for name in _SETS]
    return "".join(script)


def removed(table: str, uids: Iterable[int], seen: Seen) -> str:
    """Leaves no element of these accounts; empty when there is none."""
    return "".join(_change("delete", table, name, seen.of(uid)[name]) for uid in uids for name in _SETS)


def read(listing: str, table: str) -> Seen:
    """What `nft -j list table` printed."""
    entries: list[dict[str, Any]] = json.loads(listing)["nftables"]
    sets = {entry["set"]["name"]: entry["set"] for entry in entries if "set" in entry}
    chains = {entry["chain"]["name"]: entry["chain"] for entry in entries if "chain" in entry}
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    by_chain = {name: sum(rule["chain"] == name for rule in rules) for name in chains}
    wanted = {name: skeleton(table).count(f"add rule inet {table} {name} ") for name in ("cell", "output")}
    return Seen(
        elements={name: frozenset(map(_element, sets.get(name, {}).get("elem", ()))) for name in _SETS},
        whole=set(_SETS) <= set(sets) and by_chain == wanted and chains["output"].get("hook") == "output",
    )


def _element(printed: Any) -> Element:
    parts = printed["concat"] if isinstance(printed, dict) else [printed]
    return tuple(str(part) for part in parts)


def _change(verb: str, table: str, name: str, elements: frozenset[Element]) -> str:
    if not elements:
        return ""
    return f"{verb} element inet {table} {name} {{ {', '.join(' . '.join(one) for one in sorted(elements))} }}\n"
