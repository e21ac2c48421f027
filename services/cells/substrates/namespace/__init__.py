"""The live side of the `namespace` substrate: what is done to a cell's namespace beside its Pulumi stack.

    cluster ─── one client of the API server: typed calls, bounded in time, refusals in this project's errors
    judge ───── pure: what the objects of a cell say about it, in words that people can act on
    settle ──── waits for what was asked, with progress and reasons; grows, resizes and replaces what it must
    stopping ── the gateway finishes its turns and is gone; its volume stays
    keeping ─── backups out of a cell and back into one, encrypted on the way
    driver ──── the doors of `services.cells.substrates.base.protocol`

Not here: manifests (`tenants.namespace`), rows and decisions (`services.cells.provisioner`).
"""
