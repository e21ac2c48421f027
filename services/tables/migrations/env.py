"""Alembic's environment: runs on the connection that `services.tables.migrate` hands in."""

from alembic import context

from services.tables.migrate import is_ours
from services.tables.models import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=is_ours,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
