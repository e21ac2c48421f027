"""/v1/billing_portal: configurations and sessions."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, listing
from sandbox.stripe.model.errors import ApiError, unsupported_parameter
from sandbox.stripe.model.forms import Params, children
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.portal import configuration_object, flow_hash, portal_session_object
from sandbox.stripe.store.account import Account

FLOWS = ("payment_method_update", "subscription_cancel", "subscription_update")
WRITES = ("features", "business_profile", "default_return_url", "metadata", "name")


def create_configuration(call: Call) -> Json:
    """The features given replace the defaults, field by field."""
    configuration = configuration_object(created=call.account.now, is_default=False, metadata={})
    for feature in configuration["features"].values():
        feature["enabled"] = False
    _apply(call.params, configuration)
    return call.account.create(configuration, "billing_portal.configuration.created")


def update_configuration(call: Call) -> Json:
    """Changes what was given."""
    configuration = call.account.need(call.id, "billing_portal.configuration")
    configuration["updated"] = call.account.now
    if "active" in call.params:
        configuration["active"] = call.params.flag("active")
    _apply(call.params, configuration)
    return call.account.save(configuration, "billing_portal.configuration.updated")


def _apply(params: Params, configuration: Json) -> None:
    configuration["metadata"] = params.metadata(configuration["metadata"])
    for name in ("default_return_url", "name"):
        if name in params:
            configuration[name] = params.text(name)
    for name in ("features", "business_profile"):
        child = params.child(name)
        if child is not None:
            _merge(configuration[name], child.values)


def _merge(target: Json, values: Json) -> None:
    """Form values into typed ones: booleans by word, lists by their numbered keys."""
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = _typed(value)


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        if all(key.isdigit() for key in value):
            return [_typed(item) for item in children(value)]
        return {key: _typed(item) for key, item in value.items()}
    return {"true": True, "false": False, "": None}.get(value, value)


def retrieve_configuration(call: Call) -> Json:
    """One configuration."""
    return call.account.need(call.id, "billing_portal.configuration")


def find_configurations(call: Call) -> Json:
    """All configurations."""
    default_configuration(call.account)
    return listing(call, "billing_portal.configuration", [])


def default_configuration(account: Account) -> Json:
    """The one used when a session names none; made on first use."""
    for configuration in account.every("billing_portal.configuration"):
        if configuration["is_default"]:
            return configuration
    return account.create(configuration_object(created=account.now, is_default=True, metadata={}))


def create_session(call: Call) -> Json:
    """A link for one customer."""
    params, account = call.params, call.account
    customer = account.need(params.must("customer"), "customer", param="customer")
    chosen = params.text("configuration")
    configuration = (
        account.need(chosen, "billing_portal.configuration", param="configuration")
        if chosen
        else default_configuration(account)
    )
    session = portal_session_object(
        customer=customer["id"],
        configuration=configuration["id"],
        created=account.now,
        return_url=params.text("return_url") or configuration["default_return_url"],
        flow=_flow(call, customer),
        address=call.base,
        locale=params.text("locale"),
    )
    return account.create(session, "billing_portal.session.created")


def _flow(call: Call, customer: Json) -> Json | None:
    flow = call.params.child("flow_data")
    if flow is None:
        return None
    kind = flow.must("type")
    if kind not in FLOWS:
        raise unsupported_parameter(f"flow_data[type]={kind}")
    inner = flow.child(kind)
    subscription: str | None = None
    if kind.startswith("subscription"):
        subscription = inner.must("subscription") if inner else None
        found = call.account.find(subscription)
        if found is None or found["customer"] != customer["id"]:
            message = f"No such subscription: '{subscription}'"
            raise ApiError(message, code="resource_missing", param=f"flow_data[{kind}][subscription]")
    after = flow.child("after_completion")
    redirect = after.child("redirect") if after else None
    return flow_hash(kind=kind, subscription=subscription, return_url=redirect.text("return_url") if redirect else None)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/billing_portal/configurations",
        handler=create_configuration,
        params="billing_portal.ConfigurationCreateParams",
        takes=WRITES,
        ignores=("login_page",),
        requires=("features",),
    ),
    Endpoint(
        method="GET",
        path="/v1/billing_portal/configurations",
        handler=find_configurations,
        params="billing_portal.ConfigurationListParams",
        takes=PAGING,
    ),
    Endpoint(
        method="GET",
        path="/v1/billing_portal/configurations/{id}",
        handler=retrieve_configuration,
        params="billing_portal.ConfigurationRetrieveParams",
    ),
    Endpoint(
        method="POST",
        path="/v1/billing_portal/configurations/{id}",
        handler=update_configuration,
        params="billing_portal.ConfigurationUpdateParams",
        takes=(*WRITES, "active"),
        ignores=("login_page",),
    ),
    Endpoint(
        method="POST",
        path="/v1/billing_portal/sessions",
        handler=create_session,
        params="billing_portal.SessionCreateParams",
        takes=("customer", "return_url", "configuration", "flow_data", "locale"),
        requires=("customer",),
    ),
)
