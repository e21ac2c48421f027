"""A machine in a folder: born from the real user data, run by the real bootstrap and agent, with stubs for its kernel."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.waiting import patient

HERE = Path(__file__).parent
#: What a test cannot have.
STUBS = ("blkid", "cryptsetup", "id", "mkfs.ext4", "mount", "mountpoint", "nft", "resize2fs", "sync", "systemctl", "umount", "useradd")  # fmt: skip
SMALL_GATEWAY = HERE.parent / "tenants" / "small_gateway.mjs"
OPENCLAW = """\
if (process.argv[2] === "--version") console.log("OpenClaw 2026.9.6");
else await import("./small_gateway.mjs");
"""
NPM = """\
#!/bin/sh
# npm, as far as the agent uses it: "ci ... --prefix DIR" puts the pinned packages there.
while [ "$1" != --prefix ]; do shift; done
cd "$2" && test -s package-lock.json && test -s package.json || exit 1
mkdir -p node_modules/openclaw && cp "$STUB_OPENCLAW"/* node_modules/openclaw/
"""


def node_archive(node: Path) -> bytes:
    """What stands for Node's release: its program and npm, below one folder, as a .tar.xz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, text in {"node": f'#!/bin/sh\nexec "{node}" "$@"\n', "npm": NPM}.items():
            info = tarfile.TarInfo(f"node-release/bin/{name}")
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A volume: it outlives machines."""

    folder: Path

    @property
    def state(self) -> Path:
        return next(self.folder.glob("content/*/state"))


@dataclass(kw_only=True)
class RehearsedMachine:
    """One machine. `boot` does what cloud-init would do with the user data."""

    root: Path
    disk: Disk
    processes: list[int] = field(default_factory=list)

    def prepare(self, user_data: str, behaviour: Mapping[str, Any] | None = None) -> None:
        assert user_data.startswith("#cloud-config\n")
        document = yaml.safe_load(user_data)
        for file in document["write_files"]:
            content = file["content"]
            packed = file.get("encoding") == "gz+b64"
            raw = gzip.decompress(base64.b64decode(content)) if packed else content.encode()
            target = self.root / file["path"].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
            target.chmod(int(file["permissions"], 8))
        [[self.first_program]] = document["runcmd"]
        self._surround(behaviour or {})

    def bootstrap(self) -> subprocess.CompletedProcess[str]:
        """Blocks until the agent was started, or the bootstrap gave up."""
        program = str(self.root) + self.first_program
        return subprocess.run(
            [program], env=self.environment(), capture_output=True, text=True, timeout=patient(60), check=False, cwd="/"
        )

    async def boot(self, user_data: str, behaviour: Mapping[str, Any] | None = None) -> None:
        self.prepare(user_data, behaviour)
        done = await asyncio.to_thread(self.bootstrap)
        assert done.returncode == 0, done.stdout + done.stderr

    def systemctl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["systemctl", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=patient(30),
            check=True,
        )
        return done.stdout

    def behave(self, **behaviour: Any) -> None:
        """How the gateway misbehaves from its next start on."""
        for place in (self.root / "openclaw", *self.root.glob("opt/clawstack/openclaw/*/node_modules/openclaw")):
            (place / "behaviour.json").write_text(json.dumps(behaviour))

    def freeze(self, unit: str) -> None:
        """Its processes are there and do nothing any more."""
        os.killpg(int((self.root / "stub" / f"{unit}.pid").read_text()), signal.SIGSTOP)

    def power_off(self) -> None:
        """Everything dies at once; memory and mounts are gone, disks stay."""
        for file in (self.root / "stub").glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), signal.SIGKILL)
            file.unlink()
        for place in self.root.glob("var/lib/clawstack/volume"):
            if place.is_symlink():
                place.unlink()
        for gone in (self.root / "dev/mapper/clawstack", self.root / "stub/wall.nft"):
            gone.unlink(missing_ok=True)
        subprocess.run(["rm", "-rf", str(self.root / "run")], check=True)

    def power_on(self) -> None:
        """As systemd does: what is enabled starts; the gateway is not."""
        self.systemctl("start", "clawstack-wall.service")
        self.systemctl("start", "clawstack-agent.service")

    def asked(self) -> list[list[str]]:
        """What the machine's programs were asked to do."""
        return [json.loads(line) for line in (self.root / "stub/asked.log").read_text().splitlines()]

    def agent_log(self) -> str:
        return (self.root / "stub/clawstack-agent.service.log").read_text()

    def texts(self) -> dict[str, str]:
        """Every file of the root disk, for tests that look for secrets."""
        found = {}
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_symlink() and "openclaw" not in path.parts:
                found[str(path.relative_to(self.root))] = path.read_bytes().decode(errors="replace")
        return found

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin",
            "CLAWSTACK_ROOT": str(self.root),
            "STUB_DISK": str(self.disk.folder),
            "STUB_OPENCLAW": str(self.root / "openclaw"),
            "HOME": str(self.root),
            "LC_ALL": "C",
        }

    def _surround(self, behaviour: Mapping[str, Any]) -> None:
        programs, openclaw = self.root / "bin", self.root / "openclaw"
        for place in (programs, openclaw, self.root / "dev/disk/by-id", self.root / "etc"):
            place.mkdir(parents=True, exist_ok=True)
        for name in STUBS:
            starter = programs / name
            starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -SE "{HERE / "stubs.py"}" {name} "$@"\n')
            starter.chmod(0o755)
        (openclaw / "openclaw.mjs").write_text(OPENCLAW)
        (openclaw / "small_gateway.mjs").write_text(SMALL_GATEWAY.read_text())
        (openclaw / "behaviour.json").write_text(json.dumps(behaviour))
        device = self.root / "dev/disk/by-id/scsi-0HC_Volume_4711"
        if not device.is_symlink():
            device.symlink_to(self.disk.folder / "device")
        (self.root / "etc/machine-id").write_text(hashlib.sha256(str(self.root).encode()).hexdigest()[:32] + "\n")
