"""What a cluster changes on this machine, and how every bit of it is put back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from clawstack.errors import ConflictError, NeedsAttentionError
from toolchain.cluster.configs import CNI_NETWORK
from toolchain.cluster.layout import Layout, Network
from toolchain.cluster.processes import await_

_CGROUPS: Final = Path("/sys/fs/cgroup")
_TABLES: Final = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
_SETTINGS: Final = (
    "net/ipv4/ip_forward",
    # The kubelet sets these.
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
_SYSCTL: Final = Path("/proc/sys")
_CONTAINER_LOGS: Final = Path("/var/log/containers")
_CNI_RESULTS: Final = Path("/var/lib/cni/results")
_SECONDS: Final = 20


def run(*command: str, check: bool = True) -> str:
    """A short command of the operating system; its complaint becomes the error."""
    answer = subprocess.run(  # noqa: S603 - fixed commands, never a shell
        command, capture_output=True, text=True, check=False, timeout=_SECONDS, stdin=subprocess.DEVNULL
    )
    if check and answer.returncode:
        raise NeedsAttentionError(
            f"`{' '.join(command)}` failed: {answer.stderr.strip() or answer.stdout.strip()}.",
            code="cluster_not_started",
            remedy="A test cluster needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN, on a kernel with nftables.",
        )
    return answer.stdout


def read_settings() -> dict[str, str]:
    """Kernel settings as they are now, those that a cluster changes."""
    return {name: file.read_text().strip() for name in _SETTINGS if (file := _SYSCTL / name).exists()}


def refuse_neighbours(network: Network) -> None:
    """Raise ConflictError where this machine is a node already, or uses our addresses for something else."""
    for family, table in _TABLES:
        if f"table {family} {table}" in run("nft", "list", "tables"):
            raise ConflictError(
                f"Another kube-proxy works on this machine (nftables table {family} {table}).",
                remedy="Use that cluster (CLAWSTACK_KUBECONFIG), or stop it first.",
            )
    ours = IPv4Network(network.whole)
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "main")):
        if route["dst"] != "default" and IPv4Network(route["dst"], strict=False).overlaps(ours):
            raise ConflictError(
                f"The test cluster's addresses {ours} overlap with this machine's route {route['dst']} ({route.get('dev')}).",
                remedy="Run the test cluster on a machine that does not use them.",
            )


def prepare(layout: Layout) -> None:
    """The node's own interface and address, forwarding, and a control group for all pods."""
    network = layout.network
    # A bridge without ports: a kind of interface that every kernel with containers has; `dummy` is not.
    run("ip", "link", "add", network.interface, "type", "bridge")
    run("ip", "address", "add", f"{network.node_ip}/32", "dev", network.interface)
    run("ip", "link", "set", network.interface, "up")
    # So that Services answer from here also on a machine without a way out.
    run("ip", "route", "add", network.services, "dev", network.interface, "src", network.node_ip)
    (_SYSCTL / "net/ipv4/ip_forward").write_text("1")
    _make_groups(layout)


def restore(layout: Layout, settings: dict[str, str]) -> None:
    """Take back everything; what is not there any more is no error. Safe to repeat."""
    _kill_pods(layout)
    _unmount(layout.data)
    _remove_groups(layout)
    for family, table in _TABLES:
        run("nft", "delete", "table", family, table, check=False)
    run("ip", "link", "delete", layout.network.interface, check=False)
    for name, value in settings.items():
        with suppress(OSError):
            (_SYSCTL / name).write_text(value)
    _remove_traces(layout)


def remove_data(data: Path) -> None:
    """The folder of a stopped cluster. Refuses while anything is mounted in it."""
    if mounts_below(data):
        raise NeedsAttentionError(f"{data} still holds mounts and is left as it is.", remedy="Unmount them and repeat.")
    if data.exists():
        shutil.rmtree(data)


def mounts_below(folder: Path) -> list[str]:
    """Mount points in the folder, the deepest last."""
    prefix = f"{str(folder.resolve()).rstrip('/')}/"
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    decoded = [point.encode().decode("unicode_escape") for point in points]
    return [point for point in decoded if point.startswith(prefix)]


def pod_processes(layout: Layout) -> set[int]:
    """Numbers of all processes in pods."""
    found: set[int] = set()
    for hierarchy in _hierarchies():
        for file in (hierarchy / layout.cgroup).rglob("cgroup.procs"):
            with suppress(OSError):
                found.update(int(line) for line in file.read_text().split())
    return found


def _kill_pods(layout: Layout) -> None:
    def empty() -> bool:
        pids = pod_processes(layout)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    await_(empty, seconds=10)


def _unmount(data: Path) -> None:
    def none_left() -> bool:
        for point in reversed(mounts_below(data)):
            run("umount", "--lazy", point, check=False)
        return not mounts_below(data)

    await_(none_left, seconds=10)


def _make_groups(layout: Layout) -> None:
    available = _CGROUPS / "cgroup.controllers"
    if available.exists():
        for controller in available.read_text().split():
            # Where there is one hierarchy, a group has only what the root hands down, and the kubelet wants its share.
            with suppress(OSError):
                (_CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")
    for hierarchy in _hierarchies():
        (hierarchy / layout.cgroup).mkdir(exist_ok=True)


def _remove_groups(layout: Layout) -> None:
    for hierarchy in _hierarchies():
        top = hierarchy / layout.cgroup
        if not top.is_dir():
            continue
        for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            _remove_group(folder)
        _remove_group(top)


def _remove_group(folder: Path) -> None:
    def gone() -> bool:
        # A group stays busy for a moment after its last process ended.
        with suppress(OSError):
            folder.rmdir()
        return not folder.exists()

    await_(gone, seconds=3)


def _remove_traces(layout: Layout) -> None:
    """Two places that kubelet and CNI library write to whatever they are told."""
    if _CONTAINER_LOGS.is_dir():
        for link in _CONTAINER_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(layout.pod_logs):
                link.unlink()
    if _CNI_RESULTS.is_dir():
        for file in _CNI_RESULTS.glob(f"{CNI_NETWORK}-*"):
            file.unlink()


def _hierarchies() -> list[Path]:
    """Control group hierarchies: one on new machines, one per controller on older ones."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    folders = [folder for folder in _CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]
    return [folder for folder in folders if (folder / "cgroup.procs").exists()]
