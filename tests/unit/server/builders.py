"""Settings of a made-up Hetzner project and specs of cells in it."""

from __future__ import annotations

from datetime import date
from typing import Any

from clawstack.plans import load_catalogue
from tenants.server.plan import ServerPlan, build_plan
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec
from tests.unit.tenants.builders import make_spec

TODAY = date(2026, 11, 21)
PLANTED_API_TOKEN = "planted-hetzner-token-" + "h" * 42
PLANTED_DISK_KEY = "planted-disk-key-0005"
BOOT_TOKEN = "clawbt_" + "A1b2C3d4E5f6" + "_" + "Z" * 43
PLATFORM = "https://claw.example.org"


def settings_data(**changes: Any) -> dict[str, Any]:
    data = {
        "token": PLANTED_API_TOKEN,
        "location": "nbg1",
        "server_types": {"business": "cx33", "arm": "cax21"},
        "platform_url": PLATFORM,
        "node": {"version": "26.10.0", "sha256": {"x64": "ab" * 32, "arm64": "cd" * 32}},
        "openclaw": {"version": "2026.9.6", "lock_sha256": "ef" * 32},
    }
    return {**data, **changes}


def make_settings(**changes: Any) -> ServerSettings:
    return ServerSettings.model_validate(settings_data(**changes))


def cell(plan: str = "business", **changes: Any) -> CellSpec:
    bought = load_catalogue().plan("business")
    defaults: dict[str, Any] = {
        "plan": plan,
        "substrate": "server",
        "models": {"primary": bought.models[0], "allowed": list(bought.models)},
        "resources": bought.resources.model_dump(),
        "endpoints": {"llm_base_url": f"{PLATFORM}/llm/v1", "telegram_api_root": f"{PLATFORM}/telegram"},
        "boot": {"token": BOOT_TOKEN},
    }
    return make_spec(**{**defaults, **changes})


def plan_of(spec: CellSpec | None = None, **settings: Any) -> ServerPlan:
    return build_plan(spec or cell(), make_settings(**settings), today=TODAY)
