"""All tables at once, for migrations: importing this module registers every noun's rows on one metadata."""

from __future__ import annotations

from sqlalchemy import MetaData

from services.access import tables as _access
from services.backups import tables as _backups
from services.billing import tables as _billing
from services.kit.database.base import Base
from services.kit.vault import tables as _vault
from services.llm_proxy import tables as _llm_proxy
from services.notifications import tables as _notifications
from services.provisioner import tables as _provisioner
from services.servers import tables as _servers
from services.telegram import tables as _telegram

__all__ = ["metadata"]

_REGISTERED = (_access, _backups, _billing, _llm_proxy, _notifications, _provisioner, _servers, _telegram, _vault)

metadata: MetaData = Base.metadata
