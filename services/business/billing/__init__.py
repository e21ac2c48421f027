"""Customers, subscriptions and Stripe events: what was paid, and so what is wanted.

`stripe_events` stores an event once -> `tasks` -> `stripe_reader` fetches the customer again -> `decisions` (pure) ->
`service` says in the words of tenants what is wanted (`services.business.tenants.desired`).

Not here: infrastructure (`services.cells`), the sign-up form
(`services.business.signups`), what a token costs (`services.traffic.ledger`).
"""
