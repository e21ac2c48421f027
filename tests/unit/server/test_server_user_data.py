"""User data, bundle, units and wall: golden files, and what must never be in them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from tenants.server.bundle import build_bundle
from tenants.server.files import environment_file
from tenants.server.user_data import LIMIT_BYTES, agent_source, boot_template, user_data
from tenants.server.wall import wall
from tenants.spec import CellSpec
from tests.unit.server.builders import (
    BOOT_TOKEN,
    PLANTED_API_TOKEN,
    PLANTED_DISK_KEY,
    TODAY,
    cell,
    make_settings,
)
from tests.unit.tenants.builders import PLANTED

GOLDEN = Path(__file__).parent / "golden"
AGENT = "/usr/local/lib/clawstack/agent.mjs"


def golden(name: str, text: str) -> None:
    """Compare with the file; CLAWSTACK_GOLDEN=write writes it, to be read before it is committed."""
    if os.environ.get("CLAWSTACK_GOLDEN") == "write":
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def document(spec: CellSpec | None = None, **settings: Any) -> dict[str, Any]:
    text = user_data(spec or cell(), make_settings(**settings), token=BOOT_TOKEN)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def files(loaded: Mapping[str, Any]) -> dict[str, str]:
    """Every file of the user data as it will be on the machine."""
    found = {}
    for file in loaded["write_files"]:
        content = file["content"]
        packed = file.get("encoding") == "gz+b64"
        found[file["path"]] = gzip.decompress(base64.b64decode(content)).decode() if packed else content
    return found


def bundle(spec: CellSpec | None = None, **settings: Any) -> dict[str, Any]:
    key = SecretStr(PLANTED_DISK_KEY)
    return build_bundle(spec or cell(), make_settings(**settings), disk_key=key, today=TODAY)


def text_of(path: str, **settings: Any) -> str:
    [text] = [file["text"] for file in bundle(**settings)["files"] if file["path"].endswith(path)]
    return str(text)


def test_the_user_data_is_what_was_read_and_approved() -> None:
    text = user_data(cell(), make_settings(), token=BOOT_TOKEN)
    assert text.startswith("#cloud-config\n")
    golden("user_data.yaml", re.sub(r"(content: )[A-Za-z0-9+/=]{200,}", r"\1PACKED", text))


def test_no_secret_of_the_cell_is_in_the_user_data_packed_or_not() -> None:
    loaded = document()
    everything = json.dumps(loaded) + "".join(files(loaded).values())
    for secret in (*PLANTED, PLANTED_API_TOKEN, PLANTED_DISK_KEY, "Emma", "2025-09-14"):
        assert secret not in everything
    holders = [path for path, content in files(loaded).items() if BOOT_TOKEN in content]
    assert holders == ["/etc/clawstack/boot-token"], "the boot token is in its own file and nowhere else"
    [file] = [file for file in loaded["write_files"] if file["path"] == holders[0]]
    assert file["permissions"] == "0600"


def test_the_user_data_fits_with_half_to_spare() -> None:
    assert len(user_data(cell(slug="a" * 40), make_settings(), token=BOOT_TOKEN).encode()) < LIMIT_BYTES * 0.6


def test_agent_and_bootstrap_arrive_unchanged() -> None:
    found = files(document())
    assert found[AGENT] == agent_source("agent.mjs")
    assert found["/usr/local/lib/clawstack/bootstrap.sh"] == agent_source("bootstrap.sh")


def test_ssh_is_off_unless_keys_are_given() -> None:
    closed, opened = document(), document(ssh_keys=["ops"])
    assert (closed["disable_root"], closed["ssh_pwauth"]) == (True, False)
    assert "SSH=off\n" in files(closed)["/etc/clawstack/pins"]
    assert opened["disable_root"] is False
    assert "SSH=on\n" in files(opened)["/etc/clawstack/pins"]


def test_the_pins_are_those_of_the_processor() -> None:
    pins = files(document(cell("arm")))["/etc/clawstack/pins"]
    assert f"NODE_SHA256={'cd' * 32}\n" in pins
    assert "node-v26.10.0-linux-arm64.tar.xz" in pins


def test_only_what_a_machine_is_born_with_makes_another_machine() -> None:
    template = boot_template(cell(), make_settings())
    assert template == boot_template(cell(boot={"token": BOOT_TOKEN[:-1] + "y"}), make_settings())
    assert template == boot_template(cell(restart_nonce="x", answers={}), make_settings(ready_seconds=60))
    assert template == boot_template(cell(), make_settings(server_types={"business": "cx43"})), "a resize in place"
    assert template != boot_template(cell(), make_settings(server_types={"business": "cax21"}))
    assert template != boot_template(cell(), make_settings(location="hel1"))
    assert template != boot_template(cell(), make_settings(openclaw={"version": "2026.9.7", "lock_sha256": "0" * 64}))


def test_the_bundle_is_what_was_read_and_approved() -> None:
    golden("bundle.json", json.dumps(bundle(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def test_tokens_are_in_the_environment_and_nowhere_else_of_the_files() -> None:
    made = bundle()
    holders = {file["path"] for file in made["files"] for secret in PLANTED[:3] if secret in file["text"]}
    assert holders == {"/run/clawstack/gateway.env"}
    assert PLANTED_DISK_KEY not in json.dumps(made["files"])
    modes = {file["path"]: file["mode"] for file in made["files"]}
    assert modes["/run/clawstack/gateway.env"] == "0600"
    assert set(PLANTED[:3]) == set(made["secrets"]), "the agent knows what to strike out"


@pytest.mark.parametrize(
    ("changes", "restarted"),
    [
        ({"models": {"primary": "gpt-5-nano", "allowed": ["gpt-5-nano"]}}, False),
        ({"restart_nonce": "again"}, True),
        ({"answers": {"child_name": "Ella"}}, True),
        ({"resources": {"memory_mb": 2048, "cpu": 1.0, "disk_mb": 2048, "max_processes": 99, "max_open_files": 4096}}, True),
        ({"secrets": {"proxy_token": "p" * 20, "channel_token": "c" * 20, "gateway_token": "g" * 20}}, True),
    ],
)  # fmt: skip
def test_a_change_gives_another_version_and_a_restart_only_where_one_is_needed(
    changes: dict[str, Any], restarted: bool
) -> None:
    before, after = bundle(), bundle(cell(**changes))
    assert before["version"] != after["version"]
    assert (before["gateway"]["restart"] != after["gateway"]["restart"]) is restarted


def test_ages_move_on_without_a_restart() -> None:
    later = build_bundle(
        cell(), make_settings(), disk_key=SecretStr(PLANTED_DISK_KEY), today=TODAY.replace(year=TODAY.year + 1)
    )
    assert later["version"] != bundle()["version"]
    assert later["gateway"]["restart"] == bundle()["gateway"]["restart"]


def test_nights_are_spread() -> None:
    times = {bundle(cell(slug=f"tenant-{number:03d}"))["backup"]["at"] for number in range(40)}
    assert len(times) > 30
    assert all("01:00" <= time < "05:00" for time in times)


def test_the_gateway_is_walled_in_by_systemd() -> None:
    unit = text_of("/clawstack-gateway.service")
    for line in (
        "User=claw", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "PrivateDevices=yes",
        "SystemCallFilter=@system-service", "MemoryMax=4096M", "TasksMax=1024", "CPUQuota=400%", "LimitNOFILE=16384",
        "RestartPreventExitStatus=78", "TimeoutStopSec=330", "Requires=clawstack-wall.service",
        "BindReadOnlyPaths=/run/clawstack/hosts:/etc/hosts",
        "ReadWritePaths=/var/lib/clawstack/volume/emma-parent-x7k2mq/state",
    ):  # fmt: skip
        assert line in unit.splitlines()
    assert "[Install]" not in unit, "only the agent starts it, once the volume is open"


@pytest.mark.parametrize("platform_ports", [[443], [8080, 443]])
def test_the_wall_lets_the_gateway_reach_itself_and_platform_only(platform_ports: list[int]) -> None:
    text = wall(make_settings(platform_ports=platform_ports))
    chain = text.split("chain gateway {")[1].split("}\n")[0]
    steps = [line.strip() for line in chain.strip().splitlines()]
    assert steps == ["oif lo tcp dport 18789 accept", "jump platform", "counter reject with icmpx admin-prohibited"]
    output = text.split("chain output {")[1]
    for wider in ("oif lo accept", "jump names"):
        assert output.index('meta skuid "claw" goto gateway') < output.index(wider), "before any wider rule"
    assert text.count("policy drop;") == 3
    assert "tcp dport { " + ", ".join(map(str, sorted(platform_ports))) + " } accept" in text


def test_the_wall_is_what_was_read_and_approved() -> None:
    opened = [{"port": 22, "sources": ["192.0.2.0/28", "2001:db8::/64"]}]
    golden("wall.nft", wall(make_settings(inbound=opened)))


def test_values_reach_the_gateway_as_they_are() -> None:
    assert environment_file({"B": 'say "hi" \\o/', "A": "x y"}) == 'A="x y"\nB="say \\"hi\\" \\\\o/"\n'
