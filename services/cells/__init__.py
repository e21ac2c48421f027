"""Making cells what they should be: provisioner, engine, substrates (drivers), machines, health, workers.

Not here: what is wanted and why (business), the resources that a cell consists of (the package `tenants`).
"""
