"""The Pulumi program of a cell: spec in, resources and outputs out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pulumi

from tenants.namespace.settings import NamespaceSettings
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec
from tenants.substrates.registry import builder_of


def cell_program(
    spec: CellSpec, *, cluster: NamespaceSettings | None = None, server: ServerSettings | None = None
) -> Callable[[], None]:
    """An inline program for the Automation API. Secrets reach it by closure, never by stack configuration.

    `cluster` is needed for cells of the `namespace` substrate, `server` for those of `server`. Everything is decided before the engine is started: an
    impossible spec raises InvalidInputError here.
    """
    builder = builder_of(spec.substrate, cluster=cluster, server=server)
    plan = builder.build(spec, today=datetime.now(UTC).date())

    def program() -> None:
        cell = builder.component(plan)
        pulumi.export("endpoint", cell.endpoint)
        pulumi.export("stateDirectory", cell.state_directory)
        pulumi.export("openclawVersion", cell.openclaw_version)
        pulumi.export("substrate", spec.substrate.value)
        pulumi.export("pid", cell.pid)

    return program
