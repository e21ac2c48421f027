"""`openclaw.json` of a cell, by a pure function. Key names and meanings: OpenClaw's documentation, `gateway/config-*`.

The file holds no secret: tokens are `${NAME}` placeholders that OpenClaw fills from its environment. The gateway runs
with OPENCLAW_CONFIG_READONLY=1, so nothing but the platform changes it.
"""

from __future__ import annotations

from typing import Any, Final

from tenants.bundles.model import Bundle, ToolProfile
from tenants.openclaw.names import CHANNEL_TOKEN, GATEWAY_TOKEN, PROVIDER, PROXY_TOKEN, model_ref, placeholder
from tenants.spec import CellSpec, ModelLimits

#: For a model whose limits the spec does not tell: every current model has at least this much.
_CAUTIOUS_LIMITS: Final = ModelLimits(context_window=128_000, max_output=16_384)
#: What a hosted assistant never does, whatever its profile allows: run programs, touch files, drive a screen,
#: reconfigure its own gateway, start other agents.
_DENIED_TOOLS: Final = (
    "group:automation",
    "group:runtime",
    "group:fs",
    "group:ui",
    "group:nodes",
    "sessions_spawn",
    "sessions_send",
    "conversations_send",
    "conversations_turn",
    "gateway",
)
_PLUGINS: Final = ("telegram",)
_REPLY_TIMEOUT_SECONDS: Final = 180
_DATABASE_SHARE: Final = 4
"""Session history may take this part (1/n) of the cell's disk; the rest is media, caches and room to compact."""


def build_config(spec: CellSpec, bundle: Bundle) -> dict[str, Any]:
    """The configuration of the gateway of `spec`, ready for `json.dumps`. Equal inputs give equal results."""
    return {
        "gateway": _gateway(spec),
        "models": _models(spec),
        "agents": {"defaults": _agent_defaults(spec, bundle)},
        "channels": {"telegram": _telegram(spec)},
        "tools": _tools(bundle.tool_profile),
        "skills": {"allowBundled": list(bundle.skills), "install": {"allowUploadedArchives": False}},
        "plugins": {"allow": list(_PLUGINS), "slots": {"memory": "none"}},
        "session": _session(spec),
        "commands": _commands(),
        "cron": {"enabled": False},
        **_quiet(spec),
    }


def _gateway(spec: CellSpec) -> dict[str, Any]:
    return {
        "mode": "local",
        "bind": "loopback",
        "port": spec.port,
        "auth": {"mode": "token", "token": placeholder(GATEWAY_TOKEN)},
        "controlUi": {"enabled": False},
        "terminal": {"enabled": False},
        "reload": {"mode": "hybrid"},
    }


def _models(spec: CellSpec) -> dict[str, Any]:
    return {
        "mode": "replace",
        "catalogRefresh": {"enabled": False},
        "providers": {
            PROVIDER: {
                "baseUrl": spec.endpoints.llm_base_url,
                "apiKey": placeholder(PROXY_TOKEN),
                "api": "openai-completions",
                "timeoutSeconds": _REPLY_TIMEOUT_SECONDS,
                "models": [
                    _model(name, spec.models.limits.get(name, _CAUTIOUS_LIMITS)) for name in spec.models.allowed
                ],
            }
        },
    }


def _model(name: str, limits: ModelLimits) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "contextWindow": limits.context_window,
        "maxTokens": limits.max_output,
        "input": ["text", "image"],
        # The platform's ledger knows prices; OpenClaw would only show its own guess to the customer.
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }


def _agent_defaults(spec: CellSpec, bundle: Bundle) -> dict[str, Any]:
    return {
        "model": {"primary": model_ref(spec.models.primary), "fallbacks": []},
        "modelPolicy": {"allow": [model_ref(name) for name in spec.models.allowed]},
        "utilityModel": "",  # no second model behind the customer's back
        "heartbeat": {"every": "0m"},  # background turns cost tokens nobody asked for
        "skipBootstrap": True,  # no getting-to-know-you ritual: the persona files are complete
        "skills": list(bundle.skills),
        "maxConcurrent": max(1, round(spec.resources.cpu * 2)),
    }


def _telegram(spec: CellSpec) -> dict[str, Any]:
    return {
        "enabled": True,
        "botToken": placeholder(CHANNEL_TOKEN),
        "apiRoot": spec.endpoints.telegram_api_root,
        # Which chats reach this cell is decided, and enforced, by the platform's router.
        "dmPolicy": "open",
        "allowFrom": ["*"],
        "groupPolicy": "disabled",
        "configWrites": False,
        "network": {"dangerouslyAllowPrivateNetwork": True},  # file downloads come from the router, on loopback
    }


def _tools(profile: ToolProfile) -> dict[str, Any]:
    return {
        "profile": profile.value,
        "deny": list(_DENIED_TOOLS),
        "fs": {"workspaceOnly": True},
        "exec": {"security": "deny", "ask": "always"},
        "elevated": {"enabled": False},
        "agentToAgent": {"enabled": False},
        "sessions": {"visibility": "agent"},
    }


def _session(spec: CellSpec) -> dict[str, Any]:
    return {
        "dmScope": "per-channel-peer",  # two parents of one tenant do not read each other's chat
        "maintenance": {
            "mode": "enforce",
            "pruneAfter": "365d",
            "maxEntries": 1000,
            "resetArchiveRetention": "30d",
            "maxDiskBytes": f"{spec.resources.disk_mb // _DATABASE_SHARE}mb",
        },
    }


def _commands() -> dict[str, Any]:
    """Chat commands that reach into the gateway stay off; /new, /reset and /help remain."""
    return {"config": False, "debug": False, "mcp": False, "plugins": False, "bash": False, "restart": False}


def _quiet(spec: CellSpec) -> dict[str, Any]:
    """No call home, no announcement on the network; logs inside the cell."""
    return {
        "update": {"checkOnStart": False},
        "telemetry": {"enabled": False},
        "discovery": {"mdns": {"mode": "off"}},
        "logging": {
            "level": "info",
            "file": str(spec.directories.root / "state" / "logs" / "openclaw.log"),
            "maxFileBytes": 10_000_000,
        },
    }
