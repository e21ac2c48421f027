"""The script of a node, really run below a folder: what it does, what it refuses, and that it can be run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawstack.k3s import NodeSettings
from tests.integration.k3s.node_root import NodeRoot, release
from tests.unit.k3s.clusters import AGENT_TOKEN, TOKEN, cluster, control_plane, large_cluster, node, worker

JOIN = "etc/rancher/k3s/config.yaml.d/20-join.yaml"
NETWORK = "etc/rancher/k3s/config.yaml.d/10-network.yaml"
DONE = "var/lib/clawstack/joined"


@pytest.fixture
def machine(tmp_path: Path) -> NodeRoot:
    return NodeRoot(folder=tmp_path)


def single() -> NodeSettings:
    return node(cluster=cluster(release=release()))


def of_three(number: int, **changes: object) -> NodeSettings:
    return control_plane(number, cluster=large_cluster(release=release(), **changes))


def a_worker() -> NodeSettings:
    return worker(cluster=large_cluster(release=release()))


def test_a_lone_node_makes_its_cluster(machine: NodeRoot) -> None:
    machine.lay(single())
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.read(JOIN) == "cluster-init: true\n"
    assert machine.read(NETWORK) == "node-ip: 10.0.1.10\nflannel-iface: enp7s0\n"
    assert machine.exists("usr/local/bin/k3s")
    assert (machine.root / "usr/local/bin/kubectl").readlink() == Path("k3s")
    order = [line.split(" ")[1] for line in machine.log() if line.startswith("systemctl ")]
    assert order[:3] == ["daemon-reload", "enable", "start"]
    assert machine.exists(DONE)


def test_once_joined_nothing_is_touched_again(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.run()
    (machine.root / "usr/local/bin/k3s").write_text("upgraded in place")
    before = machine.log()
    assert machine.run().returncode == 0
    assert machine.log() == before
    assert machine.read("usr/local/bin/k3s") == "upgraded in place"


def test_a_run_that_was_cut_off_goes_on_where_it_was(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("never-active")
    assert machine.run().returncode != 0
    assert not machine.exists(DONE)
    (machine.stubs / "never-active").unlink()
    downloads = machine.asked("--output")
    assert machine.run().returncode == 0
    assert machine.asked("--output") == downloads, "what is verified is not downloaded again"
    assert machine.read(JOIN) == "cluster-init: true\n"


def test_the_first_node_that_is_replaced_joins_the_others_instead_of_making_a_second_cluster(machine: NodeRoot) -> None:
    machine.lay(of_three(1))
    machine.have("answers-10.0.1.12")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.read(JOIN) == "server: https://10.0.1.12:6443\n"


def test_once_the_cluster_exists_the_first_node_waits_for_it_whatever_happens(machine: NodeRoot) -> None:
    machine.lay(of_three(1, initialise=False))
    refused = machine.run()
    assert refused.returncode != 0
    assert "gave up after 900 s: the API of one of: 10.0.1.11 10.0.1.12" in refused.stderr
    assert not machine.exists(JOIN)
    assert not machine.asked("systemctl start")


@pytest.mark.parametrize("who", ["control plane", "worker"])
def test_others_wait_for_the_first_nodes_api(machine: NodeRoot, who: str) -> None:
    machine.lay(of_three(2) if who == "control plane" else a_worker())
    machine.have("addresses", f"2: ens10 inet {'10.0.1.11' if who == 'control plane' else '10.0.2.20'}/32\n")
    machine.meanwhile('[ -e "$STUBS/answers-10.0.1.10" ] && exit 0; touch "$STUBS/answers-10.0.1.10"')
    if who == "worker":
        kubeconfig = machine.root / "var/lib/rancher/k3s/agent/kubelet.kubeconfig"
        kubeconfig.parent.mkdir(parents=True)
        kubeconfig.write_text("there")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "waiting for the API" in done.stderr
    assert machine.read(JOIN) == "server: https://10.0.1.10:6443\n"
    started = next(index for index, line in enumerate(machine.log()) if line.startswith("systemctl start"))
    pinged = max(index for index, line in enumerate(machine.log()) if "/ping" in line)
    assert pinged < started


def test_waiting_for_an_api_has_an_end(machine: NodeRoot) -> None:
    machine.lay(a_worker())
    given_up = machine.run()
    assert given_up.returncode != 0
    assert "gave up after 900 s" in given_up.stderr
    assert machine.asked("https://10.0.1.5:6443/ping") == 181, "every five seconds, the load balancer first"


def test_a_binary_with_another_checksum_is_never_installed(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("served", "#!/bin/sh\necho evil\n")
    refused = machine.run()
    assert refused.returncode != 0
    assert "pinned SHA-256" in refused.stderr
    assert not machine.exists("usr/local/bin/k3s")
    assert not machine.exists("usr/local/bin/k3s.part")
    assert not machine.asked("systemctl start")


def test_a_download_that_fails_is_tried_again(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("failures", "3")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.asked("--output") == 4


def test_a_private_network_that_comes_late_is_waited_for(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("addresses", "2: eth0 inet 203.0.113.9/32\n3: enp7s0 inet 10.0.1.100/32\n")
    machine.meanwhile('echo "3: enp8s0 inet 10.0.1.10/32" >>"$STUBS/addresses"')
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "flannel-iface: enp8s0" in machine.read(NETWORK)


def test_a_network_that_never_comes_ends_the_run_before_anything_is_downloaded(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("addresses", "2: eth0 inet 203.0.113.9/32\n")
    given_up = machine.run()
    assert given_up.returncode != 0
    assert "an interface with an address in 10.0.1.10/32" in given_up.stderr
    assert not machine.asked("curl")


def test_a_machine_of_the_autoscaler_takes_the_address_that_it_was_given(machine: NodeRoot) -> None:
    pool = worker(name=None, private_address=None, cluster=large_cluster(release=release(), node_network="10.0.0.0/16"))
    machine.lay(pool)
    machine.have("addresses", "2: eth0 inet 203.0.113.9/32\n3: enp7s0 inet 10.0.3.77/32 brd 10.0.3.77\n")
    machine.have("answers-10.0.1.5")
    machine.run()
    assert machine.read(NETWORK) == "node-ip: 10.0.3.77\nflannel-iface: enp7s0\n"
    assert "node-name" not in machine.read("etc/rancher/k3s/config.yaml")


def test_a_kernel_that_refuses_its_parameters_ends_the_run_before_the_start(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("kernel-refuses")
    refused = machine.run()
    assert refused.returncode != 0
    assert "kernel parameters" in refused.stderr
    assert not machine.asked("systemctl start")


def test_an_api_that_never_gets_ready_is_told(machine: NodeRoot) -> None:
    machine.lay(single())
    machine.have("api-is-down")
    given_up = machine.run()
    assert given_up.returncode != 0
    assert "gave up after 900 s: k3s to be ready" in given_up.stderr
    assert not machine.exists(DONE)


def test_tokens_can_be_fetched_once(machine: NodeRoot) -> None:
    machine.lay(single(), tokens_url="https://tokens.example.org/once?signature=abc")
    machine.have("tokens", f"token={TOKEN}\nagent-token={AGENT_TOKEN}\n")
    machine.have("never-active")
    assert machine.run().returncode != 0
    assert machine.read("etc/rancher/k3s/token") == TOKEN
    assert machine.read("etc/rancher/k3s/agent-token") == AGENT_TOKEN
    assert (machine.root / "etc/rancher/k3s/token").stat().st_mode & 0o777 == 0o600
    machine.run()
    assert machine.asked("once") == 1, "the address is worth nothing the second time"


def test_a_worker_keeps_only_the_token_that_it_needs(machine: NodeRoot) -> None:
    machine.lay(a_worker(), tokens_url="https://tokens.example.org/once?signature=abc")
    machine.have("tokens", f"agent-token={AGENT_TOKEN}\n")
    machine.have("answers-10.0.1.5")
    machine.run()
    assert machine.read("etc/rancher/k3s/agent-token") == AGENT_TOKEN
    assert not machine.exists("etc/rancher/k3s/token")


def test_an_answer_without_the_token_is_refused_and_no_token_is_ever_said(machine: NodeRoot) -> None:
    machine.lay(single(), tokens_url="https://tokens.example.org/once?signature=abc")
    machine.have("tokens", "agent-token=x\nnothing else")
    refused = machine.run()
    assert refused.returncode != 0
    assert "gave no token" in refused.stderr
    machine.have("tokens", f"token={TOKEN}\nagent-token={AGENT_TOKEN}\n")
    done = machine.run()
    assert done.returncode == 0
    assert "Planted" not in done.stderr + done.stdout + "\n".join(machine.log())
