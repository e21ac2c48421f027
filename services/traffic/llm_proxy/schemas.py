"""Who asks the LLM proxy."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from clawstack.plans import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The cell that asks."""

    token_key: str
    tenant_id: uuid.UUID
    plan: Plan
