"""The live side of the `server` substrate: telling machines to stop, waiting for new ones, and what Hetzner keeps besides.

    driver ── the steps around an operation: retire, settle, release, confirm
    hetzner ─ the few things that are no resource of a stack: snapshots, protection, what is left by label
    channel ─ how a machine is told something (`services.cells.machines` implements it)

Not here: rows, tokens and HTTP (`services.cells.machines`), what a machine consists of (`tenants.server`).
"""
