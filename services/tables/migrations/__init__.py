"""Alembic migrations; until the first release there is one, regenerated from the tables.

Here belong schema changes only. Not here: moving or mending data for a noun (its `tasks`).
"""
