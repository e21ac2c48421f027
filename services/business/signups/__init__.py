"""From a visitor's answers to a paid Checkout Session, and how far the assistant has come since.

Here belong judging the form, the sign-up's row and its progress in words. Not here: pages (`services.web.site`), what a
payment leads to (`services.business.billing`), questions and their limits (`tenants.bundles`).
"""
