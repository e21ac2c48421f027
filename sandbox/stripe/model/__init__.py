"""What everything in the stand-in speaks of: JSON objects, errors in Stripe's shape, forms, cards, moments, settings.

Values and pure functions, and the orders of trouble. Not here: what is kept (`store`), what an object of Stripe is
(`objects`), and HTTP (`api`, `pages`, `control`).
"""
