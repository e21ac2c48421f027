"""Reading /proc: fields, and whose work a process does."""

from __future__ import annotations

import os

import pytest

from bench._meter import Look, Meter, part_of

_STAT = b"4242 (a (tricky) name) S 17 4242 99 0 -1 4194560 1 2 3 4 150 50 700 300 20 0 5 0 123456 1000000 256 18446744073709551615"


def test_a_line_of_proc_is_read_past_a_name_with_brackets() -> None:
    look = Look.of(4242, _STAT)
    assert (look.name, look.parent, look.session, look.started) == ("a (tricky) name", 17, 99, 123456)
    tick = os.sysconf("SC_CLK_TCK")
    assert look.seconds == pytest.approx(200 / tick)
    assert look.children_seconds == pytest.approx(1000 / tick)
    assert look.resident == 256 * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("/cache/pulumi/bin/pulumi --non-interactive up --policy-pack /cache/policy-packs/policies-1/policies", "cli"),
        ("/venv/bin/python -P -u -m toolchain.plugins.pack_runner /checkout/policies 127.0.0.1:1 .", "pack"),
        ("python3 -u -m pulumi.policy 127.0.0.1:1 /pack", "pack"),
        ("python -I -m toolchain.plugins toolchain.plugins.kubernetes_provider.main 127.0.0.1:1", "plugin"),
        ("/home/.pulumi/plugins/resource-kubernetes-v4/pulumi-resource-kubernetes 127.0.0.1:1", "plugin"),
        ("python -I -m toolchain.plugins toolchain.plugins.python_host.main /x 127.0.0.1:1", "host"),
        ("/bin/sh -c IFS= read -r go /cache/pulumi/bin/pulumi up", "other"),
    ],
)
def test_the_command_line_tells_the_part(command: str, part: str) -> None:
    assert part_of(command) == part


def test_a_named_process_is_measured_from_its_start() -> None:
    meter = Meter(lambda: {"me": os.getpid()})
    reading = meter.read()
    assert reading.by_name["me"] > 0
    assert reading.resident["me"] > 1_000_000
    assert reading.runs == 0
