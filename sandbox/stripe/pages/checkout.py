"""The hosted checkout page: what is sold, for how much, and a form for a card."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.stripe.control.billing import pay_session
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.forms import decode
from sandbox.stripe.model.values import Json
from sandbox.stripe.pages.view import View, typed_card
from sandbox.stripe.store.account import Account


class CheckoutPage:
    """GET and POST of /pay/{session}."""

    def __init__(self, account: Account, view: View) -> None:
        self.account = account
        self.view = view

    async def serve(self, request: Request) -> Response:
        """GET shows; POST pays and goes to the success page, or says why not."""
        session = self.account.find(request.path_params["session"])
        if session is None or session["object"] != "checkout.session":
            return self.view.show("message.html", 404, title="Not found", text="There is no such checkout page.")
        if request.method != "POST":
            return self._page(session)
        form = decode((await request.body()).decode(errors="replace"))
        try:
            done = pay_session(
                self.account,
                session["id"],
                typed_card(form, self.account.now),
                email=form.get("email") or None,
                name=form.get("billingName") or None,
            )
        except ApiError as error:
            return self._page(session, error=error.message, form=form, status=402)
        success = str(done["success_url"]).replace("{CHECKOUT_SESSION_ID}", done["id"])
        return RedirectResponse(success, status_code=303)

    def _page(
        self, session: Json, *, error: str | None = None, form: Json | None = None, status: int = 200
    ) -> Response:
        if session["status"] == "complete":
            return self.view.show(
                "message.html", title="All done", text="This was paid already. You can close this page."
            )
        if session["status"] == "expired":
            text = "This page has expired. Go back and start again."
            return self.view.show("message.html", 410, title="Expired", text=text, back=session["cancel_url"])
        customer = self.account.find(session["customer"]) or {}
        email = session["customer_email"] or customer.get("email")
        lines = session["_line_items"]
        values = {"session": session, "lines": lines, "error": error, "form": form or {}, "email": email}
        return self.view.show("checkout.html", status, **values)
