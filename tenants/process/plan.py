"""Everything to build for a process cell, decided by a pure function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from tenants.bundles import load_bundle
from tenants.openclaw import build_config, build_workspace, environment
from tenants.openclaw.environment import SECRET_NAMES
from tenants.process.launch import Limits
from tenants.spec import CellSpec, PlatformEndpoints

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class ProcessPlan:
    """One process cell: its account, its state directory, its gateway."""

    slug: str
    labels: Mapping[str, str]
    account: str | None
    root: str
    backups: str
    supervisor: str
    node: str
    openclaw: str
    version: str
    port: int
    reaches: tuple[str, ...]
    """HOST:PORT of the platform's proxy and router: all that the cell may call (law 3)."""
    config: str
    """`openclaw.json` as text; holds placeholders, no secret."""
    workspace: Mapping[str, str] = field(repr=False)
    """Holds what the customer told at sign-up: personal, so treated as a secret."""
    environment: Mapping[str, str]
    secret_environment: Mapping[str, str] = field(repr=False)
    limits: Limits
    desired: str
    restart_nonce: str
    backup_key: str = field(repr=False)
    skip_backup: bool


def build_plan(spec: CellSpec, *, today: date) -> ProcessPlan:
    """The plan of `spec`; raises InvalidInputError when its bundle does not exist."""
    bundle = load_bundle(spec.bundle.name, spec.bundle.version)
    variables = environment(spec)
    return ProcessPlan(
        slug=spec.slug,
        labels=spec.labels,
        account=spec.account,
        root=str(spec.directories.root),
        backups=str(spec.directories.backups),
        supervisor=str(spec.directories.supervisor),
        node=str(spec.runtime.node),
        openclaw=str(spec.runtime.openclaw),
        version=spec.runtime.version,
        port=spec.port,
        reaches=_reaches(spec.endpoints),
        config=json.dumps(build_config(spec, bundle), indent=2, ensure_ascii=False) + "\n",
        workspace=build_workspace(spec, bundle, today),
        environment={name: value for name, value in variables.items() if name not in SECRET_NAMES},
        secret_environment={name: variables[name] for name in sorted(SECRET_NAMES)},
        limits=Limits(**spec.resources.model_dump()),
        desired=str(spec.desired),
        restart_nonce=spec.restart_nonce,
        backup_key=spec.backup_key.get_secret_value(),
        skip_backup=spec.skip_backup,
    )


def _reaches(endpoints: PlatformEndpoints) -> tuple[str, ...]:
    found = []
    for url in (endpoints.llm_base_url, endpoints.telegram_api_root):
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        found.append(f"{host}:{parts.port or _PORTS[parts.scheme]}")
    return tuple(sorted(set(found)))
