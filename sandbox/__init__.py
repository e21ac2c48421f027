"""Stand-ins for the outside world: Stripe, Telegram, a model vendor, the Hetzner API.

Official clients work against them unchanged. Nothing of the product is imported here, and the product never imports this.
"""
