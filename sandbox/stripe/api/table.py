"""All endpoints, in the order they are tried."""

from __future__ import annotations

from sandbox.stripe.api import catalogue, checkout, customers, events, subscriptions

ENDPOINTS = (
    *customers.ENDPOINTS,
    *catalogue.ENDPOINTS,
    *checkout.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *events.ENDPOINTS,
)
