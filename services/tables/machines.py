"""Rows of machines: what each cell's machine is to be, every boot, orders, logs. Tokens only as hashes."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Now


class MachineCell(Base):
    """What the machine of a cell is to bring about."""

    __tablename__ = "server_cells"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    bundle_version: Mapped[str]
    bundle: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed with a key of the tenant's own: configuration, tokens and keys for its machine."""
    location: Mapped[str | None]
    """Where the cell is at Hetzner, from its first machine on: another first choice in the settings does not move it."""
    server_type: Mapped[str | None]
    """The type that the next machine is to have because there was no room for the plan's first; None: the plan's first."""
    snapshot: Mapped[str | None]
    """Image at Hetzner that the next machine starts from; None: the installation's."""
    backed_up_at: Mapped[datetime | None]
    """When the last verified archive arrived."""
    updated_at: Mapped[Now]


class ServerBoot(Base):
    """One machine in the life of a cell. `key` is the public half of both its tokens."""

    __tablename__ = "server_boots"
    __table_args__ = (Index("ix_server_boots_tenant_created", "tenant_id", "created_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    slug: Mapped[str] = mapped_column(index=True)
    template: Mapped[str]
    """Names what the machine is born with: another template needs another machine."""
    image: Mapped[str | None]
    secret_hash: Mapped[str]
    """Of the boot token."""
    token: Mapped[bytes] = mapped_column(LargeBinary)
    """The boot token, sealed like the bundle: the machine's user data must stay the same for as long as it lives."""
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    """The exchange. It happens once."""
    machine: Mapped[str | None]
    agent_hash: Mapped[str | None]
    """Of the secret that the machine made for itself."""
    refusals: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often the right boot token came again after the exchange."""
    closed_at: Mapped[datetime | None]
    """From then on neither token opens anything."""

    phase: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    """`waiting`, `booting`, `starting`, `ready`, `failed` or `stopped`."""
    code: Mapped[str | None]
    reason: Mapped[str | None]
    applied_version: Mapped[str | None]
    """The bundle that the machine has brought about."""
    tried_version: Mapped[str | None]
    """The bundle that `code` and `reason` speak of."""
    seen_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    """When it was told to stop for good."""
    restarts: Mapped[int | None]
    memory_bytes: Mapped[int | None]
    started_at: Mapped[datetime | None]


class ServerOrder(Base):
    """Something that a machine is to do once. A machine that dies in the middle is told again."""

    __tablename__ = "server_orders"
    __table_args__ = (
        Index("uq_server_orders_one_open", "boot_key", "kind", unique=True, postgresql_where="finished_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    boot_key: Mapped[str] = mapped_column(ForeignKey("server_boots.key"))
    kind: Mapped[str]
    """`start`, `stop`, `backup` or `retire`."""
    created_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    ok: Mapped[bool | None]
    code: Mapped[str | None]
    reason: Mapped[str | None]
    archive: Mapped[str | None]
    """File name of the backup that it led to; None with `ok` when there was nothing to back up."""


class ServerLog(Base):
    """A piece of a gateway's log as it was uploaded; only the last pieces are kept."""

    __tablename__ = "server_logs"
    __table_args__ = (Index("ix_server_logs_slug_id", "slug", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    slug: Mapped[str]
    text: Mapped[str]
    received_at: Mapped[Now]
