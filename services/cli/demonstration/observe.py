"""What the story looks at to know that something really happened: the API, the process table, the file system."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx
import psutil

from services.cli.demonstration.world import World

_OK: Final = 200


class Observer:
    """An operator with a token."""

    def __init__(self, world: World) -> None:
        self._world = world
        token = json.loads(world.run("token", "create", "demonstration", "--json"))["token"]
        self._http = httpx.Client(
            base_url=world.urls.platform,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
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

    def await_state(self, slug: str, state: str, *, seconds: float = 180) -> dict[str, Any]:
        """The tenant once it is in `state`; raises PermanentError early when it ends elsewhere."""

        def probe() -> dict[str, Any] | None:
            tenant = self.tenant(slug)
            return tenant if tenant["state"] == state else None

        return self._world.await_(probe, f"{slug} to be {state}", seconds=seconds)

    def ledger_tokens(self, slug: str) -> int:
        """Tokens on the tenant's ledger this month."""
        return int(self.get(f"/v1/tenants/{slug}/usage")["tokens_used"])


def process_lives(pid: int) -> bool:
    """True while a process with this PID runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
