"""What is built for a server cell: the plan, as a pure function."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from clawstack.errors import InvalidInputError
from tests.unit.server.builders import BOOT_TOKEN, PLANTED_API_TOKEN, cell, make_settings, plan_of
from tests.unit.tenants.builders import PLANTED


def test_nobody_may_call_a_machine_unless_the_operator_says_who() -> None:
    assert [rule for rule in plan_of().rules if rule.direction == "in"] == []
    rule = {"port": 22, "sources": ["192.0.2.0/28"], "description": "operators"}
    [opened] = [rule for rule in plan_of(inbound=[rule]).rules if rule.direction == "in"]
    assert (opened.protocol, opened.port, opened.networks) == ("tcp", "22", ("192.0.2.0/28",))


def test_a_machine_may_call_name_servers_the_clock_packages_and_the_platform() -> None:
    rules = plan_of(platform_ports=[8443], resolvers=["192.0.2.53", "2001:db8::53"]).rules
    assert {(rule.direction, rule.protocol, rule.port) for rule in rules} == {
        ("out", "udp", "53"),
        ("out", "tcp", "53"),
        ("out", "udp", "123"),
        ("out", "tcp", "80"),
        ("out", "tcp", "443"),
        ("out", "tcp", "8443"),
    }
    assert {rule.networks for rule in rules if rule.port == "53"} == {("192.0.2.53/32", "2001:db8::53/128")}


def test_a_suspended_cell_has_no_machine_and_keeps_everything_else() -> None:
    running, suspended = plan_of(), plan_of(cell(desired="suspended", boot=None))
    assert suspended.machine is None
    assert dataclasses.replace(running, machine=None) == suspended


def test_the_machine_is_the_plans_type_from_the_image_or_the_snapshot() -> None:
    machine = plan_of().machine
    assert machine is not None
    assert (machine.server_type, machine.image) == ("cx33", "debian-12")
    resumed = plan_of(cell(boot={"token": BOOT_TOKEN, "image": "4711"})).machine
    assert resumed is not None
    assert resumed.image == "4711"


@pytest.mark.parametrize(("disk_mb", "gigabytes"), [(512, 10), (10_000, 10), (10_001, 11), (10_240, 11), (51_200, 52)])
def test_a_volume_is_at_least_what_the_plan_promises_and_what_hetzner_sells(disk_mb: int, gigabytes: int) -> None:
    resources = {**cell().resources.model_dump(), "disk_mb": disk_mb}
    assert plan_of(cell(resources=resources)).volume_gb == gigabytes


def test_equal_inputs_give_equal_plans_and_no_secret_shows_in_one() -> None:
    assert plan_of() == plan_of()
    shown = repr(plan_of()) + repr(make_settings())
    assert not [secret for secret in (*PLANTED, PLANTED_API_TOKEN, BOOT_TOKEN) if secret in shown]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"plan": "starter"}, "no_server_type", "'starter'"),
        ({"boot": None}, "boot_missing", "no boot was prepared"),
        ({"bundle": {"name": "nurse", "version": "1.0"}}, "unknown_bundle", "no bundle"),
        (
            {
                "endpoints": {
                    "llm_base_url": "http://127.0.0.1:8080/llm/v1",
                    "telegram_api_root": "https://claw.example.org/telegram",
                }
            },
            "platform_unreachable_from_cell",
            "127.0.0.1",
        ),
    ],
)
def test_what_cannot_become_a_working_cell_is_refused(changes: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as refused:
        plan_of(cell(**changes))
    assert refused.value.code == code
    assert refused.value.remedy


def test_a_type_without_a_pinned_node_is_refused_with_the_processors_that_have_one() -> None:
    node = {"version": "26.10.0", "sha256": {"x64": "ab" * 32}}
    with pytest.raises(InvalidInputError, match="arm64, which cax21 needs") as refused:
        plan_of(cell("arm"), node=node)
    assert refused.value.remedy is not None
    assert "x64" in refused.value.remedy
    assert plan_of(cell("arm")).machine is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"platform_url": "http://claw.example.org"}, "in the clear"),
        ({"platform_url": "http://1.2.3.4"}, "in the clear"),
        ({"platform_url": "ftp://claw.example.org"}, "not a usable address"),
        ({"inbound": [{"port": 22, "sources": ["everybody"]}]}, "neither an IP address nor a network"),
        ({"inbound": [{"port": 22, "sources": []}]}, "at least 1 item"),
        ({"resolvers": ["dns.example.org"]}, "not an IP address"),
        ({"server_types": {"business": "cx33; reboot"}}, "pattern"),
        ({"node": {"version": "26.10.0", "sha256": {"x64": "short"}}}, "pattern"),
        ({"node": {"version": "26.10.0", "sha256": {"x64": "ab" * 32}, "url": "https://x/$(id)"}}, "pattern"),
        ({"location": "../nbg1"}, "pattern"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused_without_telling_the_token(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        make_settings(**changes)
    assert PLANTED_API_TOKEN not in str(refused.value)


@pytest.mark.parametrize("url", ["https://claw.example.org", "http://10.0.0.5:8080", "http://127.0.0.1:8080"])
def test_machines_reach_the_platform_encrypted_or_privately(url: str) -> None:
    assert make_settings(platform_url=url).platform_url == url


@settings(deadline=None, max_examples=30)
@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_any_slug_gives_a_plan_that_hetzner_takes(slug: str) -> None:
    plan = plan_of(cell(slug=slug))
    assert len(plan.name) <= 63
    assert plan.labels["clawstack.dev/tenant"] == slug
    assert plan.machine is not None
    assert len(plan.machine.user_data.encode()) < 32 * 1024
