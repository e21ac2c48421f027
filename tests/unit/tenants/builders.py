"""Specs for tests: complete, valid, with planted secrets that tests look for."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from clawstack.naming import account_name, is_slug
from tenants.spec import CellSpec

PLANTED_PROXY = "csp_planted-proxy-token-0001"
PLANTED_CHANNEL = "csc_planted-channel-token-0002"
PLANTED_GATEWAY = "csg_planted-gateway-token-0003"
PLANTED_KEY = base64.b64encode(b"planted-backup-key-of-32-bytes!!").decode()
PLANTED = (PLANTED_PROXY, PLANTED_CHANNEL, PLANTED_GATEWAY, PLANTED_KEY)


def spec_data(**changes: Any) -> dict[str, Any]:
    """A valid spec as plain data; `changes` replace top-level fields."""
    slug: str = changes.get("slug", "emma-parent-x7k2mq")
    data: dict[str, Any] = {
        "slug": slug,
        "plan": "starter",
        "substrate": "process",
        "bundle": {"name": "parenting", "version": "1.0"},
        "answers": {"child_name": "Emma", "child_birthday": "2025-09-14"},
        "models": {"primary": "gpt-5-mini", "allowed": ["gpt-5-mini", "gpt-5-nano"]},
        "resources": {"memory_mb": 1536, "cpu": 1.0, "disk_mb": 2048, "max_processes": 256, "max_open_files": 4096},
        "endpoints": {
            "llm_base_url": "http://127.0.0.1:8080/llm/v1",
            "telegram_api_root": "http://127.0.0.1:8080/telegram",
        },
        "port": 21001,
        "account": account_name(slug) if is_slug(slug) else None,
        "secrets": {
            "proxy_token": PLANTED_PROXY,
            "channel_token": PLANTED_CHANNEL,
            "gateway_token": PLANTED_GATEWAY,
        },
        "directories": {
            "root": Path("/var/lib/clawstack/cells") / slug,
            "backups": Path("/var/lib/clawstack/backups"),
            "supervisor": Path("/var/lib/clawstack/supervisor"),
        },
        "runtime": {
            "node": Path("/var/cache/clawstack/node/bin/node"),
            "openclaw": Path("/var/cache/clawstack/openclaw/node_modules/openclaw/openclaw.mjs"),
            "version": "2026.9.6",
        },
        "backup_key": PLANTED_KEY,
    }
    return {**data, **changes}


def make_spec(**changes: Any) -> CellSpec:
    """A valid spec; `changes` replace top-level fields."""
    return CellSpec.model_validate(spec_data(**changes))
