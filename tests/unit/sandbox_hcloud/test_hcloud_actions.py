import pytest

from sandbox.hcloud.model.actions import finish_all
from tests.unit.sandbox_hcloud.lab import Lab


def action(lab: Lab, number: int) -> dict[str, object]:
    return dict(lab.ok("GET", f"/actions/{number}")["action"])


def made(lab: Lab, **more: object) -> tuple[int, int, int]:
    body = {"name": "web", "server_type": "cx23", "image": "debian-12", **more}
    answer = lab.ok("POST", "/servers", body)
    return answer["server"]["id"], answer["action"]["id"], answer["next_actions"][-1]["id"]


def test_progress_follows_the_clock_and_the_next_action_waits_for_the_first():
    lab = Lab(action_seconds=10)
    server, first, second = made(lab)
    assert (action(lab, first)["progress"], action(lab, second)["progress"]) == (0, 0)
    lab.clock += 4
    assert (action(lab, first)["progress"], action(lab, second)["progress"]) == (40, 0)
    assert lab.show("servers", server)["status"] == "initializing"
    lab.clock += 8
    assert action(lab, first) | {"started": 0, "finished": 0} == {
        "id": first,
        "command": "create_server",
        "status": "success",
        "progress": 100,
        "started": 0,
        "finished": 0,
        "resources": [{"id": server, "type": "server"}],
        "error": None,
    }
    assert (action(lab, second)["status"], action(lab, second)["progress"]) == ("running", 20)
    lab.clock += 8
    assert (action(lab, second)["status"], lab.show("servers", server)["status"]) == ("success", "running")


def test_an_action_ends_when_it_was_due_not_when_somebody_looked():
    lab = Lab(action_seconds=10)
    _, first, second = made(lab)
    lab.clock += 1000
    assert action(lab, first)["finished"] != action(lab, second)["finished"]
    assert str(action(lab, second)["finished"]) == "2026-09-21T14:13:40+00:00"


def test_a_running_action_locks_its_server_until_it_ends():
    lab = Lab(action_seconds=10)
    server, _, _ = made(lab)
    assert lab.show("servers", server)["locked"] is True
    assert lab.refused("POST", f"/servers/{server}/actions/poweroff") == (423, "locked")
    assert lab.refused("DELETE", f"/servers/{server}") == (423, "locked")
    lab.clock += 20
    assert lab.show("servers", server)["locked"] is False
    lab.ok("POST", f"/servers/{server}/actions/poweroff")
    assert lab.show("servers", server)["status"] == "stopping"


def test_networks_and_firewalls_answer_conflict_which_clients_retry():
    lab = Lab(action_seconds=10)
    network = lab.network()
    subnet = {"type": "cloud", "ip_range": "10.0.2.0/24", "network_zone": "eu-central"}
    lab.ok("POST", f"/networks/{network}/actions/add_subnet", subnet)
    other = {**subnet, "ip_range": "10.0.3.0/24"}
    assert lab.refused("POST", f"/networks/{network}/actions/add_subnet", other) == (409, "conflict")
    firewall = lab.ok("POST", "/firewalls", {"name": "f", "rules": []})["firewall"]["id"]
    lab.ok("POST", f"/firewalls/{firewall}/actions/set_rules", {"rules": []})
    assert lab.refused("POST", f"/firewalls/{firewall}/actions/set_rules", {"rules": []}) == (409, "conflict")


def test_an_ordered_failure_ends_the_action_and_what_waits_for_it():
    lab = Lab(action_seconds=10)
    lab.world.faults.add({"kind": "action_error", "match": "create_server", "code": "server_error", "message": "boom"})
    server, first, second = made(lab)
    lab.clock += 10
    assert action(lab, first)["error"] == {"code": "server_error", "message": "boom"}
    assert action(lab, second)["status"] == "error"
    assert lab.show("servers", server)["status"] == "off"
    _, healthy, _ = made(lab, name="other")
    lab.clock += 10
    assert action(lab, healthy)["status"] == "success"


def test_a_failed_attachment_is_undone():
    lab = Lab()
    network, server = lab.network(), lab.server()
    lab.world.faults.add({"kind": "action_error", "match": "attach_to_network"})
    lab.ok("POST", f"/servers/{server}/actions/attach_to_network", {"network": network})
    assert lab.show("servers", server)["private_net"] == []
    lab.ok("POST", f"/servers/{server}/actions/attach_to_network", {"network": network})
    assert lab.show("servers", server)["private_net"][0]["ip"] == "10.0.1.1"


def test_slow_and_stuck_actions():
    lab = Lab(action_seconds=1)
    lab.world.faults.add({"kind": "action_slow", "match": "create_server", "seconds": 60, "skip": 1})
    lab.world.faults.add({"kind": "action_stuck", "match": "start_server", "skip": 2})
    ids = [made(lab, name=name) for name in ("a", "b", "c")]
    lab.clock += 30
    assert [action(lab, first)["status"] for _, first, _ in ids] == ["success", "running", "success"]
    lab.clock += 10_000
    assert [action(lab, last)["status"] for _, _, last in ids] == ["success", "success", "running"]
    finish_all(lab.project, lab.clock)
    assert action(lab, ids[2][2])["status"] == "success"


def test_speed_by_command():
    lab = Lab(action_seconds=1)
    lab.world.speed.by_command = {"create_server": 100}
    _, first, _ = made(lab)
    lab.clock += 50
    assert action(lab, first)["progress"] == 50


def test_actions_are_listed_for_all_for_a_kind_and_for_one():
    lab = Lab()
    server, other = lab.server("a"), lab.server("b")
    lab.network()
    listed = lab.ok("GET", f"/servers/{server}/actions?sort=id:desc")["actions"]
    assert [one["command"] for one in listed] == ["start_server", "create_server"]
    assert len(lab.ok("GET", "/servers/actions?status=success")["actions"]) == 4
    assert lab.ok("GET", "/servers/actions?status=running")["actions"] == []
    assert len(lab.ok("GET", f"/actions?id={listed[0]['id']}&id={listed[1]['id']}")["actions"]) == 2
    assert lab.refused("GET", f"/servers/{other}/actions/{listed[0]['id']}") == (404, "not_found")
    assert lab.refused("GET", f"/networks/actions/{listed[0]['id']}") == (404, "not_found")
    assert lab.ok("GET", f"/servers/actions/{listed[0]['id']}")["action"]["id"] == listed[0]["id"]


def test_an_unknown_order_for_trouble_names_what_is_known():
    lab = Lab()
    with pytest.raises(ValueError, match="action_stuck"):
        lab.world.faults.add({"kind": "earthquake"})
    with pytest.raises(ValueError, match="seconds"):
        lab.world.faults.add({"kind": "slow", "minutes": 1})
