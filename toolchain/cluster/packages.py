"""What the test cluster takes from Debian: store, container runtime, network plugins, packet filter, a shell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.ground.surroundings import Surroundings, executable
from toolchain.steps.system import apt_install
from toolchain.tasks.board import Board
from toolchain.tasks.progress import Progress


@dataclass(frozen=True, kw_only=True)
class NodePackage:
    """A Debian package, files of which one proves that it is there, and what it is for."""

    package: str
    files: tuple[str, ...]
    purpose: str

    def find(self, around: Surroundings) -> Path | None:
        """The file, on PATH and in the folders that an account's PATH may leave out."""
        for file in self.files:
            if file.startswith("/"):
                places = [Path(file)]
            else:
                places = [folder / file for folder in (*around.path, Path("/usr/sbin"), Path("/sbin"))]
            found = next((place for place in places if executable(place)), None)
            if found is not None:
                return found
        return None

    def require(self, around: Surroundings) -> Path:
        """The file; raises NeedsAttentionError where it is missing."""
        found = self.find(around)
        if found is None:
            remedy = f"Run `{around.interpreter} -m toolchain setup cluster`."
            raise NeedsAttentionError(f"{self.package} is missing; it {self.purpose}.", remedy=remedy)
        return found


ETCD: Final = NodePackage(package="etcd-server", files=("etcd",), purpose="stores what the API server knows")
CONTAINERD: Final = NodePackage(package="containerd", files=("containerd",), purpose="runs the pods' containers")
BUSYBOX: Final = NodePackage(package="busybox-static", files=("busybox",), purpose="is the shell in the images")
CNI: Final = NodePackage(
    package="containernetworking-plugins",
    files=("/usr/lib/cni/ptp", "/opt/cni/bin/ptp"),
    purpose="gives pods their network",
)
NODE_PACKAGES: Final = (
    ETCD,
    CONTAINERD,
    NodePackage(package="runc", files=("runc",), purpose="starts each container"),
    CNI,
    NodePackage(package="nftables", files=("nft",), purpose="makes Service addresses work"),
    NodePackage(package="iproute2", files=("ip",), purpose="makes the node's own network interface"),
    BUSYBOX,
)


def missing_node_packages(around: Surroundings) -> tuple[NodePackage, ...]:
    """Those that this machine has not."""
    return tuple(package for package in NODE_PACKAGES if package.find(around) is None)


def ensure(around: Surroundings, board: Board) -> None:
    """Installs what is missing, or raises NeedsAttentionError that says what, why, and with which command."""
    progress = Progress(board=board, name="Node packages")
    missing = missing_node_packages(around)
    if missing:
        why = "; ".join(f"{package.package} {package.purpose}" for package in missing)
        apt_install(around, progress, [package.package for package in missing], why)
    progress.done(", ".join(package.package for package in NODE_PACKAGES))
