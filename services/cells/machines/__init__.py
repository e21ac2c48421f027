"""The platform's side of the conversation with the machines of `server` cells.

A machine exchanges its boot token, once, for the bundle of its cell; from then on it asks for orders, reports and
uploads with a token of its own. Here belong that conversation and the queries on its rows. Not here: endpoints
(`services.web.api.machines`), what is in a bundle (`tenants.server`), Hetzner's API and waiting for a machine (`services.cells.substrates.server`).
"""
