"""The library every layer may use: naming, labels, plans, settings, crypto, errors, network and cluster components.

Here belongs what is true on every floor, and the components of the platform stack. Not here: HTTP, SQL, jobs
(`services`), what a cell consists of (`tenants`). `platform/` itself never has an `__init__.py`: it would shadow the
standard library's `platform` module.
"""
