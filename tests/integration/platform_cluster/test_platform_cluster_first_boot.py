"""The commands that a node runs before K3s, run for real: keys by openssl, the way out by a shell with a recorded `ip`."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from clawstack.cluster.user_data import way_out
from tests.unit.platform_cluster.examples import declare, large_cluster, raw_cluster
from tests.waiting import patient

TLS = "/var/lib/rancher/k3s/server/tls"


@pytest.fixture(scope="module")
def first_boot():
    hetzner, _, _ = declare(raw_cluster())
    return yaml.safe_load(hetzner.of_kind("Server")["claw-control-plane-1"]["userData"]["value"])


def _sh(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-euc", script], env={**os.environ, **environment}, capture_output=True, text=True, timeout=patient(30), check=False
    )  # fmt: skip


@pytest.fixture(scope="module")
def everything():
    hetzner, _, _ = declare(large_cluster())
    return {name: server["userData"]["value"] for name, server in hetzner.of_kind("Server").items()}


def _judge(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian packages: cloud-init, nftables)")
    return subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)


@pytest.mark.parametrize("name", ["claw-control-plane-1", "claw-cells-1", "claw-data-1", "claw-nat"])
def test_cloud_init_takes_what_the_cluster_added(everything, name, tmp_path):
    file = tmp_path / "user-data"
    file.write_text(everything[name])
    judged = _judge("cloud-init", "schema", "--config-file", str(file))
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "deprecat" not in judged.stdout + judged.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="nft asks the kernel, which answers root only")
def test_the_kernel_takes_the_gateways_rules(everything, tmp_path):
    written = {each["path"]: each["content"] for each in yaml.safe_load(everything["claw-nat"])["write_files"]}
    rules = tmp_path / "nftables.conf"
    rules.write_text(written["/etc/nftables.conf"])
    judged = _judge("nft", "--check", "--file", str(rules))
    assert judged.returncode == 0, judged.stderr


def test_openssl_makes_keys_that_fit_their_certificates(first_boot, tmp_path):
    for file in first_boot["write_files"]:
        if file["path"].startswith(TLS):
            content = base64.b64decode(file["content"]) if file.get("encoding") == "b64" else file["content"].encode()
            (tmp_path / Path(file["path"]).name).write_bytes(content)
    ran = _sh(first_boot["runcmd"][0][2].replace(TLS, str(tmp_path)))
    assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "client-ca.crt", "client-ca.key", "server-ca.crt", "server-ca.key",
    ]  # fmt: skip
    for name in ("server-ca", "client-ca"):
        path = tmp_path / f"{name}.key"
        assert path.read_text().startswith("-----BEGIN EC PRIVATE KEY-----"), "K3s reads SEC 1"
        assert path.stat().st_mode & 0o077 == 0
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate((tmp_path / f"{name}.crt").read_bytes())
        assert certificate.public_key() == key.public_key()


def test_the_way_out_takes_the_private_interface_and_no_other(tmp_path):
    bin_, etc, log = tmp_path / "bin", tmp_path / "etc", tmp_path / "log"
    bin_.mkdir()
    (bin_ / "ip").write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -o ]; then\n'
        '  echo "1: lo    inet 127.0.0.1/8 scope host lo"\n'
        '  echo "2: eth9    inet 172.31.1.7/32 scope global eth9"\n'
        '  echo "3: enp7s0    inet 10.7.51.11/32 brd 10.7.51.11 scope global enp7s0"\n'
        f'else echo "$@" >> {log}; fi\n'
    )
    (bin_ / "systemctl").write_text(f'#!/bin/sh\necho "systemctl $*" >> {log}\nexit 1\n')
    for name in ("ip", "systemctl"):
        (bin_ / name).chmod(0o755)
    script = way_out("10.7.0.0/16")[0][2].replace("/etc/systemd", str(etc))
    ran = _sh(script, PATH=f"{bin_}:{os.environ['PATH']}")
    assert ran.returncode == 0, ran.stderr
    assert log.read_text().splitlines() == [
        "route replace default via 10.7.0.1 dev enp7s0 onlink",
        "systemctl try-restart systemd-resolved",
    ]
    assert (etc / "resolved.conf.d" / "hetzner.conf").read_text() == "[Resolve]\nDNS=185.12.64.1 185.12.64.2\n"
