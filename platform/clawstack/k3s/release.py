"""The pinned K3s release: version and SHA-256 per architecture, from `pins.yaml` or from the operator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from clawstack.errors import InvalidInputError

_DOWNLOADS: Final = "https://github.com/k3s-io/k3s/releases/download"


class Architecture(StrEnum):
    """What a server's processor understands. The value is Hetzner's word."""

    X86 = "x86"
    ARM = "arm"

    @property
    def go_name(self) -> str:
        """The word that K3s' releases use."""
        return "amd64" if self is Architecture.X86 else "arm64"


class K3sRelease(BaseModel):
    """One release, as nodes download and verify it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, Field(pattern=r"^v1\.\d{2}\.\d{1,2}\+k3s\d{1,2}$")]
    taken: date
    """When the checksums were written down."""
    source: Annotated[str, Field(min_length=10)]
    """Where they come from."""
    sha256: Mapping[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    """By K3s' name of the architecture: amd64, arm64."""
    mirror: Annotated[str, Field(pattern=r"^https://[\w./-]+$")] | None = None
    """A root that holds `<version>/<file>` as the official downloads do; for networks that cannot reach them."""

    def checksum(self, architecture: Architecture) -> str:
        """SHA-256 of the binary; raises InvalidInputError when the release has none for this architecture."""
        try:
            return self.sha256[architecture.go_name]
        except KeyError:
            known = ", ".join(sorted(self.sha256)) or "none"
            raise InvalidInputError(
                f"K3s {self.version} is pinned for {known}, not for {architecture.go_name}.",
                code="k3s_checksum_missing",
                remedy=f"Add the SHA-256 from sha256sum-{architecture.go_name}.txt of the official release.",
            ) from None

    def url(self, architecture: Architecture) -> str:
        """Where the binary is downloaded from."""
        file = "k3s" if architecture is Architecture.X86 else "k3s-arm64"
        return f"{self.mirror or _DOWNLOADS}/{self.version.replace('+', '%2B')}/{file}"


@cache
def pinned_release() -> K3sRelease:
    """The release that this version of clawstack was written for."""
    return K3sRelease.model_validate(yaml.safe_load(files("clawstack.k3s").joinpath("pins.yaml").read_text()))
