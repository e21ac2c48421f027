"""What messages say: pure, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Text = tuple[str, str]


def text_of(kind: str, payload: Mapping[str, Any]) -> Text:
    """Subject and body of a message; a kind without a text of its own gets a plain list of what is known."""
    return _TEXTS.get(kind, _plain(kind))(payload)


def _healthy(payload: Mapping[str, Any]) -> Text:
    return "Your assistant is ready", f"Your assistant {_tenant(payload)} is live. Open Telegram and say hello."


def _deleted(payload: Mapping[str, Any]) -> Text:
    body = (
        f"Your assistant {_tenant(payload)} has been switched off and its data removed from where it ran. "
        "We keep one encrypted backup; ask us if you want it restored or erased."
    )
    return "Your assistant is switched off", body


def _needs_attention(payload: Mapping[str, Any]) -> Text:
    tenant = _tenant(payload)
    reason = payload.get("reason") or "No reason was recorded."
    code = payload.get("code") or "unknown"
    return f"{tenant} needs attention ({code})", f"{reason} See: clawstack tenants show {tenant}"


def _well_again(payload: Mapping[str, Any]) -> Text:
    tenant, code = _tenant(payload), payload.get("code") or "failed"
    body = f"It waited for somebody to act ({code}) and is seen running again, so the rest is tried again by itself."
    return f"{tenant} is well again", f"{body} See: clawstack tenants show {tenant}"


def _disk_nearly_full(payload: Mapping[str, Any]) -> Text:
    body = (
        f"The files of {_tenant(payload)} take {_disk(payload)}. When they take more than that, it stops until there is "
        "room again; nothing is deleted. Ask it to remove what it does not need, or choose a plan with more space."
    )
    return f"{_tenant(payload)} is running out of space", body


def _disk_full(payload: Mapping[str, Any]) -> Text:
    body = (
        f"The files of {_tenant(payload)} take more than its plan has ({_disk(payload)}), so it was stopped. Nothing was "
        "deleted. It starts again with a plan that has more space, or when an operator has removed files."
    )
    return f"{_tenant(payload)} was stopped: no space left", body


def _disk_reserve_low(payload: Mapping[str, Any]) -> Text:
    body = (
        f"The file system of {payload.get('folder')} has {payload.get('free_mb')} MiB left. Below "
        f"{payload.get('reserve_mb')} MiB, which are the database's, all assistants on this machine stop until there is "
        "room again. Make room, or a larger disk."
    )
    return "The platform's disk is nearly full", body


def _disk(payload: Mapping[str, Any]) -> str:
    return (
        f"{payload.get('used_mb')} of {payload.get('limit_mb')} MiB and are "
        f"{payload.get('files')} of {payload.get('most_files')} files"
    )


def _plain(kind: str) -> Callable[[Mapping[str, Any]], Text]:
    def text(payload: Mapping[str, Any]) -> Text:
        known = "\n".join(f"{name}: {value}" for name, value in sorted(payload.items()))
        return kind.replace("_", " ").capitalize(), known

    return text


def _tenant(payload: Mapping[str, Any]) -> str:
    return str(payload.get("tenant") or "(unknown)")


_TEXTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Text]]] = {
    "healthy": _healthy,
    "deleted": _deleted,
    "needs_attention": _needs_attention,
    "well_again": _well_again,
    "disk_nearly_full": _disk_nearly_full,
    "disk_full": _disk_full,
    "disk_reserve_low": _disk_reserve_low,
}
