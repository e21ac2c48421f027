"""Which files of Kubernetes the schemas are made from.

Imports nothing of this project: the bytes of this module name the folder of the schemas.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a published Go module; the module's own requirements are not looked at."""

    module: str
    version: str
    checksum: str
    """As go.sum writes it: SHA-256 over the module's files (`golang.org/x/mod/sumdb/dirhash`, h1)."""
    file: Path


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
