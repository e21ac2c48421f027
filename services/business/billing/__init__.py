"""Customers, subscriptions and Stripe events: what was paid, and so what is wanted.

`intake` stores an event once -> `tasks` -> `stripe_reader` fetches the customer again -> `decisions` (pure) ->
`tenancy` says to `services.business.tenants` what is wanted. Not here: infrastructure (`services.cells`), the sign-up form
(`services.business.signups`), what a token costs (`services.traffic.ledger`).
"""
