"""The `process` substrate: a cell as local processes, kept alive by one supervisord per platform data directory.

Here belong: the Pulumi side (plan, resources, component) and what a machine does with it (accounts, directories, the
supervisor, the launcher, status and orphans), all usable without Pulumi. Not here: the gRPC side
(`tenants.process_provider`) and OpenClaw's keys (`tenants.openclaw`).

    supervisord ── launcher (root: limits, account, back-off, ends the tree) ── gateway (the cell's account)
"""

from typing import Final

NAME: Final = "process"
"""Of the substrate: stored with tenants and in labels."""
