"""The live side of a substrate: what has to be done to a cell that is no resource of its stack.

Here belong waiting with a reason, backups out of running gateways, logs, and looking. What a cell consists of belongs
into `tenants`; rows, leases and decisions belong to `services.cells.provisioner`.
"""
