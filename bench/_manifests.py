"""The same cells for kubectl: the manifests that the platform's builder makes, with made-up secrets."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from clawstack.crypto import KEY_BYTES
from clawstack.naming import namespace_name
from clawstack.plans import load_catalogue
from clawstack.tokens import TokenKind, issue
from services.cli.demonstration.parent import SignupForm
from tenants.bundles import load_bundle
from tenants.namespace.plan import build_plan
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec, parse_spec


def spec(slug: str, *, address: str) -> CellSpec:
    """A cell as the platform would build it from a first sign-up."""
    catalogue, form = load_catalogue(), SignupForm()
    plan = catalogue.plan(form.plan)
    limits = {
        name: {"context_window": catalogue.models[name].context_window, "max_output": catalogue.models[name].max_output}
        for name in plan.models
    }
    data = Path("/nonexistent")
    return parse_spec(
        {
            "slug": slug,
            "plan": plan.key,
            "substrate": "namespace",
            "bundle": {"name": form.bundle, "version": load_bundle(form.bundle).version},
            "answers": dict(form.answers),
            "models": {"primary": plan.models[0], "allowed": plan.models, "limits": limits},
            "resources": plan.resources.model_dump(),
            "endpoints": {"llm_base_url": f"{address}/llm/v1", "telegram_api_root": f"{address}/telegram"},
            "port": 21000,
            "secrets": {
                "proxy_token": issue(TokenKind.PROXY).reveal(),
                "channel_token": issue(TokenKind.CHANNEL).reveal(),
                "gateway_token": secrets.token_urlsafe(32),
            },
            "directories": {"root": data / slug, "backups": data / "backups", "supervisor": data / "supervisor"},
            "runtime": {"node": data / "node", "openclaw": data / "openclaw", "version": "2026.9.6"},
            "backup_key": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(),
            "desired": "running",
        }
    )


def write(folder: Path, cell: CellSpec, settings: NamespaceSettings, *, edition: str) -> Path:
    """One file with all objects of a cell."""
    documents: list[dict[str, Any]] = build_plan(cell, settings, today=datetime.now(UTC).date()).documents()
    file = folder / f"{namespace_name(cell.slug)}-{edition}.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return file
