"""What every noun may use. Built once by the factory, passed down, never looked up."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from clawstack.crypto import MasterKey
from clawstack.plans import Catalogue
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.kit.database.connection import Database
from services.kit.vault.service import Vault


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Settings and the few shared things of one process."""

    settings: Settings
    catalogue: Catalogue
    database: Database
    redactor: Redactor
    master_key: MasterKey
    vault: Vault
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Where nouns register their counters; never the library's global registry."""
