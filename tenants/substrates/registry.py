"""Finds the builder of a substrate. A new substrate is one entry here and one package beside `tenants.process`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from clawstack.errors import InvalidInputError
from tenants.namespace.settings import NamespaceSettings
from tenants.process.component import ProcessSubstrate
from tenants.spec import Substrate
from tenants.substrates.protocol import SubstrateBuilder

Maker = Callable[[NamespaceSettings | None], SubstrateBuilder[Any] | None]
"""The builder, None where this installation lacks what the substrate needs."""


def _process(_: NamespaceSettings | None) -> SubstrateBuilder[Any]:
    return ProcessSubstrate()


def _namespace(cluster: NamespaceSettings | None) -> SubstrateBuilder[Any] | None:
    if cluster is None:
        return None
    from tenants.namespace.component import NamespaceSubstrate  # late: the Kubernetes SDK costs 0.3 CPU-seconds

    return NamespaceSubstrate(cluster)


SUBSTRATES: Final[Mapping[Substrate, Maker]] = MappingProxyType(
    {Substrate.PROCESS: _process, Substrate.NAMESPACE: _namespace}
)


def builder_of(substrate: Substrate, *, cluster: NamespaceSettings | None = None) -> SubstrateBuilder[Any]:
    """The builder; `cluster` is what the `namespace` substrate needs to know.

    Raises InvalidInputError with the substrates that this installation has.
    """
    make = SUBSTRATES.get(substrate)
    builder = make(cluster) if make else None
    if builder is None:
        usable = [known.value for known in SUBSTRATES if known is not Substrate.NAMESPACE or cluster is not None]
        raise InvalidInputError(
            f"Cells cannot run on the substrate {substrate.value!r} here.",
            code="substrate_unavailable",
            remedy=f"Choose one of: {', '.join(usable)}."
            + (" To use namespaces, configure a cluster." if substrate is Substrate.NAMESPACE else ""),
        )
    return builder
