"""The Pulumi program of a cell: spec in, resources and outputs out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pulumi

from tenants.builder import SubstrateBuilder
from tenants.spec import CellSpec


def cell_program(spec: CellSpec, builder: SubstrateBuilder[Any]) -> Callable[[], None]:
    """An inline program for the Automation API. Secrets reach it by closure, never by stack configuration.

    `builder`: that of the cell's substrate. Everything is decided before the engine is started: an impossible spec
    raises InvalidInputError here.
    """
    plan = builder.build(spec, today=datetime.now(UTC).date())

    def program() -> None:
        cell = builder.component(plan)
        pulumi.export("endpoint", cell.endpoint)
        pulumi.export("stateDirectory", cell.state_directory)
        pulumi.export("openclawVersion", cell.openclaw_version)
        pulumi.export("substrate", spec.substrate)
        pulumi.export("pid", cell.pid)

    return program
