"""What the story looks at to know that something really happened: the API, the process table, the file system."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx
import psutil

from services.cli.demonstration.waiting import Clock, OperationWatch, Seen, await_tenant
from services.cli.demonstration.world import World

_SERVER_ERROR: Final = 500
_ANSWER_SECONDS: Final = 60.0
_SHOWN_EVENTS: Final = 5


class Observer:
    """An operator with a token."""

    def __init__(
        self, world: World, *, transport: httpx.BaseTransport | None = None, clock: Clock | None = None
    ) -> None:
        """`transport` and `clock`: for tests, in place of the network and the time."""
        self._world = world
        self._clock = clock or Clock()
        token = json.loads(world.run("token", "create", "demonstration", "--json"))["token"]
        self._http = httpx.Client(
            base_url=world.urls.platform,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
            transport=transport,
        )
        world.at_close(self._http.close)

    def get(self, path: str, **query: Any) -> Any:
        """The answer of `/v1`."""
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of `/v1` to a change."""
        answer = self._http.post(path, json=body or {})
        answer.raise_for_status()
        return answer.json()

    def tenant(self, slug: str) -> dict[str, Any]:
        """The tenant as its customer sees it."""
        found: dict[str, Any] = self.get(f"/v1/tenants/{slug}")
        return found

    def cell(self, slug: str) -> dict[str, Any]:
        """What runs for the tenant."""
        found: dict[str, Any] = self.get(f"/v1/admin/cells/{slug}")
        return found

    def pid(self, slug: str) -> int:
        """Process of the tenant's gateway."""
        return int(self.cell(slug)["observed"]["pid"])

    def tenant_of_signup(self, signup_id: str) -> str | None:
        """Slug of the tenant that a sign-up became, None while it is not paid."""
        slug: str | None = self.get(f"/v1/admin/signups/{signup_id}")["tenant"]
        return slug

    def chat_url(self, signup_id: str) -> str | None:
        """The Telegram link of the success page, None until the assistant is live."""
        url: str | None = self.get(f"/v1/checkout/{signup_id}")["chat_url"]
        return url

    def await_state(self, slug: str, state: str, *, seconds: float | None = None) -> dict[str, Any]:
        """The tenant once it is in `state`, waited for as long as something is at work on it.

        Raises PermanentError when it ended elsewhere, TemporaryError when nothing is at work any more or, for those
        who assert a time, after `seconds`.
        """
        watch = OperationWatch(
            look=lambda: self._look(slug),
            last_events=lambda: self._last_events(slug),
            say=self._world.say,
            clock=self._clock,
        )
        await_tenant(slug, state, watch, at_most=seconds)
        return self.tenant(slug)

    def ledger_tokens(self, slug: str) -> int:
        """Tokens on the tenant's ledger this month."""
        return int(self.get(f"/v1/tenants/{slug}/usage")["tokens_used"])

    def _look(self, slug: str) -> Seen | None:
        self._world.require_alive()
        try:
            operations = self.get("/v1/operations", tenant=slug, limit=1)["items"]
            return Seen.of(self.tenant(slug), operations)
        except httpx.TransportError:
            return None
        except httpx.HTTPStatusError as error:
            if error.response.status_code < _SERVER_ERROR:
                raise
            return None

    def _last_events(self, slug: str) -> list[str]:
        try:
            events = self.get(f"/v1/tenants/{slug}/events", limit=_SHOWN_EVENTS)
        except httpx.HTTPError:
            return []  # they only explain: what they explain is said without them
        return [str(event["message"]) for event in events]


def process_lives(pid: int) -> bool:
    """True while a process with this PID runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
