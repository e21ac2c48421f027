"""The shipped policy pack on the real engine: a violation stops the update and tells rule, resource and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pulumi_random as random
import pytest
from pydantic import SecretStr

from clawstack.errors import ClawstackError, NeedsAttentionError
from clawstack.labels import cell_labels
from services.cells.engine.command import Ownership
from services.cells.engine.control import RunControl
from services.cells.engine.engine import Engine, StackPlace
from services.cells.provisioner.machine import Machine
from tenants.process.resources import Gateway, ProcessProvider

PACK = Path(__file__).parents[3] / "policies"
_ID = 65534 if os.geteuid() == 0 else -1  # a platform that runs as root gives every cell an account of its own
PLANTED = "clawpx_" + "a1B2c3D4e5F6" + "_" + "x" * 43


class Judged:
    """A stack on the real engine, with the real pack."""

    def __init__(self, data: Path, config=None) -> None:
        self.steps = []
        self.state = data / "state"
        self._engine = Engine(
            tools=Machine().tools,
            pulumi_home=data / "home",
            policy_pack=PACK,
            parent=dict(os.environ),
            pack_config=lambda: config or {},
        )
        self._place = StackPlace(
            stack="judged",
            project="clawstack-cells",
            backend_url=SecretStr(f"file://{self.state}"),
            work_dir=data / "work",
            passphrase=SecretStr("planted-passphrase"),
            exists=False,
        )

    def up(self, program):
        ownership = Ownership(control=RunControl(budget=90, grace=5), on_process=lambda _: None)
        return self._engine.up(self._place, program, ownership=ownership, on_step=self.steps.append)

    def preview(self, program):
        ownership = Ownership(control=RunControl(budget=90, grace=5), on_process=lambda _: None)
        return self._engine.preview(self._place, program, ownership=ownership, on_step=self.steps.append)


@pytest.fixture
def judged(data_dir):
    return Judged(data_dir)


def _gateway(**changes):
    labels = cell_labels(slug="judged", plan="starter", substrate="process", bundle="general-1")
    properties = {
        "slug": "judged", "root": "/nowhere/cells/judged", "uid": _ID, "gid": _ID, "supervisor": "/nowhere/supervisor",
        "node": "/nowhere/node", "openclaw": "/nowhere/openclaw.mjs", "version": "2026.9.6", "reaches": ["127.0.0.1:8080"], "bind_host": "127.0.0.1",
        "port": 28999, "config": '{"gateway": {"bind": "loopback", "port": 28999}}', "workspace": {}, "environment": {},
        "secret_environment": {"CLAWSTACK_PROXY_TOKEN": PLANTED},
        "limits": {"memoryMb": 1536, "cpu": 1, "diskMb": 2048, "maxProcesses": 256, "maxOpenFiles": 4096},
        "desired": "running", "restart_nonce": "", "labels": labels,
    }  # fmt: skip

    def program() -> None:
        provider = ProcessProvider("provider")
        Gateway("judged-gateway", **{**properties, **changes}, opts=pulumi.ResourceOptions(provider=provider))

    return program


def test_a_gateway_within_the_rules_passes(judged):
    assert judged.preview(_gateway()).changes


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"bind_host": "0.0.0.0"}, "process-bind-loopback", "listens on 0.0.0.0"),
        ({"labels": {}}, "resource-require-labels", "lacks the labels"),
        ({"environment": {"PROXY_TOKEN": PLANTED}}, "resource-forbid-plaintext-secret", "environment.PROXY_TOKEN"),
        (
            {"labels": cell_labels(slug="judged", plan="starter", substrate="server", bundle="general-1")},
            "cell-allow-substrate-of-plan",
            "includes only process",
        ),
    ],
)
def test_a_violation_is_refused_and_named(judged, changes, rule, words):
    with pytest.raises(NeedsAttentionError) as caught:
        judged.preview(_gateway(**changes))
    said = caught.value.sentence() + " ".join(f"{step.message} {step.data}" for step in judged.steps)
    assert rule in said
    assert words in said
    assert "judged-gateway" in said
    assert PLANTED not in said


def test_a_plaintext_secret_stops_a_real_update_before_it_is_stored(judged):
    def program() -> None:
        random.RandomPet("pet", keepers={"note": f"token is {PLANTED}"})

    with pytest.raises(NeedsAttentionError, match="plain"):
        judged.up(program)
    assert PLANTED not in "".join(file.read_text() for file in judged.state.rglob("*") if file.is_file())


def test_the_same_value_marked_secret_is_fine_and_encrypted(judged):
    def program() -> None:
        random.RandomPet("pet", keepers=pulumi.Output.secret({"note": f"token is {PLANTED}"}))

    assert judged.up(program).changes
    text = "".join(file.read_text() for file in judged.state.rglob("*.json"))
    assert PLANTED not in text
    assert '"ciphertext"' in text


def test_the_packs_configuration_reaches_its_rules(data_dir):
    exemption = {"resource": "::judged-gateway", "reason": "a test of the configuration"}
    lenient = Judged(data_dir, config={"resource-require-labels": {"exemptions": [exemption]}})
    assert lenient.preview(_gateway(labels={})).changes


def test_a_configuration_that_no_rule_understands_is_refused(data_dir):
    strange = Judged(data_dir, config={"stack-limit-cost": {"cellMonthly": "much"}})
    with pytest.raises(ClawstackError, match="cellMonthly"):
        strange.preview(_gateway())
