"""One call of the engine at work: reads, changes and waits, and tells the engine how far it is."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from toolchain.plugins.hcloud_provider.cloud.api import Api, Object
from toolchain.plugins.hcloud_provider.cloud.refusals import NOT_FOUND, Refusal, error_of
from toolchain.plugins.hcloud_provider.cloud.waiting import Watch

_IN_USE_TRIES: Final = 8
_IN_USE_PAUSE: Final = 1.0


class Unfinished(Exception):  # noqa: N818 - reads as a state
    """An object exists, but is not yet as wished; its id must reach the state."""

    def __init__(self, identity: str, cause: Exception) -> None:
        """`cause` says what stopped it."""
        super().__init__(str(cause))
        self.identity = identity
        self.cause = cause


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a resource may ask of Hetzner. `what` arguments complete the sentence "refused to ..."."""

    api: Api
    watch: Watch
    tell: Callable[[str], None]
    """Shows a passing message beside the resource."""
    made: str | None = None
    """The id of what is being made; waits that fail raise `Unfinished` then."""

    def get(self, path: str, key: str, what: str) -> Object | None:
        """The object at `path`, None where there is none."""
        answer = self.api.get(path, f"read {what}")
        return None if answer is None else answer[key]

    def every(self, path: str, key: str, **query: Any) -> list[Object]:
        """All entries of a list."""
        return self.api.every(path, key, f"list {key.replace('_', ' ')}", **query)

    def create(self, path: str, body: Mapping[str, Any], what: str) -> Object:
        """Make something; the answer, whose actions are still to be waited for. Raises `Lost` when nobody knows."""
        try:
            return self.api.send("POST", path, given(body), repeatable=False)
        except Refusal as refusal:
            raise error_of(refusal, f"create {what}") from refusal

    def change(self, path: str, body: Mapping[str, Any], what: str) -> Object:
        """Change an object's plain properties."""
        try:
            return self.api.send("PUT", path, body)
        except Refusal as refusal:
            raise error_of(refusal, f"change {what}") from refusal

    def act(
        self,
        path: str,
        what: str,
        body: Mapping[str, Any] | None = None,
        *,
        fine: Iterable[str] = (),
        repeatable: bool = True,
    ) -> Object | None:
        """Ask for an action and wait for it. Codes in `fine` mean that it is so already: then None.

        Not `repeatable`: raises `Lost` when nobody knows whether it was begun.
        """
        try:
            answer = self.api.send("POST", path, body or {}, repeatable=repeatable)
        except Refusal as refusal:
            if refusal.code in fine:
                return None
            raise error_of(refusal, what) from refusal
        self.settle(answer)
        return answer

    def delete(self, path: str, what: str) -> None:
        """Delete and wait until it is done; what is gone already is fine.

        What is still used gets a moment: its user may be on the way out as well.
        """
        for attempt in range(_IN_USE_TRIES):
            try:
                answer = self.api.send("DELETE", path, None)
            except Refusal as refusal:
                if refusal.code == NOT_FOUND:
                    return
                if refusal.code != "resource_in_use" or attempt == _IN_USE_TRIES - 1:
                    raise error_of(refusal, f"delete {what}") from refusal
                self.api.pause(_IN_USE_PAUSE, f"for {what} to be free")
            else:
                self.settle(answer)
                return

    def settle(self, answer: Mapping[str, Any]) -> None:
        """Wait for every action that an answer names."""
        single = [answer.get("action")]
        actions = [*single, *(answer.get("next_actions") or []), *(answer.get("actions") or [])]
        try:
            self.watch.settle(actions, self.tell)
        except Exception as cause:
            if self.made is None:
                raise
            raise Unfinished(self.made, cause) from cause

    def making(self, identity: str) -> Session:
        """The same for what makes `identity`: from the first action on, it must reach the state whatever happens."""
        return replace(self, made=identity)

    def settle_running(self, path: str) -> None:
        """Wait for what is still going on at an object that another run began."""
        self.watch.settle(self.every(f"{path}/actions", "actions", status="running"), self.tell)


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Only what has a value."""
    return {name: value for name, value in body.items() if value is not None}


def same_address(old: Any, new: Any) -> bool:
    """Whether two texts mean the same address or range."""
    try:
        return ipaddress.ip_interface(old) == ipaddress.ip_interface(new)
    except ValueError:
        return bool(old == new)
