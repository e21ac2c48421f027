"""Tenants, cells and operations: brings every cell to its desired state, one operation at a time. Not here: why a state is wanted."""
