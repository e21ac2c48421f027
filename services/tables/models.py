"""All tables at once, for migrations: importing this module registers every noun's rows on one metadata."""

from __future__ import annotations

from sqlalchemy import MetaData

from services.kit.database.base import Base
from services.kit.limits import tables as _limits
from services.kit.vault import tables as _vault
from services.tables import access as _access
from services.tables import backups as _backups
from services.tables import billing as _billing
from services.tables import ledger as _llm_proxy
from services.tables import machines as _servers
from services.tables import notifications as _notifications
from services.tables import telegram as _telegram
from services.tables import tenants as _provisioner

__all__ = ["metadata"]

_REGISTERED = (
    _access,
    _backups,
    _billing,
    _limits,
    _llm_proxy,
    _notifications,
    _provisioner,
    _servers,
    _telegram,
    _vault,
)

metadata: MetaData = Base.metadata
