"""Where a cell can run, as its stack sees it: one object per substrate, and the registry that holds them.

    substrate ── what such an object tells: name, settings, builder, addresses, what rules are told
    process, namespace, server ── the objects; importing them costs nothing, what they need is imported late
    registry ─── which there are, which of them this installation can use, and why not the others

Not here: what a cell consists of (the substrate's own package, as `tenants.process`), what is done to a cell that lives
(the other half of the registry, `services.cells.substrates`).
"""
