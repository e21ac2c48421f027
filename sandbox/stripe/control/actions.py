"""The table of everything that /_control can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandbox.stripe.account import Account
from sandbox.stripe.control.billing import BillingActions
from sandbox.stripe.control.catalogue import seed_catalogue
from sandbox.stripe.control.traffic import TrafficActions
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.faults import Faults
from sandbox.stripe.values import Json

Row = tuple[str, str, Callable[[Json], Awaitable[Json]]]


def table(account: Account, dispatcher: Dispatcher, faults: Faults) -> list[Row]:
    """Method, path below /_control, action: it takes the request's JSON and parameters and answers JSON."""
    traffic, billing = TrafficActions(account, dispatcher, faults), BillingActions(account)

    async def catalogue(values: Json) -> Json:
        return seed_catalogue(account, values)

    return [
        ("GET", "state", traffic.state),
        ("POST", "webhook", traffic.webhook),
        ("POST", "hostile", traffic.set_hostile),
        ("GET", "hostile", traffic.get_hostile),
        ("POST", "flush", traffic.flush),
        ("POST", "resend", traffic.resend),
        ("POST", "emit", traffic.emit),
        ("GET", "deliveries", traffic.deliveries),
        ("GET", "requests", traffic.requests),
        ("POST", "requests/clear", traffic.clear_requests),
        ("POST", "fail", traffic.fail),
        ("POST", "fail/clear", traffic.clear_faults),
        ("GET", "objects/{id}", billing.read),
        ("POST", "seed_catalogue", catalogue),
        ("POST", "pay", billing.pay),
        ("POST", "expire", billing.expire),
        ("POST", "advance_clock", billing.advance_clock),
        ("POST", "renew", billing.renew),
        ("POST", "retry_payment", billing.retry_payment),
        ("POST", "set_card", billing.set_card),
        ("POST", "pause", billing.pause),
        ("POST", "resume", billing.resume),
        ("POST", "dispute", billing.dispute),
        ("POST", "dispute/close", billing.close_dispute),
        ("POST", "settings", billing.settings),
    ]
