"""Runs Pulumi for one cell: owned processes, time budget, cancellation, events, recovery after a crash.

Here: everything that knows the CLI, the Automation API or the layout of Pulumi's state. Not here: the database, tenants,
and the decision what to run (`services.cells.provisioner`). All of it blocks; callers give each operation a thread of its own.
"""
