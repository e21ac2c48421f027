"""The billing portal: change plan, cancel, resume, new card, invoices."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.stripe.control.billing import replace_card
from sandbox.stripe.engine import changes
from sandbox.stripe.engine.endings import end_subscription
from sandbox.stripe.model.config import BillingMode
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.forms import decode
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.subscriptions import first_item, period_end
from sandbox.stripe.pages.view import View, day, typed_card
from sandbox.stripe.store.account import Account

NOTES = {
    "change": "Your plan was changed.",
    "cancel": "Your subscription was canceled.",
    "keep": "Your subscription continues.",
    "card": "Your card was saved.",
}


class PortalPage:
    """GET and POST of /portal/{secret}."""

    def __init__(self, account: Account, view: View) -> None:
        self.account = account
        self.view = view

    async def serve(self, request: Request) -> Response:
        """GET shows; POST acts, then shows the result (or goes where the deep link's flow says)."""
        session = self._session(request.path_params["secret"])
        if session is None:
            return self.view.show("message.html", 404, title="Not found", text="This link is not valid.")
        if request.method != "POST":
            return self._page(session, note=NOTES.get(request.query_params.get("done", "")))
        form = decode((await request.body()).decode(errors="replace"))
        action = str(form.get("action"))
        try:
            self._act(session, action, form)
        except ApiError as error:
            return self._page(session, error=error.message, status=402)
        after = ((session["flow"] or {}).get("after_completion") or {}).get("redirect") or {}
        return RedirectResponse(after.get("return_url") or f"?done={action}", status_code=303)

    def _session(self, secret: str) -> Json | None:
        return next(iter(self.account.every("billing_portal.session", _secret=secret)), None)

    def _features(self, session: Json) -> Json:
        configuration = self.account.need(session["configuration"], "billing_portal.configuration")
        features: Json = configuration["features"]
        return features

    def _act(self, session: Json, action: str, form: Json) -> None:
        """Raises ApiError for what the configuration does not offer and for refused cards."""
        actions: dict[str, tuple[str, Callable[[Json, Json], None]]] = {
            "change": ("subscription_update", self._change),
            "cancel": ("subscription_cancel", self._cancel),
            "keep": ("subscription_cancel", self._keep),
            "card": ("payment_method_update", self._card),
        }
        feature, act = actions.get(action, ("", None))
        if act is None or not self._features(session)[feature]["enabled"]:
            raise ApiError("That is not possible here.")
        with self.account.operation():
            act(session, form)

    def _subscription(self, session: Json, form: Json) -> Json:
        subscription = self.account.need(str(form.get("subscription")), "subscription", param="subscription")
        if subscription["customer"] != session["customer"]:
            raise ApiError("That is not your subscription.")
        return subscription

    def _change(self, session: Json, form: Json) -> None:
        subscription = self._subscription(session, form)
        price = self.account.need(str(form.get("price")), "price", param="price")
        if price not in self._choices(session, subscription):
            raise ApiError("That plan is not on offer.")
        change = changes.ItemChange(id=first_item(subscription)["id"], price=price)
        proration = self._features(session)["subscription_update"]["proration_behavior"]
        # An upgrade paid at once must be paid: the customer sees the refusal and keeps the old plan.
        changed = changes.change_items(self.account, subscription, [change], proration=proration, strict=True)
        self.account.save(changed, "customer.subscription.updated")

    def _cancel(self, session: Json, form: Json) -> None:
        subscription = self._subscription(session, form)
        feedback = form.get("feedback") or None
        if self._features(session)["subscription_cancel"]["mode"] == "immediately":
            end_subscription(self.account, subscription, feedback=feedback)
            return
        classic = subscription["billing_mode"]["type"] == BillingMode.CLASSIC
        changes.schedule_cancel(self.account, subscription, flag=classic, feedback=feedback)
        self.account.save(subscription, "customer.subscription.updated")

    def _keep(self, session: Json, form: Json) -> None:
        subscription = self._subscription(session, form)
        changes.unschedule_cancel(subscription)
        self.account.save(subscription, "customer.subscription.updated")

    def _card(self, session: Json, form: Json) -> None:
        replace_card(
            self.account, self.account.need(session["customer"], "customer"), typed_card(form, self.account.now)
        )

    def _choices(self, session: Json, subscription: Json) -> list[Json]:
        """Other plans: those of the configuration, else every active recurring price with a lookup key."""
        item = first_item(subscription)
        products = self._features(session)["subscription_update"]["products"]
        listed = {price for product in products or [] for price in product["prices"]}
        prices = [price for price in self.account.every("price", active=1) if price["recurring"]]
        offered = [price for price in prices if (price["id"] in listed if products else price["lookup_key"])]
        fitting = [price for price in offered if price["currency"] == subscription["currency"]]
        return [price for price in fitting if price["id"] != item["price"]["id"]]

    def _page(self, session: Json, *, error: str | None = None, note: str | None = None, status: int = 200) -> Response:
        customer = self.account.need(session["customer"], "customer")
        ended = ("canceled", "incomplete_expired")
        everything = self.account.every("subscription", customer=customer["id"])
        subscriptions = [entry for entry in everything if entry["status"] not in ended]
        method = self.account.find(
            next((entry["default_payment_method"] for entry in subscriptions if entry["default_payment_method"]), None)
            or customer["invoice_settings"]["default_payment_method"]
        )
        return self.view.show(
            "portal.html",
            status,
            session=session,
            customer=customer,
            features=self._features(session),
            subscriptions=subscriptions,
            choices={entry["id"]: self._choices(session, entry) for entry in subscriptions},
            states={entry["id"]: state_words(entry) for entry in subscriptions},
            names={product["id"]: product["name"] for product in self.account.every("product")},
            card=method["card"] if method else None,
            invoices=self.account.every("invoice", customer=customer["id"])[::-1][:20],
            error=error,
            note=note,
        )


def state_words(subscription: Json) -> str:
    """The state in a sentence."""
    if subscription["cancel_at"]:
        return f"Ends on {day(subscription['cancel_at'])}."
    words = {
        "active": f"Renews on {day(period_end(subscription))}.",
        "trialing": f"Free until {day(period_end(subscription))}.",
        "past_due": "The last payment failed. Please save another card.",
        "unpaid": "The last payment failed. Please save another card.",
        "paused": "Paused.",
        "incomplete": "Not paid yet.",
    }
    return words.get(subscription["status"], str(subscription["status"]))
