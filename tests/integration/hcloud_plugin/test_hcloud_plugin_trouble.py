"""What goes wrong at Hetzner or on the way there, and what becomes of it: a retry, a kind of error, never a second object."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.plugin_server.values import to_python
from tests.integration.hcloud_plugin.calling import HURRIED, LABELS, Engine, Made, Refused, engine
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.integration.hcloud_plugin.test_hcloud_plugin_kinds import KEY, network, server
from tests.waiting import patient

Object = dict[str, Any]
SERVER: Object = {
    "name": "one",
    "serverType": "cx23",
    "image": "debian-13",
    "location": "fsn1",
    "labels": LABELS,
    "userData": "#cloud-config",
}
OURS: list[tuple[str, Object, str]] = [
    ("Server", SERVER, "servers"),
    ("Network", {"name": "n", "ipRange": "10.0.0.0/16", "labels": LABELS}, "networks"),
    ("Firewall", {"name": "f", "labels": LABELS}, "firewalls"),
    ("SshKey", {"name": "k", "publicKey": KEY, "labels": LABELS}, "ssh_keys"),
    ("PlacementGroup", {"name": "g", "type": "spread", "labels": LABELS}, "placement_groups"),
    ("Volume", {"name": "v", "size": 10, "location": "fsn1", "labels": LABELS}, "volumes"),
    ("PrimaryIp", {"name": "p", "type": "ipv4", "location": "fsn1", "labels": LABELS}, "primary_ips"),
    ("LoadBalancer", {"name": "l", "loadBalancerType": "lb11", "location": "fsn1", "labels": LABELS}, "load_balancers"),
    ("Zone", {"name": "example.com", "mode": "primary", "labels": LABELS}, "zones"),
]


def refusal(call: Callable[[], Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value


def left_in_state(refused: Refused, kind: str = "Server") -> Made:
    """What the engine writes down of a create that failed half-way."""
    partial = refused.partial
    assert partial is not None
    return Made(kind=kind, id=partial.id, inputs=to_python(partial.inputs), outputs=to_python(partial.properties))


@pytest.mark.parametrize(("kind", "wish", "plural"), OURS)
def test_what_a_killed_run_left_behind_is_refused_as_the_official_provider_refuses_it(
    hetzner: Hetzner, kind: str, wish: Object, plural: str
) -> None:
    with engine(hetzner) as killed:
        first = killed.create(kind, wish)
    with engine(hetzner) as repeated:
        refused = refusal(lambda: repeated.create(kind, wish))
        assert isinstance(refused.error, NeedsAttentionError)
        assert f"already (id {first.id})" in refused.text
    assert len(hetzner.objects()[plural]) == 1


@pytest.mark.parametrize(("kind", "wish", "plural"), OURS)
def test_what_is_somebody_elses_is_never_taken(hetzner: Hetzner, kind: str, wish: Object, plural: str) -> None:
    with engine(hetzner) as other:
        first = other.create(kind, {**wish, "labels": {**LABELS, "clawstack.dev/tenant": "bert"}})
    with engine(hetzner) as plugin:
        only_by_whom = {"app.kubernetes.io/managed-by": "clawstack"}
        for labels in (LABELS, {}, {"some": "label"}, only_by_whom):
            refused = refusal(lambda: plugin.create(kind, {**wish, "labels": labels}))  # noqa: B023 - called at once
            assert isinstance(refused.error, NeedsAttentionError)
            assert refused.error.code == "hetzner_uniqueness_error"
            assert f"{wish['name']!r} already (id {first.id})" in refused.text
            assert f"pulumi import hcloud:index/{kind[0].lower()}{kind[1:]}:{kind} NAME {first.id}" in refused.text
    assert len(hetzner.objects()[plural]) == 1


def test_an_object_of_the_same_stack_is_never_taken_for_its_own_successor(plugin: Engine) -> None:
    first = plugin.create("Server", SERVER)
    assert refusal(lambda: plugin.create("Server", SERVER)).error is not None
    assert plugin.refresh(first) is not None


@pytest.mark.parametrize("kind", ["reset", "lost_answer"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("labels", [LABELS, {}])
def test_a_lost_connection_during_a_create_makes_no_second_object(
    hetzner: Hetzner, plugin: Engine, kind: str, times: int, labels: Object
) -> None:
    hetzner.fault(kind, match="POST /servers$", times=times)
    made = plugin.create("Server", {**SERVER, "labels": labels})
    assert [str(entry["id"]) for entry in hetzner.objects()["servers"]] == [made.id]


def test_a_gateway_that_gives_up_during_a_create_makes_no_second_object(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.fault("error", match="POST /servers$", status=504, code="timeout", message="gateway timeout")
    plugin.create("Server", SERVER)
    assert hetzner.names("servers") == ["one"]


def test_connections_that_break_elsewhere_are_made_again(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.fault("reset", match="GET /", times=2)
    made = plugin.create("Server", SERVER)
    hetzner.fault("lost_answer", match="POST .*/actions/", times=1)
    assert plugin.update(made, {**SERVER, "backups": True}).outputs["backups"] is True


@pytest.mark.parametrize(
    ("status", "code"),
    [(423, "locked"), (409, "conflict"), (503, "unavailable"), (502, "bad_gateway"), (409, "service_error")],
)
def test_a_busy_hetzner_is_asked_again(hetzner: Hetzner, plugin: Engine, status: int, code: str) -> None:
    made = plugin.create("Server", SERVER)
    hetzner.fault("error", match="POST .*/actions/enable_backup", status=status, code=code, message="busy", times=3)
    made = plugin.update(made, {**SERVER, "backups": True})
    assert made.outputs["backups"] is True
    hetzner.fault("error", match="POST .*/actions/disable_backup", status=status, code=code, message="busy", times=9999)
    refused = refusal(lambda: plugin.update(made, SERVER))
    assert isinstance(refused.error, TemporaryError)
    assert refused.error.code == f"hetzner_{code}"
    assert refused.text.startswith("Hetzner refused to disable backups of server one")


def test_the_rate_limit_is_waited_for(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.tell("rate_limit", {"remaining": 1, "limit": 3600, "refill_per_second": 20})
    made = plugin.create("Server", SERVER)
    assert made.outputs["status"] == "running"
    limited = [call for call in hetzner.requests() if call["status"] == 429]
    assert 0 < len(limited) < 60, "the limit was met, and not run against"


def test_a_rate_limit_that_lasts_is_a_temporary_error_that_says_when(hetzner: Hetzner) -> None:
    with engine(hetzner, patience=replace(HURRIED, limited=0.3)) as plugin:
        hetzner.tell("rate_limit", {"remaining": 0, "limit": 3600, "refill_per_second": 0.001})
        refused = refusal(lambda: plugin.create("Server", SERVER))
        hetzner.tell("rate_limit", {"remaining": 3600, "limit": 3600, "refill_per_second": 1})
    assert isinstance(refused.error, TemporaryError)
    assert refused.error.code == "hetzner_rate_limit_exceeded"
    assert "is whole again in" in refused.text


def test_a_quota_needs_attention_with_hetzners_own_words(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.tell("quotas", {"quotas": {"servers": 1}})
    server(plugin)
    refused = refusal(lambda: server(plugin, "two"))
    assert isinstance(refused.error, NeedsAttentionError)
    assert refused.error.code == "hetzner_resource_limit_exceeded"
    assert refused.text.startswith("Hetzner refused to create server two (resource_limit_exceeded): ")
    assert "Ask Hetzner for a higher limit" in refused.text
    assert refused.partial is None
    assert hetzner.names("servers") == ["one"]


def test_an_eleventh_server_of_a_placement_group_waits_for_room(hetzner: Hetzner, plugin: Engine) -> None:
    group = plugin.create("PlacementGroup", {"name": "g", "type": "spread"})
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda i: server(plugin, f"s{i}", placementGroupId=int(group.id)), range(10)))
    refused = refusal(lambda: server(plugin, "s10", placementGroupId=int(group.id)))
    assert isinstance(refused.error, TemporaryError)
    assert refused.error.code == "hetzner_placement_error"
    assert len(hetzner.names("servers")) == 10


def test_a_type_that_is_sold_out_waits_for_room(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.tell("availability", {"server_type": "cx33", "location": "fsn1", "available": False})
    refused = refusal(lambda: server(plugin, serverType="cx33"))
    hetzner.tell("availability", {"server_type": "cx33", "location": "fsn1", "available": True})
    assert isinstance(refused.error, TemporaryError)
    assert refused.error.code == "hetzner_resource_unavailable"
    assert "Choose another server type or location" in refused.text


def test_hetzners_refusal_of_a_value_is_passed_on_with_its_field(plugin: Engine) -> None:
    refused = refusal(lambda: server(plugin, serverType="cx9999"))
    assert refused.error is not None
    assert "server one" in refused.text
    assert "server_type" in refused.text or "server type" in refused.text


def test_a_failed_action_leaves_the_object_in_the_state_and_the_next_update_finishes_it(
    hetzner: Hetzner, plugin: Engine
) -> None:
    hetzner.fault("action_error", match="enable_backup", code="action_failed", message="planned failure")
    wish = {**SERVER, "backups": True, "deleteProtection": True, "rebuildProtection": True}
    refused = refusal(lambda: plugin.create("Server", wish))
    assert isinstance(refused.error, TemporaryError)
    assert refused.error.code == "hetzner_action_failed"
    assert "planned failure" in refused.text
    partial = refused.partial
    assert partial is not None
    assert list(partial.reasons)
    left = Made(kind="Server", id=partial.id, inputs=to_python(partial.inputs), outputs=to_python(partial.properties))
    finished = plugin.update(left, wish)
    assert (finished.outputs["backups"], finished.outputs["deleteProtection"]) == (True, True)
    assert finished.outputs["labels"] == LABELS
    assert "__unfinished" not in finished.outputs
    assert hetzner.names("servers") == ["one"]


def test_a_made_up_name_stays_when_its_create_was_broken_off(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.fault("action_error", match="start_server", code="action_failed", message="planned")
    wish = {name: value for name, value in SERVER.items() if name != "name"}
    partial = refusal(lambda: plugin.create("Server", wish)).partial
    assert partial is not None
    left = Made(kind="Server", id=partial.id, inputs=to_python(partial.inputs), outputs=to_python(partial.properties))
    finished = plugin.update(left, wish)
    assert finished.outputs["name"] == left.inputs["name"]
    assert hetzner.names("servers") == [left.inputs["name"]]


def test_a_stop_during_a_create_reports_what_exists_at_once(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 60}})
    threading.Timer(0.5, plugin.provider.stop).start()
    started = time.monotonic()
    refused = refusal(lambda: plugin.create("Server", SERVER))
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 0.02}})
    assert time.monotonic() - started < patient(5)
    assert refused.partial is not None
    assert isinstance(refused.error, TemporaryError)
    assert [str(entry["id"]) for entry in hetzner.objects()["servers"]] == [refused.partial.id]


@pytest.mark.parametrize("skip", range(5))
def test_a_server_that_a_killed_resize_left_off_is_on_again_after_the_next_update(hetzner: Hetzner, skip: int) -> None:
    wish = {**SERVER, "serverType": "cx33"}
    with engine(hetzner) as killed:
        made = killed.create("Server", SERVER)
        # Everything that the run sends from some call on gets lost, as if it had been killed.
        hetzner.fault("error", match=f"(PUT|POST) /servers/{made.id}", status=418, code="gone", times=99, skip=skip)
        refusal(lambda: killed.update(made, wish))
        hetzner.tell("faults", method="DELETE")
    with engine(hetzner) as repeated:
        finished = repeated.update(made, wish)
        assert (finished.outputs["serverType"], finished.outputs["status"]) == ("cx33", "running")
        assert finished.outputs["labels"] == LABELS
        seen = repeated.refresh(finished)
        assert seen is not None
        assert repeated.diff(seen, wish).changes == 1


@pytest.mark.parametrize("command", ["start_server", "create_server"])
def test_a_server_whose_start_failed_runs_after_the_repeated_run(hetzner: Hetzner, command: str) -> None:
    hetzner.fault("action_error", match=command, code="action_failed", message="planned")
    with engine(hetzner) as killed:
        begun = refusal(lambda: killed.create("Server", SERVER))
    with engine(hetzner) as repeated:
        made = repeated.update(left_in_state(begun), SERVER)
    assert (made.outputs["status"], made.outputs["labels"]) == ("running", LABELS)


@pytest.mark.parametrize("lost", ["attach_to_network", "poweron", "PUT"])
def test_a_hidden_server_runs_in_its_network_after_the_repeated_run(hetzner: Hetzner, lost: str) -> None:
    with engine(hetzner) as killed:
        net, _ = network(killed)
        hidden = [{"ipv4Enabled": False, "ipv6Enabled": False}]
        wish = {**SERVER, "publicNets": hidden, "networks": [{"networkId": int(net.id), "ip": "10.0.1.9"}]}
        match = "PUT /servers" if lost == "PUT" else f"POST .*/actions/{lost}"
        hetzner.fault("error", match=match, status=418, code="gone", times=99)
        begun = refusal(lambda: killed.create("Server", wish))
        hetzner.tell("faults", method="DELETE")
    with engine(hetzner) as repeated:
        made = repeated.update(left_in_state(begun), wish)
    assert (made.outputs["status"], made.outputs["labels"]) == ("running", LABELS)
    assert made.outputs["networks"][0]["ip"] == "10.0.1.9"


def test_a_resize_that_hetzner_refuses_leaves_the_server_on(hetzner: Hetzner, plugin: Engine) -> None:
    made = plugin.create("Server", SERVER)
    hetzner.tell("availability", {"server_type": "cx33", "location": "fsn1", "available": False})
    refused = refusal(lambda: plugin.update(made, {**SERVER, "serverType": "cx33"}))
    hetzner.tell("availability", {"server_type": "cx33", "location": "fsn1", "available": True})
    assert isinstance(refused.error, TemporaryError)
    seen = plugin.refresh(made)
    assert seen is not None
    assert (seen.outputs["status"], seen.inputs_told()) == ("running", made.inputs_told())


def test_a_system_that_does_not_listen_is_switched_off(
    hetzner: Hetzner, plugin: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.plugins.hcloud_provider.kinds.server_parts._SHUTDOWN_SECONDS", 0.0)
    made = plugin.create("Server", SERVER)
    assert plugin.update(made, {**SERVER, "serverType": "cx33"}).outputs["status"] == "running"
    assert [call for call in hetzner.requests("POST") if call["path"] == f"/servers/{made.id}/actions/poweroff"]


def test_a_wrong_token_and_an_absent_server_are_told_apart(hetzner: Hetzner) -> None:
    with engine(replace(hetzner, token="wrong")) as plugin:
        refused = refusal(lambda: plugin.create("Server", SERVER))
        assert isinstance(refused.error, NeedsAttentionError)
        assert refused.error.code == "hetzner_unauthorized"
        assert "wrong" not in refused.text
    absent = replace(hetzner, endpoint="http://127.0.0.1:9/v1")
    with engine(absent, patience=replace(HURRIED, busy=0.4)) as plugin:
        refused = refusal(lambda: plugin.create("Server", SERVER))
        assert isinstance(refused.error, TemporaryError)
        assert "http://127.0.0.1:9/v1 does not answer" in refused.text


def test_garbage_from_a_gateway_is_no_traceback(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.fault("garbage", match="GET /servers", times=1)
    refused: Refused | None = None
    try:
        plugin.create("Server", SERVER)
    except Refused as error:
        refused = error
    assert refused is None or refused.error is not None
    assert len(hetzner.objects().get("servers", [])) <= 1


def test_what_vanished_meanwhile_is_told_with_its_remedy(hetzner: Hetzner, plugin: Engine) -> None:
    made = plugin.create("Server", SERVER)
    hetzner.tell(f"remove/servers/{made.id}")
    refused = refusal(lambda: plugin.update(made, {**SERVER, "backups": True}))
    assert "is gone from Hetzner" in refused.text
    assert "pulumi refresh" in refused.text
    assert plugin.refresh(made) is None
    plugin.delete(made)


def test_many_waits_share_one_look(hetzner: Hetzner, plugin: Engine) -> None:
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 1.0}})
    before = len(hetzner.requests())
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda i: server(plugin, f"s{i}"), range(12)))
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 0.02}})
    looks = [call for call in hetzner.requests()[before:] if call["path"] == "/actions"]
    # 12 servers that poll for a second, 20 ms apart, would be 600 looks of their own.
    assert 0 < len(looks) < 150


def test_a_snapshot_of_a_broken_off_run_is_replaced_not_reused(hetzner: Hetzner, plugin: Engine) -> None:
    machine = server(plugin)
    wish = {"serverId": int(machine.id), "description": "state", "labels": LABELS}
    hetzner.fault("lost_answer", match="POST .*/actions/create_image")
    made = plugin.create("Snapshot", wish)
    images = hetzner.ask("/images?type=snapshot")["images"]
    assert [str(image["id"]) for image in images] == [made.id]
    assert images[0]["labels"] == LABELS
    with engine(hetzner) as later:
        another = later.create("Snapshot", wish)
    assert another.id != made.id, "a finished snapshot shows another day"
    assert len(hetzner.ask("/images?type=snapshot")["images"]) == 2


def test_an_unknown_kind_is_a_sentence(plugin: Engine) -> None:
    strange = "urn:pulumi:dev::p::hcloud:index/storageBox:StorageBox::it"
    with pytest.raises(Refused, match="has no resource hcloud:index/storageBox:StorageBox; it has Firewall"):
        plugin._call("Check", provider_pb2.CheckRequest(urn=strange))
