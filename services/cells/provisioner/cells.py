"""What the platform gives a cell and must find again: port, account, stack, place of its state."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack import naming, secret_urls, untrusted_tree
from clawstack.errors import NeedsAttentionError
from clawstack.settings import Settings
from services.cells.provisioner import repository
from services.tables.tenants import Cell, Tenant

_LOOPBACK: Final = "127.0.0.1"

IsFree = Callable[[int], bool]


def port_is_free(port: int) -> bool:
    """True when nothing on this machine listens on the loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
        return True


async def ensure_cell(
    session: AsyncSession, tenant: Tenant, settings: Settings, *, is_free: IsFree = port_is_free
) -> Cell:
    """The tenant's cell; on first call with a port and an account of its own, stored for as long as the stack lives.

    Raises NeedsAttentionError when all ports are given away.
    """
    present = await repository.cell_of(session, tenant.id)
    if present is not None:
        return present
    async for port in _free_ports(session, tenant, settings, is_free):
        values = {
            "tenant_id": tenant.id,
            "port": port,
            "account": naming.account_name(tenant.slug) if os.geteuid() == 0 else None,
            "stack": naming.stack_name(tenant.slug),
        }
        cell = await repository.add(session, values)
        if cell is not None:
            return cell
    raise _no_free_port(settings)


async def move_port(
    session: AsyncSession, tenant: Tenant, settings: Settings, *, is_free: IsFree = port_is_free
) -> None:
    """Give the tenant's cell another port, because somebody else took its own; none is left: it keeps what it has."""
    cell = await repository.cell_of(session, tenant.id)
    if cell is None:
        return
    async for port in _free_ports(session, tenant, settings, is_free):
        if await repository.give_port(session, tenant.id, port):
            return


async def _free_ports(session: AsyncSession, tenant: Tenant, settings: Settings, is_free: IsFree) -> AsyncIterator[int]:
    taken = await repository.taken_ports(session)
    for port in _candidates(tenant.slug, settings.cell_port_range()):
        if port not in taken and is_free(port):
            yield port


def _no_free_port(settings: Settings) -> NeedsAttentionError:
    return NeedsAttentionError(
        f"Every port of {settings.cell_ports} is given away or busy.",
        code="no_free_port",
        remedy="Widen CLAWSTACK_CELL_PORTS or destroy cells that are no longer wanted.",
    )


def backend_url(settings: Settings, slug: str) -> SecretStr:
    """Where Pulumi keeps this cell's state: a folder of its own, or its own rows of a PostgreSQL table.

    Made of the setting at every use and stored nowhere: a new password must reach the cells that are there, too.
    """
    if settings.pulumi_backend_url is None:
        return SecretStr(f"file://{settings.data_dir / 'state' / slug}")
    return SecretStr(secret_urls.below(settings.pulumi_backend_url.get_secret_value(), slug))


def work_dir(settings: Settings, slug: str) -> Path:
    """Where the CLI runs for this cell: never shared, since it keeps files there."""
    return settings.data_dir / "pulumi" / "work" / slug


def pulumi_home(settings: Settings) -> Path:
    """The CLI's own folder."""
    return settings.data_dir / "pulumi" / "home"


def remove_traces(settings: Settings, slug: str) -> None:
    """Erase what Pulumi leaves after a stack is gone. Blocks; calling it again is fine."""
    untrusted_tree.remove(work_dir(settings, slug))
    untrusted_tree.remove(settings.data_dir / "state" / slug)


def _candidates(slug: str, ports: range) -> Iterator[int]:
    """Ports in an order that depends on the slug: a cell made again gets its old port where that is free."""
    start = int.from_bytes(hashlib.sha256(slug.encode()).digest()[:8]) % len(ports)
    for step in range(len(ports)):
        yield ports[(start + step) % len(ports)]
