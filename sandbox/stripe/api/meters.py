"""/v1/billing/meters and /v1/billing/meter_events."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, equal, listing
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import DAY, Json, new_id
from sandbox.stripe.objects.meters import meter_event_object, meter_object

MAX_AGE_DAYS = 35
AHEAD_SECONDS = 300


def create_meter(call: Call) -> Json:
    """A meter; its event name is unique among active ones."""
    params, account = call.params, call.account
    if any(
        meter["status"] == "active" for meter in account.every("billing.meter", event_name=params.must("event_name"))
    ):
        message = f"An active meter with event name `{params.text('event_name')}` already exists."
        raise ApiError(message, param="event_name")
    aggregation, mapping, value = (
        params.child(name) for name in ("default_aggregation", "customer_mapping", "value_settings")
    )
    meter = meter_object(
        name=params.must("display_name"),
        event_name=params.must("event_name"),
        formula=aggregation.choice("formula", ("sum", "count"), "sum") if aggregation else "sum",
        created=account.now,
        mapping=(mapping.text("event_payload_key") if mapping else None) or "stripe_customer_id",
        value_key=(value.text("event_payload_key") if value else None) or "value",
    )
    return account.create(meter, "billing.meter.created")


def retrieve_meter(call: Call) -> Json:
    """One meter."""
    return call.account.need(call.id, "billing.meter")


def find_meters(call: Call) -> Json:
    """By status."""
    return listing(call, "billing.meter", equal(call.params, "status"))


def deactivate_meter(call: Call) -> Json:
    """No more events."""
    meter = call.account.need(call.id, "billing.meter")
    meter |= {"status": "inactive", "updated": call.account.now}
    meter["status_transitions"]["deactivated_at"] = call.account.now
    return call.account.save(meter, "billing.meter.deactivated")


def create_event(call: Call) -> Json:
    """Usage. The identifier is unique for a rolling day only: a later replay counts twice, as with Stripe.

    Unlike Stripe, which answers at once and checks later, everything is checked here.
    """
    params, account = call.params, call.account
    name, payload = params.must("event_name"), params.child("payload")
    meters = [meter for meter in account.every("billing.meter", event_name=name) if meter["status"] == "active"]
    if not meters:
        raise ApiError(f"No active meter found for event name `{name}`.", code="resource_missing", param="event_name")
    if payload is None:
        raise ApiError("Missing required param: payload.", code="parameter_missing", param="payload")
    identifier = params.text("identifier") or new_id("mev")
    for event in account.every("billing.meter_event", identifier=identifier):
        if event["created"] > account.now - DAY:
            message = f"An event already exists with identifier {identifier}."
            raise ApiError(message, code="duplicate_meter_event", param="identifier")
    moment = params.whole("timestamp") or account.now
    if not account.now - MAX_AGE_DAYS * DAY <= moment <= account.now + AHEAD_SECONDS:
        raise ApiError("The timestamp must lie within the past 35 days or up to 5 minutes ahead.", param="timestamp")
    customer_key = meters[0]["customer_mapping"]["event_payload_key"]
    account.need(payload.must(customer_key), "customer", param=f"payload[{customer_key}]")
    values = {key: str(value) for key, value in payload.values.items()}
    event = meter_event_object(
        event_name=name, identifier=identifier, payload=values, timestamp=moment, created=account.now
    )
    account.objects.put({**event, "id": new_id("_mev")})
    return event


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/billing/meters",
        handler=create_meter,
        params="billing.MeterCreateParams",
        takes=("display_name", "event_name", "default_aggregation", "customer_mapping", "value_settings"),
        requires=("default_aggregation", "display_name", "event_name"),
    ),
    Endpoint(
        method="GET",
        path="/v1/billing/meters",
        handler=find_meters,
        params="billing.MeterListParams",
        takes=(*PAGING, "status"),
    ),
    Endpoint(
        method="GET", path="/v1/billing/meters/{id}", handler=retrieve_meter, params="billing.MeterRetrieveParams"
    ),
    Endpoint(
        method="POST",
        path="/v1/billing/meters/{id}/deactivate",
        handler=deactivate_meter,
        params="billing.MeterDeactivateParams",
    ),
    Endpoint(
        method="POST",
        path="/v1/billing/meter_events",
        handler=create_event,
        params="billing.MeterEventCreateParams",
        takes=("event_name", "payload", "identifier", "timestamp"),
        requires=("event_name", "payload"),
    ),
)
