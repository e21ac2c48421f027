"""Customers, sign-ups, subscriptions and Stripe events: what was paid, and so what is wanted. Not here: infrastructure."""
