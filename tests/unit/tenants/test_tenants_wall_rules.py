"""The wall's rules as text, and who is told where walls are impossible."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.settings import Profile, Settings
from services.cells.substrates.registry import check_walls
from tenants.process import wall
from tenants.process.plan import build_plan
from tenants.process.wall_rules import NOTHING, Seen, WalledCell, laid, read, removed, skeleton, table_of
from tenants.substrates import registry
from tests.unit.tenants.builders import make_spec

TABLE = "t"
CELL = WalledCell(uid=30_001, port=21_001, reaches=frozenset({("127.0.0.1", 8080), ("2001:db8::1", 443)}))
ELEMENTS = {
    "cells": frozenset({("30001",)}),
    "ports": frozenset({("30001", "21001")}),
    "reach4": frozenset({("30001", "127.0.0.1", "8080"), ("30001", "127.0.0.1", "21001")}),
    "reach6": frozenset({("30001", "2001:db8::1", "443"), ("30001", "::1", "21001")}),
}


def _listing(elements: dict[str, list[Any]], *, rules: int = 5, hook: str = "output") -> str:
    entries: list[dict[str, Any]] = [{"set": {"name": name, "elem": found}} for name, found in elements.items()]
    entries += [{"chain": {"name": "cell"}}, {"chain": {"name": "output", "hook": hook}}]
    entries += [{"rule": {"chain": "cell"}}] * rules + [{"rule": {"chain": "output"}}]
    return json.dumps({"nftables": [{"metainfo": {}}, *entries]})


def test_a_cell_may_reach_what_is_named_and_its_own_gateway_on_loopback() -> None:
    assert CELL.elements() == ELEMENTS
    assert WalledCell(uid=30_001).elements() == {**dict.fromkeys(ELEMENTS, frozenset()), "cells": ELEMENTS["cells"]}


def test_laying_takes_away_what_is_too_much_and_leaves_others_alone() -> None:
    there = {**ELEMENTS, "ports": frozenset({("30001", "9"), ("30002", "9")})}
    script = laid(TABLE, [CELL], Seen(elements=there, whole=True))
    assert script.startswith(skeleton(TABLE))
    assert "delete element inet t ports { 30001 . 9 }\n" in script
    assert "add element inet t ports { 30001 . 21001 }\n" in script
    assert "30002" not in script
    assert "delete" not in laid(TABLE, [CELL], NOTHING)


def test_removing_names_one_accounts_elements_only() -> None:
    seen = Seen(elements={"cells": frozenset({("30001",), ("30002",)})}, whole=True)
    assert removed(TABLE, [30_001], seen) == "delete element inet t cells { 30001 }\n"
    assert removed(TABLE, [30_003], seen) == ""


@pytest.mark.parametrize(
    ("changes", "holds"), [({}, True), ({"rules": 0}, False), ({"rules": 4}, False), ({"hook": "input"}, False)]
)
def test_a_table_without_its_rules_holds_nobody(changes: dict[str, Any], holds: bool) -> None:
    elements: dict[str, list[Any]] = {
        "cells": [30_001],
        "ports": [{"concat": [30_001, 21_001]}],
        "reach4": [{"concat": [30_001, "127.0.0.1", port]} for port in (8080, 21_001)],
        "reach6": [{"concat": [30_001, "2001:db8::1", 443]}, {"concat": [30_001, "::1", 21_001]}],
    }
    seen = read(_listing(elements, **changes), TABLE)
    assert seen.elements == ELEMENTS
    assert seen.holds(CELL) is holds
    assert not seen.holds(WalledCell(uid=30_002))
    assert not read(_listing({**elements, "cells": []}), TABLE).holds(CELL)


def test_two_platforms_have_two_tables() -> None:
    assert table_of(Path("/var/lib/a/cells")) != table_of(Path("/var/lib/b/cells"))


def test_a_plan_lets_its_cell_reach_proxy_and_router_and_nothing_else() -> None:
    endpoints = {"llm_base_url": "https://llm.example.com/v1", "telegram_api_root": "http://[::1]:8080/telegram"}
    assert build_plan(make_spec(endpoints=endpoints), today=date(2026, 11, 21)).reaches == (
        "[::1]:8080",
        "llm.example.com:443",
    )


def test_addresses_are_taken_as_they_are_and_only_names_go_into_the_hosts_file() -> None:
    assert wall.addresses(["127.0.0.1:80", "[::1]:81"]) == {
        "127.0.0.1": frozenset({("127.0.0.1", 80)}),
        "[::1]": frozenset({("::1", 81)}),
    }
    assert wall.hosts_file(["127.0.0.1:80", "[::1]:81", "localhost:82"]) == "127.0.0.1 localhost\n::1 localhost\n"


def test_a_name_that_does_not_resolve_lets_no_gateway_start() -> None:
    with pytest.raises(TemporaryError, match="does not resolve"):
        wall.addresses(["no-such-name.invalid:80"])


@pytest.mark.parametrize(
    ("system", "uid", "nft", "why"),
    [
        ("darwin", 0, "/sbin/nft", "not Linux"),
        ("linux", 1000, "/sbin/nft", "not run as root"),
        ("linux", 0, None, "nft is missing"),
    ],
)
def test_where_walls_are_impossible_it_is_said_why(
    monkeypatch: pytest.MonkeyPatch, system: str, uid: int, nft: str | None, why: str
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr("shutil.which", lambda *_, **__: nft)
    assert why in str(wall.shortcoming(Path("/c")))


def test_production_does_not_start_with_cells_that_nothing_holds_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "shortcoming", lambda _: "The program nft is missing.")
    development = Settings()
    check_walls(development)
    (told,) = registry.shortcomings(development)
    assert told.startswith("The program nft is missing. A cell can call every port")
    assert wall.REMEDY in told
    production = development.model_copy(update={"profile": Profile.PRODUCTION})
    with pytest.raises(NeedsAttentionError, match="nft is missing") as refused:
        check_walls(production)
    assert "CLAWSTACK_DEFAULT_SUBSTRATE" in str(refused.value.remedy)
    check_walls(production.model_copy(update={"default_substrate": "namespace"}))
