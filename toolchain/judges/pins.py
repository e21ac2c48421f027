"""Which judges, and where they and their schemas are kept. All of them are Go modules, held by their checksums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolchain.ground.paths import slot
from toolchain.ground.surroundings import Surroundings
from toolchain.judges import schemas, sources

_MODULES: Final = Path(__file__).parent / "modules"
_SCHEMAS_MADE_FROM: Final = (Path(sources.__file__), Path(schemas.__file__))


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


def schema_folder(around: Surroundings) -> Path:
    """Where the schemas are kept; another source, or other code that makes them, gives another folder."""
    version = f"{sources.KUBERNETES_API.version}-{sources.ROUTES.version}".replace("v", "")
    return slot(around.cache, "manifest-schemas", version, _SCHEMAS_MADE_FROM)


def schema_location(folder: Path) -> str:
    """The folder as kubeconform's `-schema-location` takes it; `file_name` says the same."""
    return str(folder / "{{ .Group }}" / "{{ .ResourceAPIVersion }}" / "{{ .ResourceKind }}.json")
