"""`pulumi preview`, `up` and `destroy` at the root of the project, as an operator types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.demonstration.world import clean_environment
from tests.waiting import patient

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pulumi(tmp_path):
    """Runs the CLI that set-up put beside the interpreter, on a copy of the project with a state of its own."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py"):
        shutil.copy(ROOT / name, project)
    (project / ".venv").symlink_to(Path(sys.prefix))
    environment = {
        **clean_environment(),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "planted-passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(tmp_path / "home"),
    }
    (tmp_path / "state").mkdir()

    def run(*arguments: str, expect: int = 0) -> str:
        result = subprocess.run(
            [str(Path(sys.prefix) / "bin" / "pulumi"), *arguments, "--non-interactive"],
            cwd=project, env=environment, capture_output=True, text=True, timeout=patient(120), check=False,
        )  # fmt: skip
        assert (result.returncode == 0) == (expect == 0), result.stdout + result.stderr
        return result.stdout + result.stderr

    run("stack", "init", "dev")
    return run


def test_preview_up_again_and_destroy_with_the_policy_pack(pulumi):
    pack = ("--policy-pack", str(ROOT / "policies"))
    foreseen = pulumi("preview", "--stack", "dev", *pack)
    assert "clawstack:platform:Secrets" in foreseen
    assert "from $PATH" not in foreseen, "no remark about plugins in use"
    assert "created" in pulumi("up", "--yes", "--stack", "dev", *pack)
    outputs = json.loads(pulumi("stack", "output", "--json", "--show-secrets", "--stack", "dev"))
    assert len(outputs["environment"]["CLAWSTACK_MASTER_KEY"]) == 44
    assert outputs["webhookUrls"]["stripe"] == "http://127.0.0.1:8080/webhooks/stripe"
    assert outputs["environment"]["CLAWSTACK_MASTER_KEY"] not in pulumi("stack", "export", "--stack", "dev")
    assert "unchanged" in pulumi("up", "--yes", "--stack", "dev", *pack)
    assert "deleted" in pulumi("destroy", "--yes", "--stack", "dev")


def test_a_wrong_value_is_refused_before_the_first_resource(pulumi):
    pulumi("config", "set", "--stack", "dev", "clawstack:defaultSubstrate", "docker")
    said = pulumi("preview", "--stack", "dev", expect=1)
    assert "must be one of process, namespace, server" in said
    assert "pulumi config set clawstack:defaultSubstrate" in said
    assert "Traceback" not in said
