"""/v1/products and /v1/prices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, created_conditions, equal, listing
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.forms import Params
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.catalogue import price_object, product_object, recurring_hash
from sandbox.stripe.store.repository import Condition

INTERVALS = ("day", "week", "month", "year")
PRODUCT_LOOKS = (
    "images", "marketing_features", "package_dimensions", "shippable", "statement_descriptor", "tax_code", "unit_label", "url",
)  # fmt: skip


def create_product(call: Call) -> Json:
    """A new product."""
    params = call.params
    identifier = params.text("id")
    if identifier and call.account.find(identifier):
        raise ApiError("Product already exists.", code="resource_already_exists", param="id")
    product = product_object(
        identifier=identifier,
        name=params.must("name"),
        created=call.account.now,
        metadata=params.metadata(),
        description=params.text("description"),
    )
    product["active"] = params.flag("active") is not False
    return call.account.create(product, "product.created")


def update_product(call: Call) -> Json:
    """Changes what was given."""
    product, params = call.account.need(call.id, "product"), call.params
    for name in ("name", "description", "default_price"):
        if name in params:
            product[name] = params.text(name)
    if "active" in params:
        product["active"] = params.flag("active")
    product["metadata"] = params.metadata(product["metadata"])
    product["updated"] = call.account.now
    return call.account.save(product, "product.updated")


def retrieve_product(call: Call) -> Json:
    """One product."""
    return call.account.need(call.id, "product")


def find_products(call: Call) -> Json:
    """By activity, ids and creation time."""
    conditions = [*_active(call.params), *created_conditions(call.params)]
    if "ids" in call.params:
        conditions.append(Condition(field="id", operator="in", value=call.params.texts("ids")))
    return listing(call, "product", conditions)


def delete_product(call: Call) -> Json:
    """Only a product without prices can go."""
    product = call.account.need(call.id, "product")
    if call.account.every("price", product=call.id):
        message = "This product cannot be deleted because it has one or more user-created prices."
        raise ApiError(message)
    return call.account.remove(product, "product.deleted")


def create_price(call: Call) -> Json:
    """A new price of an existing product, or of one described in `product_data`."""
    params = call.params
    product = _product_of(call)
    lookup_key = params.text("lookup_key")
    if lookup_key:
        _free_lookup_key(call, lookup_key, transfer=bool(params.flag("transfer_lookup_key")))
    price = price_object(
        product=product["id"],
        currency=params.must("currency").lower(),
        unit_amount=_amount(params),
        recurring=_recurring(params),
        created=call.account.now,
        lookup_key=lookup_key,
        metadata=params.metadata(),
        nickname=params.text("nickname"),
        tax_behavior=params.choice("tax_behavior", ("unspecified", "exclusive", "inclusive"), "unspecified"),
    )
    price["active"] = params.flag("active") is not False
    return call.account.create(price, "price.created")


def _product_of(call: Call) -> Json:
    data = call.params.child("product_data")
    if data is None:
        return call.account.need(call.params.must("product"), "product", param="product")
    product = product_object(
        identifier=data.text("id"),
        name=data.must("name"),
        created=call.account.now,
        metadata=data.metadata(),
        description=None,
    )
    return call.account.create(product, "product.created")


def _amount(params: Params) -> int:
    amount = params.whole("unit_amount")
    decimal = params.text("unit_amount_decimal")
    if amount is None and decimal is not None:
        try:
            amount = int(Decimal(decimal))
        except InvalidOperation as error:
            raise ApiError(f"Invalid decimal: {decimal}", param="unit_amount_decimal") from error
    if amount is None:
        raise ApiError("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")
    if amount < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param="unit_amount")
    return amount


def _recurring(params: Params) -> Json | None:
    recurring = params.child("recurring")
    if recurring is None:
        return None
    recurring.require(["interval"])
    return recurring_hash(
        interval=recurring.choice("interval", INTERVALS, "month"),
        interval_count=recurring.whole("interval_count") or 1,
        usage_type=recurring.choice("usage_type", ("licensed", "metered"), "licensed"),
        meter=recurring.text("meter"),
    )


def _free_lookup_key(call: Call, lookup_key: str, *, transfer: bool) -> None:
    """A lookup key belongs to one price; `transfer_lookup_key` takes it from the old one."""
    for price in call.account.every("price", lookup_key=lookup_key):
        if not transfer:
            message = f"A price (`{price['id']}`) already uses that lookup key."
            raise ApiError(message, param="lookup_key")
        price["lookup_key"] = None
        call.account.save(price, "price.updated")


def update_price(call: Call) -> Json:
    """Changes what may change: amounts and intervals never do."""
    price, params = call.account.need(call.id, "price"), call.params
    lookup_key = params.text("lookup_key")
    if lookup_key and lookup_key != price["lookup_key"]:
        _free_lookup_key(call, lookup_key, transfer=bool(params.flag("transfer_lookup_key")))
    for name in ("lookup_key", "nickname"):
        if name in params:
            price[name] = params.text(name)
    if "active" in params:
        price["active"] = params.flag("active")
    price["metadata"] = params.metadata(price["metadata"])
    return call.account.save(price, "price.updated")


def retrieve_price(call: Call) -> Json:
    """One price."""
    return call.account.need(call.id, "price")


def find_prices(call: Call) -> Json:
    """By lookup keys, product, activity, type, currency and interval."""
    params = call.params
    conditions = [*_active(params), *equal(params, "product", "type", "currency"), *created_conditions(params)]
    keys = params.texts("lookup_keys")
    if keys:
        conditions.append(Condition(field="lookup_key", operator="in", value=keys))
    recurring = params.child("recurring")
    if recurring is not None:
        conditions += equal(
            recurring, interval="recurring.interval", usage_type="recurring.usage_type", meter="recurring.meter"
        )
    return listing(call, "price", conditions)


def _active(params: Params) -> list[Condition]:
    return (
        [Condition(field="active", operator="=", value=int(bool(params.flag("active"))))] if "active" in params else []
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/products",
        handler=create_product,
        params="ProductCreateParams",
        takes=("id", "name", "description", "active", "metadata"),
        ignores=PRODUCT_LOOKS,
        requires=("name",),
    ),
    Endpoint(
        method="GET",
        path="/v1/products",
        handler=find_products,
        params="ProductListParams",
        takes=(*PAGING, "active", "ids", "created"),
    ),
    Endpoint(method="GET", path="/v1/products/{id}", handler=retrieve_product, params="ProductRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/products/{id}",
        handler=update_product,
        params="ProductUpdateParams",
        takes=("name", "description", "active", "default_price", "metadata"),
        ignores=PRODUCT_LOOKS,
    ),
    Endpoint(method="DELETE", path="/v1/products/{id}", handler=delete_product, params="ProductDeleteParams"),
    Endpoint(
        method="POST",
        path="/v1/prices",
        handler=create_price,
        params="PriceCreateParams",
        takes=(
            "product",
            "product_data",
            "currency",
            "unit_amount",
            "unit_amount_decimal",
            "recurring",
            "lookup_key",
            "transfer_lookup_key",
            "metadata",
            "nickname",
            "active",
            "billing_scheme",
            "tax_behavior",
        ),
        requires=("currency",),
    ),
    Endpoint(
        method="GET",
        path="/v1/prices",
        handler=find_prices,
        params="PriceListParams",
        takes=(*PAGING, "active", "lookup_keys", "product", "type", "currency", "recurring", "created"),
    ),
    Endpoint(method="GET", path="/v1/prices/{id}", handler=retrieve_price, params="PriceRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/prices/{id}",
        handler=update_price,
        params="PriceUpdateParams",
        takes=("active", "lookup_key", "transfer_lookup_key", "metadata", "nickname"),
        ignores=("tax_behavior",),
    ),
)
