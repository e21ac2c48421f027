"""/v1/events and /v1/webhook_endpoints."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, created_conditions, listing, page_of
from sandbox.stripe.model.errors import ApiError, missing_object
from sandbox.stripe.model.values import DAY, Json, list_of, new_id
from sandbox.stripe.objects.events import endpoint_object
from sandbox.stripe.store.repository import Condition

KEPT_DAYS = 30
"""How far back Stripe lists events (docs.stripe.com/api/events/list)."""


def retrieve_event(call: Call) -> Json:
    """One event as it was recorded."""
    event = call.account.events.get(call.id)
    if event is None:
        raise missing_object("event", call.id, in_path=True)
    return _fresh(call, event)


def find_events(call: Call) -> Json:
    """By type (a trailing `*` is a wildcard), types and creation time; they are listed for 30 days."""
    params, page = call.params, page_of(call.params)
    lag = int(call.account.settings.get("hostile", {}).get("events_lag", 0))
    oldest, newest = call.account.now - KEPT_DAYS * DAY, call.account.now - lag
    conditions = [
        *created_conditions(params),
        Condition(field="created", operator=">=", value=oldest),
        Condition(field="created", operator="<=", value=newest),
    ]
    kind, kinds = params.text("type"), params.texts("types")
    if kind and kinds:
        raise ApiError("You may only specify one of these parameters: type, types.", param="type")
    if kind:
        conditions.append(Condition(field="type", operator="GLOB", value=kind))
    if kinds:
        conditions.append(Condition(field="type", operator="in", value=kinds))
    if page.starting_after and call.account.events.get(page.starting_after) is None:
        raise missing_object("event", page.starting_after, "starting_after")
    found, more = call.account.events.find(conditions, page=page)
    return list_of([_fresh(call, event) for event in found], call.url, has_more=more)


def _fresh(call: Call, event: Json) -> Json:
    """`pending_webhooks` counts the deliveries that have not succeeded yet."""
    sql = "SELECT count(DISTINCT endpoint) AS n FROM deliveries WHERE event = ? AND state = 'pending'"
    row = call.account.database.connection.execute(sql, [event["id"]]).fetchone()
    return {**event, "pending_webhooks": row["n"]}


def create_endpoint(call: Call) -> Json:
    """The answer is the only one that shows the secret."""
    params = call.params
    endpoint = endpoint_object(
        url=params.must("url"),
        secret=f"whsec_{new_id('x', 32)[2:]}",
        enabled_events=params.texts("enabled_events"),
        created=call.account.now,
        metadata=params.metadata(),
    )
    endpoint |= {"description": params.text("description"), "api_version": params.text("api_version")}
    call.account.create(endpoint)
    return {**endpoint, "secret": endpoint["_secret"]}


def update_endpoint(call: Call) -> Json:
    """Address, events, on or off."""
    endpoint, params = call.account.need(call.id, "webhook_endpoint"), call.params
    for name in ("url", "description"):
        if name in params:
            endpoint[name] = params.text(name)
    if "enabled_events" in params:
        endpoint["enabled_events"] = params.texts("enabled_events")
    if "disabled" in params:
        endpoint["status"] = "disabled" if params.flag("disabled") else "enabled"
    endpoint["metadata"] = params.metadata(endpoint["metadata"])
    return call.account.save(endpoint)


def retrieve_endpoint(call: Call) -> Json:
    """One endpoint, without its secret."""
    return call.account.need(call.id, "webhook_endpoint")


def find_endpoints(call: Call) -> Json:
    """All endpoints."""
    return listing(call, "webhook_endpoint", [])


def delete_endpoint(call: Call) -> Json:
    """Nothing is sent there any more."""
    return call.account.remove(call.account.need(call.id, "webhook_endpoint"))


WRITES = ("url", "enabled_events", "description", "metadata")

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/events",
        handler=find_events,
        params="EventListParams",
        takes=(*PAGING, "type", "types", "created"),
    ),
    Endpoint(method="GET", path="/v1/events/{id}", handler=retrieve_event, params="EventRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/webhook_endpoints",
        handler=create_endpoint,
        params="WebhookEndpointCreateParams",
        takes=(*WRITES, "api_version"),
        requires=("url", "enabled_events"),
    ),
    Endpoint(
        method="GET",
        path="/v1/webhook_endpoints",
        handler=find_endpoints,
        params="WebhookEndpointListParams",
        takes=PAGING,
    ),
    Endpoint(
        method="GET",
        path="/v1/webhook_endpoints/{id}",
        handler=retrieve_endpoint,
        params="WebhookEndpointRetrieveParams",
    ),
    Endpoint(
        method="POST",
        path="/v1/webhook_endpoints/{id}",
        handler=update_endpoint,
        params="WebhookEndpointUpdateParams",
        takes=(*WRITES, "disabled"),
    ),
    Endpoint(
        method="DELETE",
        path="/v1/webhook_endpoints/{id}",
        handler=delete_endpoint,
        params="WebhookEndpointDeleteParams",
    ),
)
