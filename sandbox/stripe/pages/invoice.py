"""The hosted invoice page: see it, pay it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.stripe.engine import payments
from sandbox.stripe.engine.collection import collect
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.forms import decode
from sandbox.stripe.model.values import Json
from sandbox.stripe.pages.view import View, typed_card
from sandbox.stripe.store.account import Account


class InvoicePage:
    """GET and POST of /invoice/{invoice}."""

    def __init__(self, account: Account, view: View) -> None:
        self.account = account
        self.view = view

    async def serve(self, request: Request) -> Response:
        """GET shows; POST pays an open one with another card."""
        invoice = self.account.find(request.path_params["invoice"])
        if invoice is None or invoice["object"] != "invoice":
            return self.view.show("message.html", 404, title="Not found", text="There is no such invoice.")
        if request.method != "POST":
            return self.view.show("invoice.html", invoice=invoice)
        form = decode((await request.body()).decode(errors="replace"))
        try:
            error = self._pay(invoice, form)
        except ApiError as problem:
            error = problem
        if error is not None:
            return self.view.show("invoice.html", 402, invoice=invoice, error=error.message)
        return RedirectResponse(str(request.url.path), status_code=303)

    def _pay(self, invoice: Json, form: Json) -> ApiError | None:
        if invoice["status"] != "open":
            return ApiError(f"This invoice is {invoice['status']}.")
        card = typed_card(form, self.account.now)
        with self.account.operation():
            customer = self.account.need(invoice["customer"], "customer")
            method = payments.new_method(self.account, card, email=customer["email"], name=customer["name"])
            error = collect(self.account, invoice, present=True, method=method)
            if error is None:
                payments.attach(self.account, method, customer, default=False)
        return error
