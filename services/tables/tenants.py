"""Rows of the provisioner: what is wanted, what was last seen, and every operation in between."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Id, Now


class Tenant(Base):
    """One hosted assistant that a customer owns. The row stays after deletion; the slug is never used again."""

    __tablename__ = "tenants"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customers.id"), index=True)
    plan: Mapped[str]
    bundle: Mapped[str]
    bundle_version: Mapped[str]
    substrate: Mapped[str]
    answers: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """What customer or operator chose beyond plan and bundle; checked by `provisioner.schemas`."""

    desired_state: Mapped[str]
    """`running`, `suspended` or `absent`."""
    desired_reason: Mapped[str | None]
    generation: Mapped[int] = mapped_column(default=1, server_default="1")
    """Rises with every change of what is wanted."""
    restart_nonce: Mapped[str] = mapped_column(default="", server_default="")
    backup_nonce: Mapped[str] = mapped_column(default="", server_default="")
    """Changes when somebody asks for a backup."""
    restore_from: Mapped[str | None]
    """Location of the backup that fills the cell before its gateway first starts; None once that is done."""
    skip_backup: Mapped[bool] = mapped_column(default=False, server_default="false")
    """An operator's word that this tenant may be destroyed without a backup."""

    state: Mapped[str] = mapped_column(default="pending", server_default="pending", index=True)
    """The state shown to people (design document, public contract)."""
    state_code: Mapped[str | None]
    state_reason: Mapped[str | None]
    observed_generation: Mapped[int] = mapped_column(default=0, server_default="0")
    observed_state: Mapped[str] = mapped_column(default="absent", server_default="absent")
    """`absent`, `running`, `suspended`, `broken` or `unknown`: what was last seen of the cell itself."""
    observed: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """Stack outputs and health, without secrets."""
    observed_at: Mapped[datetime | None]

    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    """Failed operations in a row; the delay before the next try grows with it."""
    retry_at: Mapped[datetime | None]
    blocked_generation: Mapped[int | None]
    """The generation for which trying again is pointless until somebody acts."""

    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    healthy_at: Mapped[datetime | None]
    """When the assistant first answered its health check."""
    deleted_at: Mapped[datetime | None]

    @property
    def runs_on(self) -> str:
        """Substrate on which the cell was last seen, the wanted one before that: they differ while it moves."""
        return str(self.observed.get("substrate", self.substrate))


class Cell(Base):
    """What the platform gave to a tenant's cell and must find again. Absent once the stack is destroyed."""

    __tablename__ = "cells"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    port: Mapped[int] = mapped_column(unique=True)
    account: Mapped[str | None] = mapped_column(unique=True)
    stack: Mapped[str] = mapped_column(unique=True)
    stack_created_at: Mapped[datetime | None]
    """Set once Pulumi has the stack: the next operation need not make one."""
    created_at: Mapped[Now]


class CellLease(Base):
    """Who may work on a cell. The fence rises with every holder; a holder with an old fence must not touch the stack."""

    __tablename__ = "cell_leases"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    holder: Mapped[str | None]
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
    expires_at: Mapped[datetime | None]
    process_host: Mapped[str | None]
    process_group: Mapped[int | None]
    process_started: Mapped[float | None]
    """Start time of the engine's process, seconds since the epoch: a reused PID does not match."""


class Operation(Base):
    """One run against a cell. Recorded before it starts, streamed while it runs, kept afterwards."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("ix_operations_tenant_created", "tenant_id", "created_at"),
        Index("uq_operations_one_running", "tenant_id", unique=True, postgresql_where="status = 'running'"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str]
    """provision, update, suspend, resume, restart, move, backup, destroy."""
    status: Mapped[str]
    """running, succeeded, failed, cancelled, interrupted."""
    reason: Mapped[str | None]
    generation: Mapped[int]
    attempt: Mapped[int]
    fence: Mapped[int]
    worker: Mapped[str]
    cancel_requested_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_remedy: Mapped[str | None]
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    created_at: Mapped[Now]
    finished_at: Mapped[datetime | None]


class OperationEvent(Base):
    """One step of an operation as people may read it: redacted before it is written."""

    __tablename__ = "operation_events"
    __table_args__ = (UniqueConstraint("operation_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("operations.id"))
    sequence: Mapped[int]
    kind: Mapped[str]
    """started, resource, diagnostic, policy, health, finished."""
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    created_at: Mapped[Now]
