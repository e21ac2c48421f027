"""What the machine and the person's settings give, read once so that the rest can be tried on fake trees."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clawstack.errors import InvalidInputError
from toolchain.ground.paths import cache_root


class Downloads(StrEnum):
    """What a set-up may fetch (`CLAWSTACK_TOOLCHAIN_DOWNLOADS`)."""

    ALL = "all"  # official releases and plugins first, package registries next
    REGISTRIES = "registries"  # package registries only (npm, Go modules, apt)
    NEVER = "never"  # only what the machine has already


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The machine as the toolchain sees it."""

    cache: Path
    path: tuple[Path, ...]
    pulumi_home: Path
    interpreter: Path
    downloads: Downloads
    root: bool
    machine: str
    gateways: bool = True
    """Whether cells may run on this machine; False (`CLAWSTACK_TOOLCHAIN_GATEWAYS=elsewhere`) in the services' image,
    which has neither Node nor OpenClaw."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Surroundings:
        """From the environment. Raises InvalidInputError for a switch with a value it does not know."""
        environ = os.environ if environ is None else environ
        return cls(
            cache=cache_root(environ),
            path=tuple(Path(folder) for folder in environ.get("PATH", os.defpath).split(os.pathsep) if folder),
            pulumi_home=Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi"),
            interpreter=_interpreter(),
            downloads=_downloads(environ.get("CLAWSTACK_TOOLCHAIN_DOWNLOADS", Downloads.ALL)),
            root=os.geteuid() == 0,
            machine=platform.machine(),
            gateways=environ.get("CLAWSTACK_TOOLCHAIN_GATEWAYS", "here") != "elsewhere",
        )

    def which(self, name: str) -> Path | None:
        """The first executable of that name on PATH."""
        return next((folder / name for folder in self.path if executable(folder / name)), None)


def executable(file: Path) -> bool:
    """Whether it is a file that may be run."""
    return file.is_file() and os.access(file, os.X_OK)


def _downloads(value: str) -> Downloads:
    try:
        return Downloads(value)
    except ValueError:
        allowed = ", ".join(Downloads)
        raise InvalidInputError(
            f"CLAWSTACK_TOOLCHAIN_DOWNLOADS is {value!r}; allowed are {allowed}.",
            remedy="Unset it to let the set-up choose.",
        ) from None


def _interpreter() -> Path:
    """This environment's interpreter by one name: `python3`, `python` and `python3.11` of a venv are the same program."""
    plain = Path(sys.prefix) / "bin" / "python"
    return plain if plain.exists() else Path(sys.executable)
