"""Where a cell can run: one builder per substrate behind one Protocol, and the registry that finds it.

A builder decides (`build`: pure, one data object) and declares (`component`: Pulumi resources from that object).
Here belong the Protocol and the registry. Not here: the resources
of a substrate (its own package, as `tenants.process`), waiting for a cell (`services.cells.substrates`).
"""
