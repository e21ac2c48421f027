"""What a machine fetches: everything of its cell, secrets included, as one value that only the machine gets to see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from pydantic import SecretStr

from tenants.backups.finishing import FINISH, UNFINISHED
from tenants.backups.tidying_script import TIDY
from tenants.bundles import load_bundle
from tenants.openclaw import build_config, build_workspace, environment
from tenants.openclaw.environment import SECRET_NAMES
from tenants.server.files import environment_file, on_machine, restart_digest
from tenants.server.places import (
    ACCOUNT,
    DEVICES,
    GATEWAY_ENV,
    GATEWAY_UNIT,
    MAPPING,
    PORT,
    UNITS,
    VOLUME,
    WALL_FILE,
    WALL_UNIT,
    WORKSPACE,
    cell_root,
)
from tenants.server.settings import ServerSettings
from tenants.server.units import gateway_unit, wall_unit
from tenants.server.wall import wall
from tenants.spec import CellSpec

FORMAT: Final = 1
"""Of the bundle; an agent refuses one that it does not know."""
_BACKUP_HOURS: Final = range(1, 5)
"""UTC; cells are spread over the night."""


def build_bundle(spec: CellSpec, settings: ServerSettings, *, disk_key: SecretStr, today: date) -> dict[str, Any]:
    """The bundle of `spec`, ready for `json.dumps`. Equal inputs give equal bundles; `version` names the content.

    Raises InvalidInputError when the persona bundle does not exist or the machine could not reach the platform.
    """
    inside = on_machine(spec, settings)
    config = build_config(inside, load_bundle(spec.bundle.name, spec.bundle.version))
    unit = gateway_unit(inside)
    content = {
        "format": FORMAT,
        "slug": spec.slug,
        "account": ACCOUNT,
        "volume": {
            "devices": DEVICES,
            "mapping": MAPPING,
            "mount": str(VOLUME),
            "key": disk_key.get_secret_value(),
        },
        "gateway": {
            "unit": GATEWAY_UNIT,
            "wall": WALL_UNIT,
            "port": PORT,
            "root": str(cell_root(spec.slug)),
            "node": str(inside.runtime.node),
            "openclaw": str(inside.runtime.openclaw),
            "version": inside.runtime.version,
            "restart": restart_digest(inside, config, unit),
            "ready_seconds": settings.ready_seconds,
            "silence_seconds": settings.silence_seconds,
            "refusal_pauses": list(settings.refusal_pauses),
        },
        "backup": {
            "key": spec.backup_key.get_secret_value(),
            "at": _nightly(spec.slug),
            "tidy": TIDY,
            "unfinished": UNFINISHED,
            "finish": list(FINISH),
        },
        "poll_seconds": settings.poll_seconds,
        # What the agent strikes out of everything that it uploads.
        "secrets": sorted(value for name, value in environment(inside).items() if name in SECRET_NAMES),
        "files": list(_files(inside, settings, config, unit, today)),
    }
    return {**content, "version": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}


def _files(
    spec: CellSpec, settings: ServerSettings, config: dict[str, Any], unit: str, today: date
) -> Iterator[dict[str, str]]:
    persona = load_bundle(spec.bundle.name, spec.bundle.version)
    yield _file(UNITS / GATEWAY_UNIT, unit, mode="0644")
    yield _file(UNITS / WALL_UNIT, wall_unit(), mode="0644")
    yield _file(WALL_FILE, wall(settings), mode="0600")
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    yield _file(cell_root(spec.slug) / "config" / "openclaw.json", text, mode="0640", group=ACCOUNT)
    yield _file(GATEWAY_ENV, environment_file(environment(spec)), mode="0600")
    for name, content in build_workspace(spec, persona, today).items():
        yield _file(WORKSPACE / name, content, mode="0640", group=ACCOUNT)


def _file(path: object, text: str, *, mode: str, group: str = "root") -> dict[str, str]:
    return {"path": str(path), "mode": mode, "group": group, "text": text}


def _nightly(slug: str) -> str:
    number = int.from_bytes(hashlib.sha256(slug.encode()).digest()[:4])
    hour = _BACKUP_HOURS[number % len(_BACKUP_HOURS)]
    return f"{hour:02d}:{number // len(_BACKUP_HOURS) % 60:02d}"
