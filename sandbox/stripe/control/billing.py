"""Control over what happens in the world: people pay, months pass, banks object."""

from __future__ import annotations

from sandbox.stripe.engine import checkout, payments
from sandbox.stripe.engine.collection import collect, dunning_days
from sandbox.stripe.engine.disputes import close_dispute, open_dispute
from sandbox.stripe.engine.due import run_until
from sandbox.stripe.engine.endings import end_subscription
from sandbox.stripe.engine.pauses import pause_subscription, resume_subscription
from sandbox.stripe.engine.subscriptions import finish_invoice, renew
from sandbox.stripe.model.cards import Card, parse_number
from sandbox.stripe.model.config import AfterDunning
from sandbox.stripe.model.errors import ApiError, CardError, missing_object
from sandbox.stripe.model.values import DAY, Json
from sandbox.stripe.objects.subscriptions import period_end
from sandbox.stripe.store.account import Account, public

GOOD_CARD = "4242424242424242"


def pay_session(account: Account, session: str, card: Card, *, email: str | None, name: str | None) -> Json:
    """Pays; a refusal is recorded first, then raised. Raises ApiError when there is no such open session."""
    refused: CardError | None = None
    body: Json = {}
    with account.operation():
        try:
            body = checkout.pay(account, account.need(session, "checkout.session"), card, email=email, name=name)
        except CardError as error:
            refused = error
    if refused is not None:
        raise refused
    return body


class BillingActions:
    """Each method takes the request's JSON and answers JSON."""

    def __init__(self, account: Account) -> None:
        self.account = account

    async def read(self, values: Json) -> Json:
        """The object as stored, private fields included."""
        found = self.account.find(values["id"]) or self.account.events.get(values["id"])
        if found is None:
            raise missing_object("object", values["id"], in_path=True)
        return found

    async def pay(self, values: Json) -> Json:
        """{session, card?, email?, name?}: what a person does on the page."""
        card = Card(number=parse_number(str(values.get("card", GOOD_CARD))))
        done = pay_session(self.account, values["session"], card, email=values.get("email"), name=values.get("name"))
        return public(done)

    async def expire(self, values: Json) -> Json:
        """{session}: as if its time had passed."""
        with self.account.operation():
            return public(checkout.expire(self.account, self.account.need(values["session"], "checkout.session")))

    async def advance_clock(self, values: Json) -> Json:
        """{seconds} or {days} or {to}: lives through everything due until then, in order, each at its own time."""
        moment = self.account.now + int(values.get("seconds", 0)) + int(float(values.get("days", 0)) * DAY)
        happened = run_until(self.account, int(values.get("to", moment)))
        return {"now": self.account.now, "happened": happened}

    async def renew(self, values: Json) -> Json:
        """{subscription, finalize?}: its period ends now (the clock stays). `finalize` false leaves the invoice a draft."""
        with self.account.operation():
            subscription = self._subscription(values)
            if subscription["status"] not in ("active", "trialing", "past_due", "unpaid"):
                raise ApiError(f"A subscription that is {subscription['status']} does not renew.")
            if subscription["cancel_at"]:
                return {"subscription": public(end_subscription(self.account, subscription)), "invoice": None}
            invoice = renew(self.account, subscription, moment=period_end(subscription))
            if invoice["status"] == "draft" and invoice["auto_advance"] and values.get("finalize", True):
                finish_invoice(self.account, invoice)
            return self._both(subscription["id"], invoice["id"])

    async def retry_payment(self, values: Json) -> Json:
        """{subscription} or {invoice}: the next automatic attempt happens now."""
        with self.account.operation():
            wanted = values.get("invoice") or self._subscription(values)["latest_invoice"]
            invoice = self.account.need(wanted, "invoice")
            if invoice["status"] != "open":
                raise ApiError(f"Invoice {invoice['id']} is {invoice['status']}: only an open one is collected.")
            collect(self.account, invoice, present=False)
            link = (invoice["parent"] or {}).get("subscription_details") or {}
            return self._both(link.get("subscription"), invoice["id"])

    async def set_card(self, values: Json) -> Json:
        """{customer, card?}: a new default card, also for the customer's subscriptions."""
        with self.account.operation():
            customer = self.account.need(values["customer"], "customer")
            card = Card(number=parse_number(str(values.get("card", GOOD_CARD))))
            return public(replace_card(self.account, customer, card))

    async def pause(self, values: Json) -> Json:
        """{subscription}: status paused, customer.subscription.paused."""
        with self.account.operation():
            return public(pause_subscription(self.account, self._subscription(values), reason="system"))

    async def resume(self, values: Json) -> Json:
        """{subscription}: active again, customer.subscription.resumed."""
        with self.account.operation():
            return public(resume_subscription(self.account, self._subscription(values)))

    async def dispute(self, values: Json) -> Json:
        """{charge} or {payment_intent} or {invoice} or {subscription}, {amount?, reason?}: the bank takes it back."""
        with self.account.operation():
            charge = self.account.need(self._charge(values), "charge")
            reason = str(values.get("reason", "fraudulent"))
            return public(open_dispute(self.account, charge, amount=values.get("amount"), reason=reason))

    async def close_dispute(self, values: Json) -> Json:
        """{dispute, status: won|lost}."""
        with self.account.operation():
            dispute = self.account.need(values["dispute"], "dispute")
            return public(close_dispute(self.account, dispute, status=str(values.get("status", "lost"))))

    async def settings(self, values: Json) -> Json:
        """{after_dunning?: cancel|unpaid|past_due, dunning_days?: [..]}."""
        unknown = set(values) - {"after_dunning", "dunning_days"}
        if unknown:
            raise ValueError(f"Unknown setting: {', '.join(sorted(unknown))}. Known: after_dunning, dunning_days.")
        if "after_dunning" in values:
            self.account.settings.put("after_dunning", AfterDunning(values["after_dunning"]).value)
        if "dunning_days" in values:
            self.account.settings.put("dunning_days", [float(days) for days in values["dunning_days"]])
        ending = self.account.settings.get("after_dunning", self.account.config.after_dunning.value)
        return {"after_dunning": ending, "dunning_days": dunning_days(self.account)}

    def _subscription(self, values: Json) -> Json:
        return self.account.need(values["subscription"], "subscription")

    def _both(self, subscription: str | None, invoice: str) -> Json:
        found = self.account.find(subscription)
        return {
            "subscription": public(found) if found else None,
            "invoice": public(self.account.need(invoice, "invoice")),
        }

    def _charge(self, values: Json) -> str:
        """From whatever the caller knows to the charge behind it."""
        if values.get("charge"):
            return str(values["charge"])
        intent = values.get("payment_intent")
        if intent is None:
            invoice = values.get("invoice") or self._subscription(values)["latest_invoice"]
            links = self.account.every("invoice_payment", invoice=invoice)
            if not links:
                raise ApiError(f"Invoice {invoice} was never charged, so there is nothing to dispute.")
            intent = links[-1]["payment"]["payment_intent"]
        return str(self.account.need(intent, "payment_intent")["latest_charge"])


def replace_card(account: Account, customer: Json, card: Card) -> Json:
    """The customer's new default, used by running subscriptions from now on; open invoices are tried again.

    Raises CardError for a card whose bank refuses it at once.
    """
    method = payments.new_method(account, card, email=customer["email"], name=customer["name"])
    payments.attach(account, method, customer, default=True)
    for subscription in account.every("subscription", customer=customer["id"]):
        if subscription["status"] in ("canceled", "incomplete_expired"):
            continue
        subscription["default_payment_method"] = method["id"]
        account.save(subscription, "customer.subscription.updated")
        invoice = account.find(subscription["latest_invoice"])
        if invoice is not None and invoice["status"] == "open":
            collect(account, invoice, present=True)
    return method
