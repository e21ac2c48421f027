"""Stripe's HTTP API, version 1: one module per noun, each a table of endpoints; the core does what all have in common."""
