"""Money that goes back: refunds and disputes."""

from __future__ import annotations

from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.disputes import dispute_object
from sandbox.stripe.objects.payments import refund_object
from sandbox.stripe.store.account import Account


def refund(account: Account, charge: Json, *, amount: int | None, reason: str | None, metadata: Json) -> Json:
    """Pays back all that is left, or `amount`."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    wanted = left if amount is None else amount
    if left <= 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if not 0 < wanted <= left:
        message = f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})"
        raise ApiError(message, param="amount")
    body = refund_object(charge=charge, amount=wanted, created=account.now, reason=reason, metadata=metadata)
    account.create(body, "refund.created")
    charge["amount_refunded"] += wanted
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    account.save(charge)
    account.emit("charge.refunded", charge)
    return body


def open_dispute(account: Account, charge: Json, *, amount: int | None, reason: str) -> Json:
    """The bank takes the money back at once."""
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} cannot be disputed: it failed or is disputed already.")
    body = dispute_object(charge=charge, amount=amount or charge["amount"], reason=reason, created=account.now)
    charge["disputed"] = True
    account.save(charge, "charge.updated")
    account.create(body, "charge.dispute.created")
    account.emit("charge.dispute.funds_withdrawn", body)
    return body


def close_dispute(account: Account, dispute: Json, *, status: str) -> Json:
    """`won` gives the money back, `lost` does not."""
    if status not in ("won", "lost"):
        raise ApiError("A dispute closes as `won` or `lost`.", param="status")
    dispute["status"] = status
    account.save(dispute)
    if status == "won":
        account.emit("charge.dispute.funds_reinstated", dispute)
    account.emit("charge.dispute.closed", dispute)
    return dispute
