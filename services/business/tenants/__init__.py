"""Tenants' wishes: create one, change what is wanted, look at what was done.

Every wish is a row and a job in one transaction. Not here: how a cell gets there (`services.cells`), why it is wanted
(`services.business.billing`), HTTP (`services.web.api.tenants`).
"""
