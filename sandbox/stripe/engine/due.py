"""What falls due by itself: renewals, cancellations, drafts, payment retries, expiring sessions."""

from __future__ import annotations

import asyncio
import logging

from sandbox.frame.background import Loop
from sandbox.stripe.engine import invoicing
from sandbox.stripe.engine.checkout import expire
from sandbox.stripe.engine.collection import collect
from sandbox.stripe.engine.endings import end_subscription
from sandbox.stripe.engine.subscriptions import finish_invoice, renew
from sandbox.stripe.model.values import Json
from sandbox.stripe.store.account import Account

logger = logging.getLogger(__name__)

MAX_STEPS = 10_000
"""More things than this falling due in one go mean a mistake, not a long time."""


def run_until(account: Account, moment: int) -> list[str]:
    """Lives through everything due up to `moment`, in its order and at its own time. Returns what happened."""
    happened: list[str] = []
    for _ in range(MAX_STEPS):
        found = account.objects.next_due(moment)
        if found is None:
            break
        body, due = found
        account.advance_to(due)
        with account.operation():
            happened.append(f"{body['object']} {body['id']}: {_handle(account, body, due)}")
    account.advance_to(moment)
    return happened


def _handle(account: Account, body: Json, due: int) -> str:
    kind = body["object"]
    if kind == "checkout.session":
        expire(account, body)
        return "expired"
    if kind == "invoice":
        error = finish_invoice(account, body) if body["status"] == "draft" else collect(account, body, present=False)
        return f"payment refused: {error.message}" if error else "paid"
    return _subscription(account, body, due)


def _subscription(account: Account, body: Json, due: int) -> str:
    if body["status"] == "incomplete":
        end_subscription(account, body, status="incomplete_expired", reason=None)
        invoice = account.find(body["latest_invoice"])
        if invoice is not None and invoice["status"] == "open":
            invoicing.void(account, invoice)
        return "never paid: incomplete_expired"
    if body["cancel_at"] and body["cancel_at"] <= due:
        end_subscription(account, body)
        return "ended as scheduled"
    pause = body["pause_collection"] or {}
    if pause.get("resumes_at") and pause["resumes_at"] <= due:
        body["pause_collection"] = None
        account.save(body, "customer.subscription.updated")
        return "collection resumed"
    renew(account, body, moment=due)
    return "renewed"


class Ticker(Loop):
    """Looks every `tick` seconds of real time whether something is due."""

    def __init__(self, account: Account) -> None:
        super().__init__(self._look)
        self._account = account

    async def _look(self) -> None:
        while True:
            try:
                run_until(self._account, self._account.now)
            except Exception:  # one bad object must not stop all others for good
                logger.exception("Something that fell due in the Stripe stand-in failed")
            await asyncio.sleep(self._account.config.tick)
