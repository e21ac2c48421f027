"""The library every layer may use: naming, labels, plans, settings, crypto, errors, network and cluster components.

Nothing here knows of HTTP, SQL tables or a particular tenant. `platform/` itself never has an `__init__.py`:
it would shadow the standard library's `platform` module.
"""
