"""/v1/customers and /v1/payment_methods."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, created_conditions, equal, listing
from sandbox.stripe.engine import payments
from sandbox.stripe.engine.endings import end_subscription
from sandbox.stripe.model.cards import TOKENS, Card, parse_number
from sandbox.stripe.model.errors import ApiError, missing_object
from sandbox.stripe.model.forms import Params
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.payments import billing_address
from sandbox.stripe.objects.people import customer_object
from sandbox.stripe.store.repository import Condition

PLAIN = ("description", "email", "name", "phone")
WRITES = (*PLAIN, "metadata", "address", "balance", "invoice_settings", "payment_method")
LOOKS = ("preferred_locales", "shipping", "tax", "tax_exempt", "invoice_prefix", "tax_id_data")


def create(call: Call) -> Json:
    """A new customer."""
    params = call.params
    customer = customer_object(
        email=params.text("email"), name=params.text("name"), created=call.account.now, metadata=params.metadata()
    )
    _apply(call, customer)
    call.account.create(customer, "customer.created")
    if params.text("payment_method"):
        payments.attach(call.account, resolve_method(call, params, "payment_method"), customer, default=False)
    return customer


def update(call: Call) -> Json:
    """Changes what was given."""
    customer = call.account.need(call.id, "customer")
    customer["metadata"] = call.params.metadata(customer["metadata"])
    _apply(call, customer)
    return call.account.save(customer, "customer.updated")


def _apply(call: Call, customer: Json) -> None:
    params = call.params
    for name in PLAIN:
        if name in params:
            customer[name] = params.text(name)
    if "balance" in params:
        customer["balance"] = params.whole("balance") or 0
    address = params.child("address")
    if address is not None:
        customer["address"] = billing_address({**(customer["address"] or {}), **address.values})
    settings = params.child("invoice_settings")
    if settings is not None and "default_payment_method" in settings:
        customer["invoice_settings"]["default_payment_method"] = _default(call, customer, settings)


def _default(call: Call, customer: Json, settings: Params) -> str | None:
    chosen = settings.text("default_payment_method")
    if chosen is None:
        return None
    method = call.account.need(chosen, "payment_method", param="invoice_settings[default_payment_method]")
    if method["customer"] != customer["id"]:
        message = "The customer does not have a payment method with the ID " + chosen + "."
        raise ApiError(message + " The payment method must be attached to the customer.", code="resource_missing")
    return chosen


def retrieve(call: Call) -> Json:
    """The customer; a deleted one answers `{id, object, deleted: true}`, as with Stripe."""
    found = call.account.find(call.id) or {}
    if found.get("deleted") and found["object"] == "customer":
        return found
    return call.account.need(call.id, "customer")


def find(call: Call) -> Json:
    """By e-mail and creation time."""
    conditions = [*equal(call.params, "email"), *created_conditions(call.params)]
    return listing(call, "customer", conditions)


def delete(call: Call) -> Json:
    """Ends the customer's subscriptions at once and forgets the customer."""
    customer = call.account.need(call.id, "customer")
    for subscription in call.account.every("subscription", customer=call.id):
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            end_subscription(call.account, subscription)
    return call.account.remove(customer, "customer.deleted", remembered=True)


def create_method(call: Call) -> Json:
    """A card from raw test numbers."""
    card = call.params.child("card")
    if card is None:
        raise ApiError("Missing required param: card.", code="parameter_missing", param="card")
    details = call.params.child("billing_details") or Params({})
    typed = Card(
        number=parse_number(card.must("number")),
        exp_month=card.whole("exp_month") or 12,
        exp_year=card.whole("exp_year") or 2034,
    )
    return payments.new_method(call.account, typed, email=details.text("email"), name=details.text("name"))


def resolve_method(call: Call, params: Params, name: str) -> Json:
    """A payment method by id, or one of Stripe's ready-made test methods (`pm_card_visa`)."""
    identifier = params.must(name)
    if identifier in TOKENS:
        return payments.new_method(call.account, Card(number=TOKENS[identifier]))
    return call.account.need(identifier, "payment_method", param=params.name(name))


def retrieve_method(call: Call) -> Json:
    """One payment method."""
    return call.account.need(call.id, "payment_method")


def attach_method(call: Call) -> Json:
    """Gives it to a customer."""
    customer = call.account.need(call.params.must("customer"), "customer", param="customer")
    if call.id in TOKENS:
        method = payments.new_method(call.account, Card(number=TOKENS[call.id]))
    else:
        method = call.account.need(call.id, "payment_method")
    return payments.attach(call.account, method, customer, default=False)


def detach_method(call: Call) -> Json:
    """Takes it away; it is no default any more."""
    method = call.account.need(call.id, "payment_method")
    if method["customer"] is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise ApiError(message)
    customer = call.account.need(method["customer"], "customer")
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        call.account.save(customer, "customer.updated")
    method["customer"] = None
    call.account.save(method)
    call.account.emit("payment_method.detached", method)
    return method


def find_methods(call: Call) -> Json:
    """A customer's cards."""
    customer = call.path.get("id") or call.params.text("customer")
    if customer is None:
        return listing(call, "payment_method", [])
    if call.account.find(customer) is None:
        raise missing_object("customer", customer, "customer", in_path="id" in call.path)
    return listing(call, "payment_method", [Condition(field="customer", operator="=", value=customer)])


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/customers", handler=create, params="CustomerCreateParams", takes=WRITES, ignores=LOOKS
    ),
    Endpoint(
        method="GET",
        path="/v1/customers",
        handler=find,
        params="CustomerListParams",
        takes=(*PAGING, "email", "created"),
    ),
    Endpoint(method="GET", path="/v1/customers/{id}", handler=retrieve, params="CustomerRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/customers/{id}",
        handler=update,
        params="CustomerUpdateParams",
        takes=WRITES[:-1],
        ignores=LOOKS[:-1],
    ),
    Endpoint(method="DELETE", path="/v1/customers/{id}", handler=delete, params="CustomerDeleteParams"),
    Endpoint(
        method="GET",
        path="/v1/customers/{id}/payment_methods",
        handler=find_methods,
        params="CustomerPaymentMethodListParams",
        takes=(*PAGING, "type"),
    ),
    Endpoint(
        method="POST",
        path="/v1/payment_methods",
        handler=create_method,
        params="PaymentMethodCreateParams",
        takes=("type", "card", "billing_details"),
        requires=("type",),
    ),
    Endpoint(
        method="GET",
        path="/v1/payment_methods",
        handler=find_methods,
        params="PaymentMethodListParams",
        takes=(*PAGING, "customer", "type"),
    ),
    Endpoint(
        method="GET", path="/v1/payment_methods/{id}", handler=retrieve_method, params="PaymentMethodRetrieveParams"
    ),
    Endpoint(
        method="POST",
        path="/v1/payment_methods/{id}/attach",
        handler=attach_method,
        params="PaymentMethodAttachParams",
        takes=("customer",),
    ),
    Endpoint(
        method="POST", path="/v1/payment_methods/{id}/detach", handler=detach_method, params="PaymentMethodDetachParams"
    ),
)
