"""/v1/checkout/sessions: only mode `subscription` is simulated."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, created_conditions, equal, listing, page_of
from sandbox.stripe.engine.checkout import expire
from sandbox.stripe.engine.subscriptions import check_prices, describe
from sandbox.stripe.model.errors import ApiError, unsupported_parameter
from sandbox.stripe.model.forms import Params
from sandbox.stripe.model.values import DAY, Json, list_of
from sandbox.stripe.objects.checkout import line_item_object, session_object

TAKES = (
    "mode", "line_items", "customer", "customer_email", "metadata", "subscription_data", "success_url", "cancel_url",
    "client_reference_id", "expires_at", "locale", "ui_mode", "payment_method_collection",
)  # fmt: skip
LOOKS = (
    "allow_promotion_codes", "automatic_tax", "billing_address_collection", "consent_collection", "custom_text",
    "customer_update", "phone_number_collection", "tax_id_collection", "submit_type", "branding_settings",
    "saved_payment_method_options", "name_collection", "adaptive_pricing",
)  # fmt: skip
DATA = {"metadata", "description", "trial_period_days", "trial_end", "billing_mode", "trial_settings"}


def create(call: Call) -> Json:
    """An open session with the address of its page."""
    params, account = call.params, call.account
    if params.must("mode") != "subscription":
        raise unsupported_parameter(f"mode={params.text('mode')}")
    if params.text("ui_mode") not in (None, "hosted", "hosted_page"):
        raise unsupported_parameter(f"ui_mode={params.text('ui_mode')}")
    params.require(["success_url", "line_items"])
    customer_id, email = params.text("customer"), params.text("customer_email")
    if customer_id and email:
        raise ApiError("You may only specify one of these parameters: customer, customer_email.", param="customer")
    customer = account.need(customer_id, "customer", param="customer") if customer_id else None
    lines = [_line(call, entry) for entry in params.each("line_items")]
    data = _subscription_data(call)
    session = session_object(
        mode="subscription",
        lines=lines,
        created=account.now,
        expires_at=_expiry(call),
        customer=customer_id,
        customer_email=email,
        success_url=params.text("success_url"),
        cancel_url=params.text("cancel_url"),
        client_reference_id=params.text("client_reference_id"),
        metadata=params.metadata(),
        locale=params.text("locale"),
        subscription_data=data,
        address=call.base,
        known_email=email or (customer or {}).get("email"),
    )
    if data.get("trial_period_days") or data.get("trial_end"):
        session |= {"amount_subtotal": 0, "amount_total": 0}
    return account.create(session)


def _line(call: Call, entry: Params) -> Json:
    if "price_data" in entry or "dynamic_tax_rates" in entry:
        raise unsupported_parameter(entry.name("price_data"))
    price = call.account.need(entry.must("price"), "price", param=entry.name("price"))
    check_prices([price])
    quantity = entry.whole("quantity")
    if quantity is None and price["recurring"]["usage_type"] == "licensed":
        raise ApiError("Quantity is required. Add `quantity` to `line_items[0]`", param=entry.name("quantity"))
    return line_item_object(
        price=price, quantity=quantity or 0, description=describe(call.account, price, quantity or 1)
    )


def _subscription_data(call: Call) -> Json:
    data = call.params.child("subscription_data")
    if data is None:
        return {"metadata": {}, "mode": call.account.config.billing_mode}
    for name in data.values:
        if name not in DATA:
            raise unsupported_parameter(data.name(name))
    mode = data.child("billing_mode")
    return {
        "metadata": data.metadata(),
        "description": data.text("description"),
        "trial_period_days": data.whole("trial_period_days"),
        "trial_end": data.whole("trial_end"),
        "mode": mode.choice("type", ("classic", "flexible"), "flexible") if mode else call.account.config.billing_mode,
    }


def _expiry(call: Call) -> int:
    wanted, now = call.params.whole("expires_at"), call.account.now
    if wanted is None:
        return now + DAY
    if not now + 1800 <= wanted <= now + DAY + 60:
        message = "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout Session creation."
        raise ApiError(message, param="expires_at")
    return wanted


def retrieve(call: Call) -> Json:
    """One session."""
    return call.account.need(call.id, "checkout.session")


def update(call: Call) -> Json:
    """Only metadata can change."""
    session = call.account.need(call.id, "checkout.session")
    session["metadata"] = call.params.metadata(session["metadata"])
    return call.account.save(session)


def find(call: Call) -> Json:
    """By customer, subscription, status and payment intent."""
    params = call.params
    conditions = equal(params, "customer", "subscription", "status", "payment_intent")
    details = params.child("customer_details")
    if details is not None:
        conditions += equal(details, email="customer_details.email")
    return listing(call, "checkout.session", [*conditions, *created_conditions(params)])


def end(call: Call) -> Json:
    """Open -> expired."""
    return expire(call.account, call.account.need(call.id, "checkout.session"))


def line_items(call: Call) -> Json:
    """What the session sells."""
    session, page = call.account.need(call.id, "checkout.session"), page_of(call.params)
    lines = session["_line_items"]
    return list_of(lines[: page.limit], call.url, has_more=len(lines) > page.limit)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/checkout/sessions",
        handler=create,
        params="checkout.SessionCreateParams",
        takes=TAKES,
        ignores=LOOKS,
        requires=("mode",),
    ),
    Endpoint(
        method="GET",
        path="/v1/checkout/sessions",
        handler=find,
        params="checkout.SessionListParams",
        takes=(*PAGING, "customer", "subscription", "status", "payment_intent", "customer_details", "created"),
    ),
    Endpoint(
        method="GET", path="/v1/checkout/sessions/{id}", handler=retrieve, params="checkout.SessionRetrieveParams"
    ),
    Endpoint(
        method="POST",
        path="/v1/checkout/sessions/{id}",
        handler=update,
        params="checkout.SessionUpdateParams",
        takes=("metadata",),
    ),
    Endpoint(
        method="POST", path="/v1/checkout/sessions/{id}/expire", handler=end, params="checkout.SessionExpireParams"
    ),
    Endpoint(
        method="GET",
        path="/v1/checkout/sessions/{id}/line_items",
        handler=line_items,
        params="checkout.SessionListLineItemsParams",
        takes=PAGING,
    ),
)
