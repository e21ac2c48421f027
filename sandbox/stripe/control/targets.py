"""Where webhooks go."""

from __future__ import annotations

from sandbox.stripe.model.config import WebhookTarget
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.events import endpoint_object
from sandbox.stripe.store.account import Account


def install_target(account: Account, target: WebhookTarget, events: list[str] | None = None) -> Json:
    """A webhook endpoint with a secret chosen by the caller; the one with the same address is replaced in place."""
    with account.operation():
        for endpoint in account.every("webhook_endpoint", url=target.url):
            endpoint |= {"_secret": target.secret, "enabled_events": events or ["*"], "status": "enabled"}
            return account.save(endpoint)
        return account.create(
            endpoint_object(
                url=target.url,
                secret=target.secret,
                enabled_events=events or ["*"],
                created=account.now,
                metadata={},
            )
        )
