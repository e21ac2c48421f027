"""Tenants' secrets at rest: one wrapped data key per tenant, values sealed with it."""
