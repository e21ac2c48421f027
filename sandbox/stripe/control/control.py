"""Everything that /_control can do; every address answers JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.frame.control import WRONG, Action, control_routes, json_body
from sandbox.stripe.control.billing import BillingActions
from sandbox.stripe.control.catalogue import seed_catalogue
from sandbox.stripe.control.traffic import TrafficActions
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.faults import Faults
from sandbox.stripe.model.values import Json
from sandbox.stripe.store.account import Account


class Control:
    """Endpoints below /_control. GET lists, POST acts; actions take the request's JSON and parameters as one object."""

    def __init__(self, account: Account, dispatcher: Dispatcher, faults: Faults) -> None:
        self._account = account
        self._traffic = TrafficActions(account, dispatcher, faults)
        self._billing = BillingActions(account)

    def routes(self) -> list[Route]:
        """Return the routes."""
        traffic, billing = self._traffic, self._billing
        table: list[tuple[str, str, Callable[[Json], Awaitable[Json]]]] = [
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
            ("POST", "seed_catalogue", self._seed_catalogue),
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
        rows = [(method, path, _with_values(act)) for method, path, act in table]
        return control_routes(rows, _refusal, wrong=(*WRONG, ApiError))

    async def _seed_catalogue(self, values: Json) -> Json:
        return seed_catalogue(self._account, values)


def _with_values(act: Callable[[Json], Awaitable[Json]]) -> Action:
    async def action(request: Request) -> Json:
        return await act({**request.query_params, **(await json_body(request)), **request.path_params})

    return action


def _refusal(error: Exception) -> JSONResponse:
    if isinstance(error, ApiError):
        return JSONResponse(error.body("control"), status_code=error.status)
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)
