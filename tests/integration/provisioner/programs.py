"""The cell's program for tests: one probe resource that carries the cell's secrets, and a few outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from services.cells.provisioner.borders import MakeProgram, Program
from tenants.spec import CellSpec


class ProbeCell(pulumi.CustomResource):
    endpoint: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, Any]) -> None:
        super().__init__("probe:index:Cell", name, {**props, "endpoint": None})


def probe_program(folder: Path) -> MakeProgram:
    """Programs whose cells leave their marks in `folder`."""

    def make(spec: CellSpec) -> Program:
        def program() -> None:
            cell = ProbeCell(
                "cell",
                {
                    "folder": str(folder),
                    "slug": spec.slug,
                    "desired": spec.desired.value,
                    "nonce": spec.restart_nonce,
                    "plan": spec.plan,
                    "token": pulumi.Output.secret(spec.secrets.proxy_token.get_secret_value()),
                    "backupKey": pulumi.Output.secret(spec.backup_key.get_secret_value()),
                    "labels": spec.labels,
                },
            )
            pulumi.export("endpoint", cell.endpoint)
            pulumi.export("token", pulumi.Output.secret(spec.secrets.gateway_token.get_secret_value()))

        return program

    return make
