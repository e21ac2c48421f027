"""What the test cluster is made of: versions, the Go modules that they are built from, and Debian's packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolchain.ground.paths import slot
from toolchain.ground.surroundings import Surroundings

KUBERNETES: Final = "1.34.4"
COREDNS: Final = "1.15.0"
LOCAL_PATH: Final = "0.0.30"
KWOK: Final = "0.8.0"

_MODULES: Final = Path(__file__).parent / "modules"
_K8S_VERSION: Final = "k8s.io/component-base/version"


@dataclass(frozen=True, kw_only=True)
class Build:
    """Commands that come out of one committed Go module, and how one of them proves its version."""

    name: str
    version: str
    packages: tuple[str, ...]
    variables: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    """A command (relative to the folder of binaries) whose output must contain `version`."""
    about: str = ""

    @property
    def module(self) -> Path:
        """The folder with go.mod."""
        return _MODULES / self.name

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything committed for it."""
        return tuple(sorted(file for file in self.module.iterdir() if file.suffix in {".mod", ".sum", ".go"}))

    def folder(self, around: Surroundings) -> Path:
        """Where its binaries are kept."""
        return slot(around.cache, f"cluster-{self.name}", self.version, self.files)

    def binaries(self, around: Surroundings) -> Path:
        """The folder of its binaries."""
        return self.folder(around) / "bin"


KUBERNETES_BUILD: Final = Build(
    name="kubernetes",
    version=KUBERNETES,
    packages=tuple(
        f"k8s.io/kubernetes/cmd/{command}"
        for command in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kubectl",
            "kube-proxy",
        )
    ),
    # Without these the server reports v0.0.0, which clients take for a very old one.
    variables=(
        f"{_K8S_VERSION}.gitVersion=v{KUBERNETES}",
        f"{_K8S_VERSION}.gitMajor=1",
        f"{_K8S_VERSION}.gitMinor=34",
        f"{_K8S_VERSION}.gitTreeState=clean",
        f"{_K8S_VERSION}.buildDate=1970-01-01T00:00:00Z",
    ),
    proof=("kube-apiserver", "--version"),
    about="about 5 minutes on two cores, once per machine",
)
COREDNS_BUILD: Final = Build(
    name="coredns", version=COREDNS, packages=(".",), proof=("coredns", "-version"), about="about a minute"
)
LOCAL_PATH_BUILD: Final = Build(
    name="local_path",
    version=LOCAL_PATH,
    packages=("github.com/rancher/local-path-provisioner",),
    variables=(f"main.VERSION=v{LOCAL_PATH}",),
    proof=("local-path-provisioner", "--version"),
    about="about a minute",
)
PAUSE_BUILD: Final = Build(name="pause", version="1", packages=(".",), about="seconds")
KWOK_BUILD: Final = Build(
    name="kwok",
    version=KWOK,
    packages=("sigs.k8s.io/kwok/cmd/kwok",),
    proof=("kwok", "--version"),
    about="about a minute",
)
CLUSTER_BUILDS: Final = (PAUSE_BUILD, LOCAL_PATH_BUILD, COREDNS_BUILD, KUBERNETES_BUILD)
"""The quick ones first: what is wrong with a machine shows early."""
