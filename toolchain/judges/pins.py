"""Which judges, and which sources their schemas come from. All of them are Go modules, held by their checksums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolchain.paths import slot
from toolchain.surroundings import Surroundings

_MODULES: Final = Path(__file__).parent / "modules"


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A command built from one committed Go module."""

    name: str
    version: str
    package: str
    module: Path
    proof: tuple[str, ...]
    """Arguments whose answer holds the version."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What pins the build."""
        return (self.module / "go.mod", self.module / "go.sum")

    def folder(self, around: Surroundings) -> Path:
        """Where the binary is kept."""
        return slot(around.cache, self.name, self.version, self.files)

    def binary(self, around: Surroundings) -> Path:
        """The command itself."""
        return self.folder(around) / "bin" / self.name


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a published Go module; the module's own requirements are not looked at."""

    module: str
    version: str
    checksum: str
    """As go.sum writes it: SHA-256 over the module's files (`golang.org/x/mod/sumdb/dirhash`, h1)."""
    file: Path


KUBECONFORM: Final = Judge(
    name="kubeconform",
    version="0.8.0",
    package="github.com/yannh/kubeconform/cmd/kubeconform",
    module=_MODULES / "kubeconform",
    proof=("-v",),
)
KUBE_SCORE: Final = Judge(
    name="kube-score",
    version="1.20.0",
    package="github.com/zegl/kube-score/cmd/kube-score",
    module=_MODULES / "kube_score",
    proof=("version",),
)
JUDGES: Final = (KUBECONFORM, KUBE_SCORE)

KUBERNETES: Final = "1.34"
"""The release whose API the manifests are judged by."""
KUBERNETES_API: Final = Source(
    module="k8s.io/kubernetes",
    version="v1.34.4",
    checksum="h1:Yy6R4QB8C9kJPp25GFqEvX5XQwY5qzKeqD0Xx6oAcmk=",
    file=Path("api/openapi-spec/swagger.json"),
)
ROUTES: Final = Source(
    module="sigs.k8s.io/gateway-api",
    version="v1.4.1",
    checksum="h1:NPxFutNkKNa8UfLd2CMlEuhIPMQgDQ6DXNKG9sHbJU8=",
    file=Path("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
)


def schema_folder(around: Surroundings) -> Path:
    """Where the schemas are kept; other code that makes them gives another folder."""
    version = f"{KUBERNETES_API.version}-{ROUTES.version}".replace("v", "")
    return slot(around.cache, "manifest-schemas", version, (Path(__file__), Path(__file__).with_name("schemas.py")))


def schema_location(folder: Path) -> str:
    """The folder as kubeconform's `-schema-location` takes it; `file_name` says the same."""
    return str(folder / "{{ .Group }}" / "{{ .ResourceAPIVersion }}" / "{{ .ResourceKind }}.json")
