"""Pages for people: the hosted checkout, the billing portal, an invoice. Plain HTML forms, no scripts."""
