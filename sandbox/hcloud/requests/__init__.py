"""How a handler is asked and answers: the call, and what it says of fields, labels, pages and order.

Not here: which path belongs to which handler (`router`, `routes`), what a handler does (`resources`), and what all of it is
about (`model`).
"""
