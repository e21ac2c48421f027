"""Procrastinate on the same PostgreSQL: the app, deferring inside a transaction, retry of stalled jobs."""
