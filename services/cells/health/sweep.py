"""The sweep: compares every cell with what it should be, and sees to it that somebody works on what is not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from clawstack.errors import ClawstackError, TemporaryError
from clawstack.logs import get_logger
from clawstack.vocabulary import Desired, Observed, TenantState
from services.business.tenants import desired
from services.business.tenants import repository as tenants
from services.cells.health import disk, repository
from services.cells.health.judgement import HealthVerdict, Look, judge, with_drift
from services.cells.health.repository import Candidate
from services.cells.provisioner import bookkeeping
from services.cells.provisioner.decide import Pause, Rest, decide
from services.cells.provisioner.patience import speaks_of_the_gateway
from services.cells.substrates.base.protocol import CellProbe, Orphan, Sighting
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.tenants import Tenant

log = get_logger(__name__)

#: Cells that are looked at side by side; each look may wait for an HTTP answer.
_AT_ONCE: Final = 8


class _Outcome(Enum):
    """What a sweep did about one tenant."""

    PASSED = auto()
    """It was not looked at."""
    RESUMED = auto()
    """Work was to be done on which nobody was."""
    UNCHANGED = auto()
    """Its cell is as it should be and as it was: nothing is to be written but when that was seen."""
    NOTED = auto()
    """What was seen is written down, unless something began in the meantime."""
    REPAIR = auto()
    """A repair was asked for."""


_LOOKED_AT: Final = (_Outcome.UNCHANGED, _Outcome.NOTED, _Outcome.REPAIR)


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepReport:
    """What one sweep did."""

    looked_at: int
    repairs: int
    resumed: int
    """Tenants that were not as wanted and on which nobody worked."""
    orphans: tuple[str, ...]


class HealthSweep:
    """One pass over all cells; passes may overlap without harm."""

    def __init__(self, *, database: Database, probes: Mapping[str, CellProbe]) -> None:
        """`probes`: by substrate; cells of others are not looked at."""
        self._database = database
        self._probes = probes

    async def run(self) -> SweepReport:
        """Look at everything once. Raises TemporaryError when the database does not answer."""
        began = utcnow()
        async with self._database.transaction() as session:
            candidates = await repository.unattended(session)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(candidate: Candidate) -> _Outcome:
            async with limit:
                return await self._one(candidate)

        outcomes = await asyncio.gather(*(one(candidate) for candidate in candidates))
        unchanged = [
            candidate.tenant.id
            for candidate, outcome in zip(candidates, outcomes, strict=True)
            if outcome is _Outcome.UNCHANGED
        ]
        # Most cells, most of the time: a transaction for each would be most of the sweep's statements.
        async with self._database.transaction() as session:
            await repository.note_seen(session, unchanged, at=began)
        return _report(outcomes, orphans=await self._report_orphans())

    async def _one(self, candidate: Candidate) -> _Outcome:
        tenant = candidate.tenant
        if await self._resume(candidate):
            return _Outcome.RESUMED
        probe = self._probes.get(tenant.substrate)
        if probe is None or candidate.cell is None:
            return _Outcome.PASSED
        if _is_given_up(tenant):
            return await self._look_again(tenant, await probe.look(tenant.slug, port=candidate.cell.port))
        if not _is_settled(tenant):
            return _Outcome.PASSED
        seen = await probe.look(tenant.slug, port=candidate.cell.port)
        sighting = with_drift(seen, tenant.observed.get("objects") or {})
        if _is_unchanged(tenant, sighting) and not disk.is_news(tenant, sighting.disk):
            return _Outcome.UNCHANGED
        return await self._write(tenant, sighting)

    async def _resume(self, candidate: Candidate) -> bool:
        """Have work done that is due and that no job will do; a lost job is noticed here."""
        tenant = candidate.tenant
        decision = decide(bookkeeping.situation_of(tenant, candidate.cell), now=utcnow())
        if decision in {Rest.CONVERGED, Pause.BLOCKED} and not _shows_work(tenant):
            return False
        if decision is Pause.BLOCKED:
            return False
        at = tenant.retry_at if decision is Pause.BACKING_OFF else None
        async with self._database.transaction() as session:
            await desired.request_reconcile(session, tenant.id, at=at)
        log.warning("reconcile_resumed", tenant=tenant.slug, decision=str(decision))
        return True

    async def _look_again(self, seen: Tenant, sighting: Sighting) -> _Outcome:
        """A gateway that was given up and runs: what stood against it passed, so the rest is tried again."""
        if sighting.observed is not Observed.RUNNING:
            return _Outcome.PASSED
        async with self._database.transaction() as session:
            tenant = await tenants.locked(session, seen.id)
            if tenant is None or tenant.generation != seen.generation or not _is_given_up(tenant):
                return _Outcome.PASSED
            if not await repository.is_unattended(session, tenant.id):
                return _Outcome.PASSED
            await bookkeeping.unblock(session, tenant)
        log.info("cell_is_well_again", tenant=seen.slug)
        return _Outcome.RESUMED

    async def _write(self, seen: Tenant, sighting: Sighting) -> _Outcome:
        """Write down what was seen, unless something began in the meantime."""
        now = utcnow()
        async with self._database.transaction() as session:
            tenant = await tenants.locked(session, seen.id)
            if tenant is None or tenant.generation != seen.generation:
                return _Outcome.NOTED
            if not await repository.is_unattended(session, tenant.id):
                return _Outcome.NOTED
            verdict = judge(_look(tenant, sighting), now=now)
            _note(tenant, verdict, sighting, now=now)
            await disk.note(session, tenant, sighting.disk, now=now)
            if verdict is HealthVerdict.REPAIR:
                await desired.request_reconcile(session, tenant.id)
                log.warning("cell_needs_repair", tenant=tenant.slug, reason=sighting.reason)
            return _Outcome.REPAIR if verdict is HealthVerdict.REPAIR else _Outcome.NOTED

    async def _report_orphans(self) -> tuple[str, ...]:
        async with self._database.transaction() as session:
            known = await repository.known_slugs(session)
        found: list[Orphan] = []
        for substrate, probe in self._probes.items():
            try:
                found += await probe.orphans(known)
            except ClawstackError as error:  # one that does not answer must not hide what the others show
                log.warning("orphans_not_looked_for", substrate=substrate, reason=error.message)
        for orphan in found:
            log.error("orphan_found", slug=orphan.slug, what=orphan.what)
        return tuple(orphan.slug for orphan in found)


def _report(outcomes: list[_Outcome], *, orphans: tuple[str, ...]) -> SweepReport:
    of = Counter(outcomes)
    return SweepReport(
        looked_at=sum(of[outcome] for outcome in _LOOKED_AT),
        repairs=of[_Outcome.REPAIR],
        resumed=of[_Outcome.RESUMED],
        orphans=orphans,
    )


def _is_settled(tenant: Tenant) -> bool:
    """Nothing is under way or waits: what is seen now is what the last operation left."""
    return (
        tenant.desired_state != Desired.ABSENT
        and tenant.generation == tenant.observed_generation
        and tenant.state in {TenantState.HEALTHY, TenantState.SUSPENDED, TenantState.DEGRADED}
    )


def _is_given_up(tenant: Tenant) -> bool:
    """It waits for somebody to act on its gateway, which may have got well by itself meanwhile."""
    return (
        tenant.desired_state == Desired.RUNNING
        and tenant.blocked_generation == tenant.generation
        and speaks_of_the_gateway(tenant.state_code)
    )


def _is_unchanged(tenant: Tenant, sighting: Sighting) -> bool:
    """Whether the row says already all that the sighting does."""
    return (
        judge(_look(tenant, sighting), now=utcnow()) is HealthVerdict.FINE
        and tenant.observed_state == sighting.observed.value
        and tenant.state != TenantState.DEGRADED
        and _unwell_since(tenant) is None
    )


def _look(tenant: Tenant, sighting: Sighting) -> Look:
    return Look(desired=Desired(tenant.desired_state), sighting=sighting, unwell_since=_unwell_since(tenant))


def _shows_work(tenant: Tenant) -> bool:
    """People are shown work in progress on which nobody is."""
    states = {TenantState.PENDING, TenantState.PROVISIONING, TenantState.UPDATING}
    states |= {TenantState.SUSPENDING, TenantState.RESUMING, TenantState.DELETING}
    return tenant.state in states


def _unwell_since(tenant: Tenant) -> datetime | None:
    since = tenant.observed.get("unwell_since")
    return datetime.fromisoformat(since) if since else None


def _note(tenant: Tenant, verdict: HealthVerdict, sighting: Sighting, *, now: datetime) -> None:
    tenant.observed_at = now
    observed = {key: value for key, value in tenant.observed.items() if key != "unwell_since"}
    if verdict is HealthVerdict.FINE:
        tenant.observed_state = sighting.observed.value
        if tenant.state == TenantState.DEGRADED:
            bookkeeping.settle(tenant)
    else:
        observed["unwell_since"] = (_unwell_since(tenant) or now).isoformat()
        tenant.state_code, tenant.state_reason = bookkeeping.CELL_UNHEALTHY, sighting.reason
        bookkeeping.show(tenant, TenantState.DEGRADED, keep_reason=True)
        if verdict is HealthVerdict.REPAIR:
            tenant.observed_state = Observed.BROKEN.value
    if observed != tenant.observed:
        tenant.observed = observed


async def run_quietly(sweep: HealthSweep) -> None:
    """One pass for the periodic job: an absent database is no failure, the next pass comes soon."""
    try:
        report = await sweep.run()
    except TemporaryError as error:
        log.warning("sweep_postponed", reason=error.message)
        return
    if report.repairs or report.resumed or report.orphans:
        log.info("sweep_done", repairs=report.repairs, resumed=report.resumed, orphans=len(report.orphans))
