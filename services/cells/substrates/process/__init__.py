"""The live side of the `process` substrate: looking at the supervisor's processes, their logs, and backups of them.

Not here: accounts, the supervisor and everything else that this machine does with a cell (`tenants.process`).
"""
