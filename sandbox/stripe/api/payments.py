"""/v1/payment_intents, /v1/charges (both to read), /v1/refunds, /v1/disputes."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, Handler, created_conditions, equal, listing
from sandbox.stripe.engine.disputes import close_dispute, refund
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import Json

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def reader(kind: str) -> Handler:
    """Retrieves one object of `kind`."""

    def retrieve(call: Call) -> Json:
        return call.account.need(call.id, kind)

    return retrieve


def lister(kind: str, *filters: str) -> Handler:
    """Lists `kind` by equality of `filters` and by creation time."""

    def find(call: Call) -> Json:
        return listing(call, kind, [*equal(call.params, *filters), *created_conditions(call.params)])

    return find


def create_refund(call: Call) -> Json:
    """Of a charge, or of the charge that a payment intent made."""
    params, account = call.params, call.account
    charge_id, intent_id = params.text("charge"), params.text("payment_intent")
    if intent_id:
        charge_id = account.need(intent_id, "payment_intent", param="payment_intent")["latest_charge"]
    if charge_id is None:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise ApiError(message, code="parameter_missing", param="charge")
    reason = params.text("reason")
    if reason:
        params.choice("reason", REASONS, reason)
    return refund(
        account,
        account.need(charge_id, "charge", param="charge"),
        amount=params.whole("amount"),
        reason=reason,
        metadata=params.metadata(),
    )


def update_dispute(call: Call) -> Json:
    """Evidence; `submit` hands it in."""
    dispute, params = call.account.need(call.id, "dispute"), call.params
    dispute["metadata"] = params.metadata(dispute["metadata"])
    evidence = params.child("evidence")
    if evidence is not None:
        dispute["evidence"] |= {name: evidence.text(name) for name in evidence.values}
        dispute["evidence_details"]["has_evidence"] = True
        if params.flag("submit") is not False:
            dispute["status"] = "under_review"
            dispute["evidence_details"] |= {"submission_count": 1, "submission_method": "manual"}
    return call.account.save(dispute, "charge.dispute.updated")


def end_dispute(call: Call) -> Json:
    """The merchant gives in."""
    return close_dispute(call.account, call.account.need(call.id, "dispute"), status="lost")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/payment_intents",
        handler=lister("payment_intent", "customer"),
        params="PaymentIntentListParams",
        takes=(*PAGING, "customer", "created"),
    ),
    Endpoint(
        method="GET",
        path="/v1/payment_intents/{id}",
        handler=reader("payment_intent"),
        params="PaymentIntentRetrieveParams",
    ),
    Endpoint(
        method="GET",
        path="/v1/charges",
        handler=lister("charge", "customer", "payment_intent"),
        params="ChargeListParams",
        takes=(*PAGING, "customer", "payment_intent", "created"),
    ),
    Endpoint(method="GET", path="/v1/charges/{id}", handler=reader("charge"), params="ChargeRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/refunds",
        handler=create_refund,
        params="RefundCreateParams",
        takes=("charge", "payment_intent", "amount", "reason", "metadata"),
    ),
    Endpoint(
        method="GET",
        path="/v1/refunds",
        handler=lister("refund", "charge", "payment_intent"),
        params="RefundListParams",
        takes=(*PAGING, "charge", "payment_intent", "created"),
    ),
    Endpoint(method="GET", path="/v1/refunds/{id}", handler=reader("refund"), params="RefundRetrieveParams"),
    Endpoint(
        method="GET",
        path="/v1/disputes",
        handler=lister("dispute", "charge", "payment_intent"),
        params="DisputeListParams",
        takes=(*PAGING, "charge", "payment_intent", "created"),
    ),
    Endpoint(method="GET", path="/v1/disputes/{id}", handler=reader("dispute"), params="DisputeRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/disputes/{id}",
        handler=update_dispute,
        params="DisputeUpdateParams",
        takes=("evidence", "metadata", "submit"),
    ),
    Endpoint(method="POST", path="/v1/disputes/{id}/close", handler=end_dispute, params="DisputeCloseParams"),
)
