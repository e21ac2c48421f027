"""Tenants' secrets at rest: one wrapped data key per tenant, values sealed with it; its rows lie beside it.

Not here: ciphers (`clawstack.crypto`), which secrets a cell has (`services.cells.provisioner`).
"""
