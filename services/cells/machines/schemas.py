"""Borders: what machines send and get, and what a driver is told of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clawstack.errors import InvalidInputError


class MachinePhase(StrEnum):
    """How far a machine is. Stored; never change one."""

    WAITING = "waiting"
    """It was not heard of yet."""
    BOOTING = "booting"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"
    """The gateway ended after its turns, by order."""


class OrderKind(StrEnum):
    """What a machine can be told to do. Stored; never change one."""

    START = "start"
    STOP = "stop"
    """The machine will be switched off and on again."""
    BACKUP = "backup"
    RETIRE = "retire"
    """Stop, back up, close the volume: the machine will be deleted."""


_Reported = Literal[
    MachinePhase.BOOTING, MachinePhase.STARTING, MachinePhase.READY, MachinePhase.FAILED, MachinePhase.STOPPED
]
_Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
_Reason = Annotated[str, Field(max_length=2000)]
_Version = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """The body of a request; raises InvalidInputError that names the first field."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "body"
            raise InvalidInputError(f"{field}: {first['msg']}.", remedy="Machines speak by `agent.mjs` only.") from None


class BootRequest(_Body):
    """The exchange of a boot token."""

    agent_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the secret that the machine made for itself."""
    machine: Annotated[str, Field(max_length=64)] = ""
    """Its /etc/machine-id, for the record."""


class PhoneHome(_Body):
    """A machine is ready, or is not and says why."""

    phase: Literal[MachinePhase.READY, MachinePhase.FAILED]
    code: _Code | None = None
    reason: _Reason | None = None
    version: _Version | None = None
    """The bundle that was brought about."""
    tried: _Version | None = None
    """The bundle that was tried last."""


class MachineReport(_Body):
    """What a machine tells every few seconds."""

    phase: _Reported
    code: _Code | None = None
    reason: _Reason | None = None
    version: _Version | None = None
    """The bundle that was brought about."""
    tried: _Version | None = None
    """The bundle that was tried last."""
    restarts: Annotated[int, Field(ge=0)] | None = None
    memory_bytes: Annotated[int, Field(ge=0)] | None = None
    started_at: Annotated[float, Field(ge=0)] | None = None
    """Seconds since the epoch."""


class OrderAnswer(_Body):
    """How an order ended."""

    ok: bool
    code: _Code | None = None
    reason: _Reason | None = None
    archive: Annotated[str, Field(max_length=100)] | None = None
    empty: bool = False
    """There was nothing to back up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineOrders:
    """What a machine is answered."""

    version: str
    hold: bool
    """It was retired: nothing is to be started any more."""
    orders: tuple[tuple[int, str], ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "version": self.version,
            "hold": self.hold,
            "orders": [{"id": number, "kind": kind} for number, kind in self.orders],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """What a machine says about the archive that it sends."""

    sha256: str
    plain_sha256: str
    openclaw_version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineState:
    """A boot as a driver sees it."""

    key: str
    phase: MachinePhase
    code: str | None
    reason: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    refusals: int
    seen_at: datetime | None
    retired_at: datetime | None
    closed_at: datetime | None
    applied_version: str | None
    tried_version: str | None
    wanted_version: str
    restarts: int | None
    memory_bytes: int | None
    started_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderState:
    """How an order stands."""

    finished: bool
    ok: bool
    code: str | None
    reason: str | None
    archive: str | None
