"""Brings every cell to its desired state, one operation at a time.

    tasks ────── the job, locked by cell
    reconcile ── takes the lease, ends what a dead worker left, asks `decide`
    decide ───── pure: what is wanted against what was seen names one operation, or why there is none
    runner ───── one operation from its recorded start to its recorded end
    cell_work ── what an operation does: engine, driver, backups
    assembly ─── row, plan and bundle become a cell's specification
    bookkeeping  what the end means for the rows

Not here: why a state is wanted (`services.business`), Pulumi's CLI (`services.cells.engine`), what a substrate needs
besides its stack (`services.cells.substrates`).
"""
