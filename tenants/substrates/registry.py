"""Finds the builder of a substrate. A new substrate is one entry here and one package beside `tenants.process`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from clawstack.errors import InvalidInputError
from tenants.builder import SubstrateBuilder
from tenants.namespace.settings import NamespaceSettings
from tenants.process.component import ProcessSubstrate
from tenants.server.settings import ServerSettings
from tenants.spec import Substrate


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """Where this installation can put cells, besides the processes of its own machine."""

    cluster: NamespaceSettings | None = None
    """For the `namespace` substrate."""
    server: ServerSettings | None = None
    """For the `server` substrate."""


Maker = Callable[[Grounds], SubstrateBuilder[Any] | None]
"""The builder, None where this installation lacks what the substrate needs."""

_NEEDS: Final[Mapping[Substrate, str]] = MappingProxyType(
    {
        Substrate.NAMESPACE: " To use namespaces, configure a cluster.",
        Substrate.SERVER: " To use servers, configure a Hetzner project.",
    }
)


def _process(_: Grounds) -> SubstrateBuilder[Any]:
    return ProcessSubstrate()


def _namespace(grounds: Grounds) -> SubstrateBuilder[Any] | None:
    if grounds.cluster is None:
        return None
    from tenants.namespace.component import NamespaceSubstrate  # late: the Kubernetes SDK costs 0.3 CPU-seconds

    return NamespaceSubstrate(grounds.cluster)


def _server(grounds: Grounds) -> SubstrateBuilder[Any] | None:
    if grounds.server is None:
        return None
    from tenants.server.component import ServerSubstrate  # late: most cells need no SDK of Hetzner's

    return ServerSubstrate(grounds.server)


SUBSTRATES: Final[Mapping[Substrate, Maker]] = MappingProxyType(
    {Substrate.PROCESS: _process, Substrate.NAMESPACE: _namespace, Substrate.SERVER: _server}
)


def builder_of(
    substrate: Substrate, *, cluster: NamespaceSettings | None = None, server: ServerSettings | None = None
) -> SubstrateBuilder[Any]:
    """The builder; `cluster` is what the `namespace` substrate needs to know, `server` what the `server` substrate does.

    Raises InvalidInputError with the substrates that this installation has.
    """
    grounds = Grounds(cluster=cluster, server=server)
    make = SUBSTRATES.get(substrate)
    builder = make(grounds) if make else None
    if builder is None:
        raise InvalidInputError(
            f"Cells cannot run on the substrate {substrate.value!r} here.",
            code="substrate_unavailable",
            remedy=f"Choose one of: {', '.join(_usable(grounds))}." + _NEEDS.get(substrate, ""),
        )
    return builder


def _usable(grounds: Grounds) -> list[str]:
    missing = {Substrate.NAMESPACE: grounds.cluster is None, Substrate.SERVER: grounds.server is None}
    return [known.value for known in SUBSTRATES if not missing.get(known, False)]
