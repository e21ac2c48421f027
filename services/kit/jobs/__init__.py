"""Procrastinate on the same PostgreSQL: the app, deferring inside a transaction, retry of stalled jobs.

Not here: what a job does (each noun's `tasks`), who may work on a cell (`services.cells.workers`).
"""
