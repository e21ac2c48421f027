"""The live side of a substrate: what has to be done to a cell that is no resource of its stack.

Here belong waiting with a reason, backups out of running gateways, logs, and looking. Not here: what a cell consists of
(`tenants`), rows, leases and decisions (`services.cells.provisioner`).
"""
