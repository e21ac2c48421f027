"""A machine made of a folder: the files of some user data below it, and commands that tell what they were asked."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from clawstack.k3s import K3sRelease, NodeSettings, user_data
from tests.unit.k3s.clusters import AGENT_TOKEN, TOKEN
from tests.waiting import patient

_BINARY = '#!/bin/sh\necho "k3s $*" >>"$STUBS/log"\n[ ! -e "$STUBS/api-is-down" ]\n'
_STUBS = {
    "curl": """
for last; do :; done
case "$last" in
  *:6443/ping) host="${last#https://}"; [ -e "$STUBS/answers-${host%%:*}" ] && printf pong ;;
  *once*) cat "$STUBS/tokens" ;;
  *)
    tries="$(cat "$STUBS/failures" 2>/dev/null || echo 0)"
    if [ "$tries" -gt 0 ]; then echo "$((tries - 1))" >"$STUBS/failures"; exit 22; fi
    while [ "$1" != --output ]; do shift; done
    cp "$STUBS/served" "$2" ;;
esac
""",
    # Answers as `ip -o -4 addr show to NETWORK` does: lines whose address lies in the network (whole octets are enough here).
    "ip": """
for network; do :; done
case "$network" in
  */32) grep -F " ${network%/32}/" "$STUBS/addresses" ;;
  */16) grep -F " ${network%.0.0/16}." "$STUBS/addresses" ;;
esac
""",
    "sysctl": '[ ! -e "$STUBS/kernel-refuses" ]',
    "systemctl": """
case "$1" in
  start) touch "$STUBS/started" ;;
  is-active) [ -e "$STUBS/started" ] && [ ! -e "$STUBS/never-active" ] ;;
esac
""",
    # What the script waits for may happen while it sleeps.
    "sleep": 'if [ -x "$STUBS/meanwhile" ]; then "$STUBS/meanwhile"; fi',
}


def release(binary: str = _BINARY) -> K3sRelease:
    """A release whose binary is a shell script."""
    digest = hashlib.sha256(binary.encode()).hexdigest()
    return K3sRelease(
        version="v1.36.3+k3s1",
        taken=date(2026, 11, 21),
        source="made for a test",
        sha256={"amd64": digest, "arm64": digest},
    )


@dataclass(kw_only=True)
class NodeRoot:
    """Lay a node's files down with `lay`, then `run` its script."""

    folder: Path
    cloud_config: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def stubs(self) -> Path:
        return self.folder / "stubs"

    def lay(self, node: NodeSettings, **changes: Any) -> None:
        text = user_data(node, **{"token": TOKEN, "agent_token": AGENT_TOKEN, **changes})
        self.cloud_config = yaml.safe_load(text)
        for entry in self.cloud_config["write_files"]:
            path = self.root / str(entry["path"]).lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(entry["content"])
            path.chmod(int(entry["permissions"], 8))
        self._lay_stubs(node.private_address or "10.0.3.77")

    def _lay_stubs(self, address: str) -> None:
        commands = self.stubs / "bin"
        commands.mkdir(parents=True, exist_ok=True)
        for name, body in _STUBS.items():
            path = commands / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >>"$STUBS/log"\n{body}')
            path.chmod(0o755)
        self.have("served", _BINARY)
        self.have(
            "addresses", f"1: lo    inet 127.0.0.1/8 scope host lo\n2: enp7s0    inet {address}/32 brd x enp7s0\n"
        )

    def have(self, name: str, content: str = "") -> None:
        """Something that the stubs look at."""
        (self.stubs / name).write_text(content)

    def meanwhile(self, command: str) -> None:
        """A shell command that runs whenever the script waits."""
        self.have("meanwhile", f"#!/bin/sh\n{command}\n")
        (self.stubs / "meanwhile").chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        script = self.root / "usr/local/lib/clawstack/node.sh"
        return subprocess.run(
            ["/bin/sh", str(script), str(self.root)],
            env={"PATH": f"{self.stubs / 'bin'}:{os.environ['PATH']}", "STUBS": str(self.stubs)},
            capture_output=True,
            text=True,
            timeout=patient(60),
            check=False,
        )

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def exists(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def log(self) -> list[str]:
        """What the commands were asked, in order."""
        path = self.stubs / "log"
        return path.read_text().splitlines() if path.exists() else []

    def asked(self, words: str) -> int:
        """How often a command was asked with these words."""
        return sum(words in line for line in self.log())
