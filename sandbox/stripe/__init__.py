"""A stateful stand-in for Stripe: the official client library works against it unchanged.

Here belong: the objects, the arrows between them, the events they cause and ways to make deliveries hostile on purpose.
Not here: anything of the product. Every behaviour that differs from Stripe's is listed in README.md.
"""
