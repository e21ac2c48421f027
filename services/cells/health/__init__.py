"""The sweep that compares every cell with what it should be, and the judgement on what it saw.

Not here: `/healthz` and `/readyz` (`services.web.api.health`), looking at a cell (`services.cells.substrates`), mending one
(`services.cells.provisioner`).
"""
