"""All endpoints, in the order they are tried."""

from __future__ import annotations

from sandbox.stripe.api import catalogue, checkout, customers, events, invoices, meters, payments, portal, subscriptions

ENDPOINTS = (
    *customers.ENDPOINTS,
    *catalogue.ENDPOINTS,
    *checkout.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *invoices.ENDPOINTS,
    *payments.ENDPOINTS,
    *portal.ENDPOINTS,
    *meters.ENDPOINTS,
    *events.ENDPOINTS,
)
