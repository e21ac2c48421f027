"""Finds the builder of a substrate. A new substrate is one entry here and one package beside `tenants.process`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from clawstack.errors import InvalidInputError
from tenants.process.component import ProcessSubstrate
from tenants.spec import Substrate
from tenants.substrates.protocol import SubstrateBuilder

SUBSTRATES: Final[Mapping[Substrate, SubstrateBuilder[Any]]] = MappingProxyType({Substrate.PROCESS: ProcessSubstrate()})


def builder_of(substrate: Substrate) -> SubstrateBuilder[Any]:
    """The builder; raises InvalidInputError with those that this installation has."""
    try:
        return SUBSTRATES[substrate]
    except KeyError:
        raise InvalidInputError(
            f"Cells cannot run on the substrate {substrate.value!r} here.",
            code="substrate_unavailable",
            remedy=f"Choose one of: {', '.join(known.value for known in SUBSTRATES)}.",
        ) from None
