"""What a substrate must be able to build. It stands beside the substrates, so that none of them knows of the others."""

from __future__ import annotations

from datetime import date
from typing import Generic, Protocol, TypeVar

import pulumi

from tenants.spec import CellSpec

PlanT = TypeVar("PlanT")


class DeclaredCell(Protocol):
    """What a substrate's component tells about the cell that it declared."""

    endpoint: pulumi.Output[str]
    """Address of the gateway."""
    state_directory: pulumi.Output[str]
    openclaw_version: pulumi.Output[str]
    pid: pulumi.Output[int]
    """Process of the gateway where the substrate knows one, else 0."""


class SubstrateBuilder(Protocol, Generic[PlanT]):
    """Two steps, apart from each other: deciding what to build, and building it."""

    def build(self, spec: CellSpec, *, today: date) -> PlanT:
        """Everything to build for `spec`, as one value; pure. Raises InvalidInputError for a spec it cannot serve."""
        ...

    def component(self, plan: PlanT, opts: pulumi.ResourceOptions | None = None) -> DeclaredCell:
        """Declare the resources of `plan` in the running Pulumi program."""
        ...
