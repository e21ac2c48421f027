"""/v1/invoices, /v1/invoiceitems, /v1/invoice_payments."""

from __future__ import annotations

from sandbox.stripe.api.customers import resolve_method
from sandbox.stripe.api.endpoint import PAGING, Call, Endpoint, created_conditions, equal, listing, page_of
from sandbox.stripe.api.previews import preview
from sandbox.stripe.engine import invoicing
from sandbox.stripe.engine.collection import collect
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import DAY, Json, list_of
from sandbox.stripe.objects.invoices import invoice_item_object
from sandbox.stripe.store.repository import Condition

SUBSCRIPTION = "parent.subscription_details.subscription"
LOOKS = ("footer", "custom_fields", "rendering", "statement_descriptor", "payment_settings", "automatic_tax")


def create(call: Call) -> Json:
    """A manual invoice; since 2022-08-01 pending items join only when asked (`pending_invoice_items_behavior`)."""
    params, account = call.params, call.account
    customer = account.need(params.must("customer"), "customer", param="customer")
    chosen = params.text("subscription")
    subscription = account.need(chosen, "subscription", param="subscription") if chosen else None
    behavior = params.choice("pending_invoice_items_behavior", ("exclude", "include"), "exclude")
    advance = params.flag("auto_advance")
    invoice = invoicing.open_draft(
        account,
        customer=customer,
        currency=params.text("currency") or (subscription or customer)["currency"] or "usd",
        reason="manual" if subscription is None else "subscription",
        period=(account.now, account.now),
        subscription=subscription,
        finalizes_at=account.now + account.config.draft_seconds if advance else None,
        metadata=params.metadata(),
        include_pending=behavior == "include",
    )
    invoice["description"] = params.text("description")
    invoice["collection_method"] = params.choice(
        "collection_method", ("charge_automatically", "send_invoice"), "charge_automatically"
    )
    days = params.whole("days_until_due")
    invoice["due_date"] = account.now + days * DAY if days is not None else None
    return account.save(invoice)


def retrieve(call: Call) -> Json:
    """One invoice."""
    return call.account.need(call.id, "invoice")


def update(call: Call) -> Json:
    """Metadata and description at any time; `auto_advance` as long as it is not settled."""
    invoice, params = call.account.need(call.id, "invoice"), call.params
    invoice["metadata"] = params.metadata(invoice["metadata"])
    if "description" in params:
        invoice["description"] = params.text("description")
    if "auto_advance" in params:
        advance = bool(params.flag("auto_advance"))
        invoice["auto_advance"] = advance
        if invoice["status"] == "draft":
            waits = call.account.now + call.account.config.draft_seconds
            invoice["automatically_finalizes_at"] = waits if advance else None
    return call.account.save(invoice, "invoice.updated")


def find(call: Call) -> Json:
    """By customer, subscription, status and creation time."""
    conditions = equal(call.params, "customer", "status", "collection_method", subscription=SUBSCRIPTION)
    return listing(call, "invoice", [*conditions, *created_conditions(call.params)])


def delete(call: Call) -> Json:
    """Only drafts can go; their items wait again."""
    invoice = call.account.need(call.id, "invoice")
    if invoice["status"] != "draft":
        message = f"You can only delete draft invoices. This invoice has a status of {invoice['status']}."
        raise ApiError(message, code="invoice_not_editable")
    for item in call.account.every("invoiceitem", invoice=call.id):
        item["invoice"] = None
        call.account.save(item)
    return call.account.remove(invoice, "invoice.deleted")


def finalize(call: Call) -> Json:
    """Draft to open."""
    return invoicing.finalize(call.account, call.account.need(call.id, "invoice"))


def pay(call: Call) -> Json:
    """Tries to collect now. Raises the refusal after recording it."""
    invoice, params = call.account.need(call.id, "invoice"), call.params
    if invoice["status"] == "paid":
        raise ApiError("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        invoicing.finalize(call.account, invoice)
    if invoice["status"] not in ("open", "uncollectible"):
        raise ApiError(f"This invoice cannot be paid: it is {invoice['status']}.", code="invoice_not_editable")
    if params.flag("paid_out_of_band"):
        return invoicing.mark_paid(call.account, invoice, out_of_band=True)
    method = resolve_method(call, params, "payment_method") if "payment_method" in params else None
    error = collect(call.account, invoice, present=params.flag("off_session") is False, method=method)
    if error is not None:
        raise error
    return call.account.need(call.id, "invoice")


def void(call: Call) -> Json:
    """Open to void."""
    return invoicing.void(call.account, call.account.need(call.id, "invoice"))


def mark_uncollectible(call: Call) -> Json:
    """Open to uncollectible."""
    return invoicing.mark_uncollectible(call.account, call.account.need(call.id, "invoice"))


def lines(call: Call) -> Json:
    """All lines, paged."""
    invoice, page = call.account.need(call.id, "invoice"), page_of(call.params)
    found: list[Json] = invoice["lines"]["data"]
    ids = [line["id"] for line in found]
    first = ids.index(page.starting_after) + 1 if page.starting_after in ids else 0
    part = found[first : first + page.limit]
    return list_of(part, call.url, has_more=first + page.limit < len(found))


def create_item(call: Call) -> Json:
    """An amount for the next invoice, or for the draft named in `invoice`: how overage is billed."""
    params, account = call.params, call.account
    customer = account.need(params.must("customer"), "customer", param="customer")
    pricing, quantity = params.child("pricing"), params.whole("quantity") or 1
    price = account.need(pricing.must("price"), "price", param="pricing[price]") if pricing else None
    amount = price["unit_amount"] * quantity if price else params.whole("amount")
    if amount is None:
        raise ApiError("You must provide one of `amount` or `pricing`.", code="parameter_missing", param="amount")
    chosen, target = params.text("subscription"), params.text("invoice")
    if chosen:
        account.need(chosen, "subscription", param="subscription")
    period = params.child("period")
    item = invoice_item_object(
        customer=customer["id"],
        amount=amount,
        currency=(params.text("currency") or (price or customer)["currency"] or "usd").lower(),
        created=account.now,
        description=params.text("description"),
        subscription=chosen,
        subscription_item=None,
        price=price,
        quantity=quantity,
        proration=False,
        period=(period.whole("start") or account.now, period.whole("end") or account.now)
        if period
        else (account.now, account.now),
        metadata=params.metadata(),
    )
    account.create(item, "invoiceitem.created")
    if target:
        _join(call, item, target)
    return item


def _join(call: Call, item: Json, target: str) -> None:
    invoice = call.account.need(target, "invoice", param="invoice")
    if invoice["status"] != "draft":
        message = "This invoice is no longer editable: items can be added only while it is a draft."
        raise ApiError(message, code="invoice_not_editable", param="invoice")
    invoice["lines"]["data"].insert(0, invoicing.claim_item(call.account, item, invoice))
    invoicing.total_up(invoice)
    call.account.save(invoice, "invoice.updated")


def retrieve_item(call: Call) -> Json:
    """One invoice item."""
    return call.account.need(call.id, "invoiceitem")


def find_items(call: Call) -> Json:
    """By customer, invoice and whether they still wait."""
    params = call.params
    conditions = [*equal(params, "customer", "invoice"), *created_conditions(params)]
    pending = params.flag("pending")
    if pending is not None:
        # SQL's IS compares with null, = does not.
        conditions.append(Condition(field="invoice", operator="IS" if pending else "IS NOT", value=None))
    return listing(call, "invoiceitem", conditions)


def delete_item(call: Call) -> Json:
    """Only one that still waits."""
    item = call.account.need(call.id, "invoiceitem")
    if item["invoice"]:
        raise ApiError("This invoice item is already part of an invoice.", code="invoice_not_editable")
    return call.account.remove(item, "invoiceitem.deleted")


def find_payments(call: Call) -> Json:
    """The way from a payment intent (of a dispute, say) to its invoice."""
    conditions = [*equal(call.params, "invoice", "status"), *created_conditions(call.params)]
    payment = call.params.child("payment")
    if payment is not None:
        conditions += equal(payment, payment_intent="payment.payment_intent", type="payment.type")
    return listing(call, "invoice_payment", conditions)


def retrieve_payment(call: Call) -> Json:
    """One payment of an invoice."""
    return call.account.need(call.id, "invoice_payment")


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/invoices/create_preview",
        handler=preview,
        params="InvoiceCreatePreviewParams",
        takes=("customer", "subscription", "subscription_details"),
        ignores=("automatic_tax", "currency"),
    ),
    Endpoint(
        method="POST",
        path="/v1/invoices",
        handler=create,
        params="InvoiceCreateParams",
        takes=(
            "customer",
            "subscription",
            "currency",
            "metadata",
            "description",
            "auto_advance",
            "collection_method",
            "days_until_due",
            "pending_invoice_items_behavior",
        ),
        ignores=LOOKS,
        requires=("customer",),
    ),
    Endpoint(
        method="GET",
        path="/v1/invoices",
        handler=find,
        params="InvoiceListParams",
        takes=(*PAGING, "customer", "subscription", "status", "collection_method", "created"),
    ),
    Endpoint(method="GET", path="/v1/invoices/{id}", handler=retrieve, params="InvoiceRetrieveParams"),
    Endpoint(
        method="POST",
        path="/v1/invoices/{id}",
        handler=update,
        params="InvoiceUpdateParams",
        takes=("metadata", "description", "auto_advance"),
        ignores=LOOKS,
    ),
    Endpoint(method="DELETE", path="/v1/invoices/{id}", handler=delete, params="InvoiceDeleteParams"),
    Endpoint(
        method="POST",
        path="/v1/invoices/{id}/finalize",
        handler=finalize,
        params="InvoiceFinalizeInvoiceParams",
        ignores=("auto_advance",),
    ),
    Endpoint(
        method="POST",
        path="/v1/invoices/{id}/pay",
        handler=pay,
        params="InvoicePayParams",
        takes=("payment_method", "paid_out_of_band", "off_session"),
    ),
    Endpoint(method="POST", path="/v1/invoices/{id}/void", handler=void, params="InvoiceVoidInvoiceParams"),
    Endpoint(
        method="POST",
        path="/v1/invoices/{id}/mark_uncollectible",
        handler=mark_uncollectible,
        params="InvoiceMarkUncollectibleParams",
    ),
    Endpoint(
        method="GET", path="/v1/invoices/{id}/lines", handler=lines, params="InvoiceLineItemListParams", takes=PAGING
    ),
    Endpoint(
        method="POST",
        path="/v1/invoiceitems",
        handler=create_item,
        params="InvoiceItemCreateParams",
        takes=(
            "customer",
            "amount",
            "currency",
            "description",
            "subscription",
            "invoice",
            "pricing",
            "quantity",
            "period",
            "metadata",
        ),
        ignores=("discountable", "tax_behavior", "tax_code"),
        requires=("customer",),
    ),
    Endpoint(
        method="GET",
        path="/v1/invoiceitems",
        handler=find_items,
        params="InvoiceItemListParams",
        takes=(*PAGING, "customer", "invoice", "pending", "created"),
    ),
    Endpoint(method="GET", path="/v1/invoiceitems/{id}", handler=retrieve_item, params="InvoiceItemRetrieveParams"),
    Endpoint(method="DELETE", path="/v1/invoiceitems/{id}", handler=delete_item, params="InvoiceItemDeleteParams"),
    Endpoint(
        method="GET",
        path="/v1/invoice_payments",
        handler=find_payments,
        params="InvoicePaymentListParams",
        takes=(*PAGING, "invoice", "payment", "status", "created"),
    ),
    Endpoint(
        method="GET", path="/v1/invoice_payments/{id}", handler=retrieve_payment, params="InvoicePaymentRetrieveParams"
    ),
)
