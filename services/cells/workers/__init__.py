"""Who works on a cell, and that it is only one: leases, their keeping, turns for a free slot, and what is counted.

Not here: what is worked (`services.cells.provisioner`), the queue itself (`services.kit.jobs`).
"""
