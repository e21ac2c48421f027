"""Many customers at once, and an operator who watches: what the bench does to the platform, by its own doors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from clawstack.errors import ClawstackError
from services.cli.demonstration.parent import Parent, SignupForm
from services.cli.demonstration.world import World

_AT_ONCE: Final = 16
_PAGE: Final = 200
_ANSWER_SECONDS: Final = 60
"""The platform shares its cores with everything else here."""
_POLL_SECONDS: Final = 0.5
_MODELS: Final = ("gpt-5-nano", "gpt-5-mini")
_STUCK: Final = frozenset({"failed", "needs_attention"})


class LateError(ClawstackError):
    """A phase was not done within its time."""

    code = "late"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One operation as the platform tells it."""

    kind: str
    status: str
    attempt: int
    seconds: float
    error: str | None


class Customers:
    """Everybody who bought, is to buy, or has left."""

    def __init__(self, world: World) -> None:
        self._world = world
        token = json.loads(world.run("token", "create", "bench", "--json"))["token"]
        self._http = httpx.Client(
            base_url=world.urls.platform,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        )
        world.at_close(self._http.close)
        self._count = 0

    def sign_up(self, count: int) -> list[tuple[Parent, str]]:
        """So many filled-in forms; each with the address of its payment page."""
        numbers = range(self._count, self._count + count)
        self._count += count

        def one(number: int) -> tuple[Parent, str]:
            parent = Parent(self._world, chat_id=5000 + number)
            return parent, parent.sign_up(SignupForm(email=f"parent{number}@example.com"))

        return _at_once(one, numbers)

    def pay(self, waiting: Sequence[tuple[Parent, str]]) -> None:
        """All cards at once."""
        _at_once(lambda entry: entry[0].pay(entry[1]), waiting)

    def order(self, count: int) -> None:
        """So many more, made by the operator without a payment."""
        wish = {"plan": "starter", "bundle": SignupForm().bundle, "answers": dict(SignupForm().answers)}
        _at_once(lambda _: self._call("POST", "/v1/tenants", json=wish), range(count))

    def update(self, slugs: Sequence[str], *, turn: int) -> None:
        """Choose another model for each: a change of settings that a running gateway takes over."""
        body = {"settings": {"primary_model": _MODELS[turn % len(_MODELS)]}}
        _at_once(lambda slug: self._call("PATCH", f"/v1/tenants/{slug}", json=body), slugs)

    def destroy(self, slugs: Sequence[str]) -> None:
        """Without a backup: fake pods hold nothing that could be saved."""
        _at_once(lambda slug: self._call("DELETE", f"/v1/tenants/{slug}?skip_backup=true"), slugs)

    def await_healthy(self, count: int, *, until: float) -> list[str]:
        """Slugs of all tenants once `count` of them are healthy and as wanted; raises LateError."""
        while True:
            tenants = list(self._tenants())
            done = [each["slug"] for each in tenants if each["state"] == "healthy" and each["converged"]]
            if len(done) >= count and len(done) == len(tenants):
                return done
            self._judge(tenants, f"{len(done)} of {count} were healthy", until=until)

    def await_gone(self, left: int, *, until: float) -> None:
        """Return once only `left` tenants are there; raises LateError."""
        while (total := self._call("GET", "/v1/tenants?limit=1")["total"]) > left:
            self._judge(list(self._tenants()), f"{total - left} were still there", until=until)

    def finished(self, since: int) -> list[Finished]:
        """Operations but for the first `since` ever, newest first."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", f"/v1/operations?limit={_PAGE}&offset={len(rows)}")
            rows += page["items"]
            if not page["items"] or len(rows) >= page["total"] - since:
                return [_finished(row) for row in rows[: page["total"] - since] if row["finished_at"]]

    def operations(self) -> int:
        """How many there were so far."""
        return int(self._call("GET", "/v1/operations?limit=1")["total"])

    def _call(self, verb: str, path: str, **more: Any) -> Any:
        answer = self._http.request(verb, path, **more)
        answer.raise_for_status()
        return answer.json()

    def _tenants(self) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._call("GET", f"/v1/tenants?limit={_PAGE}&offset={offset}")
            yield from page["items"]
            offset += len(page["items"])
            if not page["items"] or offset >= page["total"]:
                return

    def _judge(self, tenants: list[dict[str, Any]], so_far: str, *, until: float) -> None:
        stuck = [
            f"{each['slug']} {each['state']}: {each['state_reason']}" for each in tenants if each["state"] in _STUCK
        ]
        if time.monotonic() >= until or any("needs_attention" in line for line in stuck):
            raise LateError("; ".join([so_far, *stuck[:3]]))
        time.sleep(_POLL_SECONDS)


def _at_once(work: Any, items: Any) -> list[Any]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _finished(row: dict[str, Any]) -> Finished:
    begun, ended = (datetime.fromisoformat(row[name]) for name in ("created_at", "finished_at"))
    return Finished(
        kind=row["kind"],
        status=row["status"],
        attempt=row["attempt"],
        seconds=(ended - begun).total_seconds(),
        error=row["error_message"],
    )
