"""The step that prepares the state directory, run by a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.namespace.builders import plan_of, pod
from tests.waiting import patient


def test_the_seed_step_makes_a_private_folder_below_the_volume(tmp_path: Path) -> None:
    """The mounts lie in a folder of the test."""
    [seed] = pod(plan_of())["initContainers"]
    script = seed["command"][2].replace("/etc/clawstack", str(tmp_path / "etc")).replace("/cell;", f"{tmp_path}/cell;")
    for name, content in {"config/root.json": "{}", "workspace/SOUL.md": "kind"}.items():
        (tmp_path / "etc" / name).parent.mkdir(parents=True)
        (tmp_path / "etc" / name).write_text(content)
        (tmp_path / "etc" / name).chmod(0o440)  # as Secrets and ConfigMaps are mounted
    volume = tmp_path / "cell"
    volume.mkdir()
    volume.chmod(0o2775)
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", script], check=True, env={"SLUG": "anna", "PATH": "/usr/bin:/bin"}, timeout=patient(20)
        )
    assert (volume / "anna" / "state").stat().st_mode & 0o7777 == 0o700
    assert (volume / "anna").stat().st_mode & 0o7777 == 0o700
    assert (volume / "anna/config/openclaw.json").read_text() == "{}"
    assert (volume / "anna/config/openclaw.json").stat().st_mode & 0o777 == 0o600
    assert (volume / "anna/state/workspace/SOUL.md").read_text() == "kind"
    # Else the gateway could not write them, nor the next start: root may, so this test cannot see it fail.
    assert (volume / "anna/state/workspace/SOUL.md").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (volume / "anna/state/workspace").iterdir()] == ["SOUL.md"]
