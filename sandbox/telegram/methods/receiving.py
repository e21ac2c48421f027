"""How a bot gets its updates: getUpdates, or a webhook."""

import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from sandbox.telegram.methods.call import Call, Said
from sandbox.telegram.model.bots import Webhook
from sandbox.telegram.model.errors import bad_request, conflict

_SECRET = re.compile(r"^[A-Za-z0-9_-]{1,256}$")
_PORTS = frozenset({None, 80, 88, 443, 8443})


async def get_updates(call: Call) -> list[dict[str, Any]]:
    """Answer getUpdates, with long polling."""
    if call.bot.webhook is not None:
        raise conflict(
            "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        )
    _set_allowed(call)
    return await call.bot.updates.poll(
        offset=call.params.number("offset"),
        limit=call.params.number("limit", 100),
        seconds=min(float(call.params.number("timeout")), call.world.config.longest_poll),
    )


async def set_webhook(call: Call) -> Said:
    """Answer setWebhook; an empty url deletes it."""
    url = call.params.text("url")
    if not url:
        return await delete_webhook(call)
    _judge_url(url)
    secret = call.params.text("secret_token")
    if secret and not _SECRET.match(secret):
        raise bad_request("secret token contains unallowed characters")
    _set_allowed(call)
    _drop_if_asked(call)
    connections = min(max(call.params.number("max_connections", 40), 1), 100)
    same = call.bot.webhook is not None and (call.bot.webhook.url, call.bot.webhook.secret_token) == (url, secret)
    call.bot.webhook = Webhook(url=url, secret_token=secret, max_connections=connections)
    call.bot.updates.end_poll("terminated by setWebhook request")
    call.bot.updates.changes.announce()
    return Said(result=True, description="Webhook is already set" if same else "Webhook was set")


async def delete_webhook(call: Call) -> Said:
    """Answer deleteWebhook."""
    _drop_if_asked(call)
    was_set = call.bot.webhook is not None
    call.bot.webhook = None
    call.bot.updates.changes.announce()
    return Said(result=True, description="Webhook was deleted" if was_set else "Webhook is already deleted")


async def get_webhook_info(call: Call) -> dict[str, Any]:
    """Answer getWebhookInfo."""
    hook, updates = call.bot.webhook, call.bot.updates
    info: dict[str, Any] = {"url": hook.url if hook else "", "has_custom_certificate": False}
    info["pending_update_count"] = len(updates.pending())
    if updates.allowed:
        info["allowed_updates"] = sorted(updates.allowed)
    if hook is not None:
        info |= {"max_connections": hook.max_connections, "ip_address": "127.0.0.1"}
        if hook.last_error:
            info |= {"last_error_date": hook.last_error_at, "last_error_message": hook.last_error}
    return info


def _set_allowed(call: Call) -> None:
    if (kinds := call.params.value("allowed_updates")) is not None:
        call.bot.updates.allowed = frozenset(str(kind) for kind in kinds) or None


def _drop_if_asked(call: Call) -> None:
    if call.params.flag("drop_pending_updates"):
        call.bot.updates.clear()


def _judge_url(url: str) -> None:
    """The original wants HTTPS on one of four ports; loopback addresses are let through here."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        raise bad_request("bad webhook: invalid webhook URL specified")
    if _is_loopback(parts.hostname):
        return
    if parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if parts.port not in _PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
