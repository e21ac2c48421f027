"""/v1/subscriptions and /v1/subscription_items."""

from __future__ import annotations

from sandbox.stripe.api.customers import resolve_method
from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, created_conditions, equal, listing
from sandbox.stripe.api.items import item_changes
from sandbox.stripe.engine import changes
from sandbox.stripe.engine.endings import end_subscription
from sandbox.stripe.engine.pauses import pause_subscription, resume_subscription
from sandbox.stripe.engine.subscriptions import Line, Start, start
from sandbox.stripe.model.errors import ApiError, CardError, unsupported_parameter
from sandbox.stripe.model.forms import Params
from sandbox.stripe.model.values import DAY, Json, list_of
from sandbox.stripe.objects.subscriptions import cancellation
from sandbox.stripe.store.repository import Condition

STATUSES = ("active", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired", "trialing", "paused")
PRORATIONS = ("create_prorations", "always_invoice", "none")
PAYMENTS = ("allow_incomplete", "default_incomplete", "error_if_incomplete")
LOOKS = ("description", "automatic_tax", "payment_settings", "invoice_settings", "off_session", "collection_method")


def create(call: Call) -> Json:
    """A subscription without a page: the customer's default card pays."""
    params, account = call.params, call.account
    customer = account.need(params.must("customer"), "customer", param="customer")
    lines = [
        Line(
            price=account.need(entry.must("price"), "price", param=entry.name("price")),
            quantity=entry.whole("quantity") or 1,
            metadata=entry.metadata(),
        )
        for entry in params.each("items")
    ]
    if not lines:
        raise ApiError("Missing required param: items.", code="parameter_missing", param="items")
    behavior = params.choice("payment_behavior", PAYMENTS, "allow_incomplete")
    trial_days, mode = params.whole("trial_period_days"), params.child("billing_mode")
    method = (
        resolve_method(call, params, "default_payment_method")["id"] if params.text("default_payment_method") else None
    )
    wanted = Start(
        customer=customer,
        lines=lines,
        metadata=params.metadata(),
        mode=mode.choice("type", ("classic", "flexible"), "flexible") if mode else account.config.billing_mode,
        default_payment_method=method,
        description=params.text("description"),
        trial_end=account.now + trial_days * DAY if trial_days else _moment(call, params, "trial_end"),
        pay=behavior != "default_incomplete",
    )
    subscription, error = start(account, wanted)
    if error is not None and not isinstance(error, CardError):
        raise error
    if error is not None and behavior == "error_if_incomplete":
        raise CardError(error.message, code=error.code or "", decline_code=error.decline_code, keep=False)
    if params.flag("cancel_at_period_end"):
        changes.schedule_cancel(account, subscription)
        account.save(subscription, "customer.subscription.updated")
    return subscription


def _moment(call: Call, params: Params, name: str) -> int | None:
    return call.account.now if params.values.get(name) == "now" else params.whole(name)


def retrieve(call: Call) -> Json:
    """One subscription."""
    return call.account.need(call.id, "subscription")


def find(call: Call) -> Json:
    """Without `status` the ended ones are left out; `all` shows them, `ended` only them."""
    params = call.params
    conditions = [*equal(params, "customer"), *created_conditions(params)]
    status = params.text("status")
    if status is None:
        alive = [name for name in STATUSES if name not in ("canceled", "incomplete_expired")]
        conditions.append(Condition(field="status", operator="in", value=alive))
    elif status == "ended":
        conditions.append(Condition(field="status", operator="in", value=["canceled", "incomplete_expired"]))
    elif status != "all":
        params.choice("status", STATUSES, status)
        conditions.append(Condition(field="status", operator="=", value=status))
    if params.text("price"):
        conditions.append(Condition(field="items.data[0].price.id", operator="=", value=params.text("price")))
    return listing(call, "subscription", conditions)


def update(call: Call) -> Json:
    """Plan, cancellation, pause, card, metadata: several at once, one event."""
    params, account = call.params, call.account
    subscription = account.need(call.id, "subscription")
    subscription["metadata"] = params.metadata(subscription["metadata"])
    _details(params, subscription)
    if set(params.values) - {"metadata", "cancellation_details", "expand"}:
        changes.require_running(subscription)
    if "description" in params:
        subscription["description"] = params.text("description")
    if "default_payment_method" in params:
        chosen = params.text("default_payment_method")
        subscription["default_payment_method"] = (
            resolve_method(call, params, "default_payment_method")["id"] if chosen else None
        )
    _cancellation(call, subscription)
    _pause(params, subscription)
    _trial(call, subscription)
    if "items" in params:
        behavior = params.choice("payment_behavior", PAYMENTS, "allow_incomplete")
        proration = params.choice("proration_behavior", PRORATIONS, "create_prorations")
        changed = item_changes(call, params)
        subscription = changes.change_items(
            account, subscription, changed, proration=proration, strict=behavior == "error_if_incomplete"
        )
    return account.save(subscription, "customer.subscription.updated")


def _details(params: Params, subscription: Json) -> None:
    details = params.child("cancellation_details")
    if details is not None:
        old = subscription["cancellation_details"]
        subscription["cancellation_details"] = cancellation(
            reason=old["reason"],
            comment=details.text("comment") if "comment" in details else old["comment"],
            feedback=details.text("feedback") if "feedback" in details else old["feedback"],
        )


def _cancellation(call: Call, subscription: Json) -> None:
    params = call.params
    details = subscription["cancellation_details"]
    flag = params.flag("cancel_at_period_end")
    if flag:
        changes.schedule_cancel(call.account, subscription, comment=details["comment"], feedback=details["feedback"])
    elif flag is False and subscription["cancel_at"]:
        changes.unschedule_cancel(subscription)
    if "cancel_at" not in params:
        return
    moment = params.whole("cancel_at")
    if moment is None:
        changes.unschedule_cancel(subscription)
    elif moment <= call.account.now:
        raise ApiError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="cancel_at")
    else:
        changes.schedule_cancel(call.account, subscription, flag=False)
        subscription["cancel_at"] = moment


def _pause(params: Params, subscription: Json) -> None:
    if "pause_collection" not in params:
        return
    pause = params.child("pause_collection")
    if pause is None:
        subscription["pause_collection"] = None
        return
    behavior = pause.choice("behavior", ("keep_as_draft", "mark_uncollectible", "void"), "")
    subscription["pause_collection"] = {"behavior": behavior, "resumes_at": pause.whole("resumes_at")}


def _trial(call: Call, subscription: Json) -> None:
    if call.params.values.get("trial_end") is None:
        return
    if subscription["status"] != "trialing":
        raise unsupported_parameter("trial_end (of a subscription that is not trialing)")
    moment = _moment(call, call.params, "trial_end") or call.account.now
    subscription |= {"trial_end": moment, "billing_cycle_anchor": moment}
    for item in subscription["items"]["data"]:
        item["current_period_end"] = moment


def cancel(call: Call) -> Json:
    """Ends it now."""
    subscription = call.account.need(call.id, "subscription")
    if subscription["status"] in ("canceled", "incomplete_expired"):
        raise ApiError(f"No such subscription: '{call.id}'", status=404, code="resource_missing", param="id")
    details = call.params.child("cancellation_details") or Params({})
    return end_subscription(
        call.account, subscription, comment=details.text("comment"), feedback=details.text("feedback")
    )


def pause(call: Call) -> Json:
    """To status `paused`: no renewals until `resume`. Unused time is not credited (a difference from Stripe)."""
    return pause_subscription(call.account, call.account.need(call.id, "subscription"), reason="pause_requested")


def resume(call: Call) -> Json:
    """A new period begins now and is invoiced."""
    return resume_subscription(call.account, call.account.need(call.id, "subscription"))


def find_items(call: Call) -> Json:
    """The items of one subscription."""
    subscription = call.account.need(call.params.must("subscription"), "subscription", param="subscription")
    return list_of(subscription["items"]["data"], call.url)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/subscriptions",
        handler=create,
        params="SubscriptionCreateParams",
        takes=(
            "customer",
            "items",
            "metadata",
            "default_payment_method",
            "description",
            "payment_behavior",
            "trial_period_days",
            "trial_end",
            "billing_mode",
            "cancel_at_period_end",
        ),
        ignores=(*LOOKS[1:], "proration_behavior"),
        requires=("customer",),
    ),
    Endpoint(
        method="GET",
        path="/v1/subscriptions",
        handler=find,
        params="SubscriptionListParams",
        takes=(*PAGING, "customer", "status", "price", "created"),
    ),
    Endpoint(method="GET", path="/v1/subscriptions/{id}", handler=retrieve, params="SubscriptionRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/subscriptions/{id}",
        handler=update,
        params="SubscriptionUpdateParams",
        takes=(
            "items",
            "metadata",
            "description",
            "default_payment_method",
            "cancel_at_period_end",
            "cancel_at",
            "cancellation_details",
            "pause_collection",
            "proration_behavior",
            "payment_behavior",
            "trial_end",
        ),
        ignores=LOOKS[1:],
    ),
    Endpoint(
        method="DELETE",
        path="/v1/subscriptions/{id}",
        handler=cancel,
        params="SubscriptionCancelParams",
        takes=("cancellation_details",),
    ),
    Endpoint(
        method="POST",
        path="/v1/subscriptions/{id}/resume",
        handler=resume,
        params="SubscriptionResumeParams",
        ignores=("proration_behavior", "payment_behavior"),
    ),
    Endpoint(
        method="POST",
        path="/v1/subscriptions/{id}/pause",
        handler=pause,
        params="SubscriptionPauseParams",
        ignores=("type", "invoicing_behavior", "bill_for"),
    ),
    Endpoint(
        method="GET",
        path="/v1/subscription_items",
        handler=find_items,
        params="SubscriptionItemListParams",
        takes=(*PAGING, "subscription"),
        requires=("subscription",),
    ),
)
