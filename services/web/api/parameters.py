"""Parameters that several endpoints take, in the same words everywhere."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Header, Path, Query

Slug = Annotated[str, Path(description="Name of the tenant, as lists show it.")]
SignupId = Annotated[str, Path(max_length=100, description="Identifier of the sign-up.")]
OperationId = Annotated[uuid.UUID, Path(description="Identifier of the operation.")]
Period = Annotated[
    str | None, Query(description="Calendar month (UTC), for example `2026-11`; default: the present one.")
]
LastEventId = Annotated[str | None, Header(description="Sequence number of the last event that was seen.")]
