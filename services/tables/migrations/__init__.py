"""Alembic migrations. Schema changes only; until the first release there is one, regenerated from the tables."""
