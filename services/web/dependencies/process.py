"""What every endpoint may use: the platform, one transaction, the calendar day. Loads no noun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.context import Platform
from services.kit.database.base import utcnow
from services.kit.http.provided import provided

PlatformDep = Annotated[Platform, provided(Platform)]


async def _transaction(platform: PlatformDep) -> AsyncIterator[AsyncSession]:
    async with platform.database.transaction() as session:
        yield session


#: One transaction around the endpoint: committed before the answer leaves, rolled back on any error. It takes a
#: connection with its first statement. Endpoints that then wait for others open a shorter one of their own, and so do
#: pages: an error of the commit itself would not become an error page.
SessionDep = Annotated[AsyncSession, Depends(_transaction, scope="function")]


async def _today() -> date:
    return utcnow().date()


#: The calendar day (UTC) that birthdays are compared with.
TodayDep = Annotated[date, Depends(_today)]
