"""Tenants' wishes: create one, change what is wanted, look at what was done. Not here: how a cell gets there (cells)."""
