"""Bought, answered, cancelled, gone: in this order, and cancelled in any case."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from clawstack.errors import ClawstackError, PermanentError
from services.cli.demonstration.telling import Telling
from services.cli.staging import chatting
from services.cli.staging.buying import Buyer, session_of
from services.cli.staging.platform import Platform

_STUCK: Final = frozenset({"attention", "paused", "ended"})
"""Stages of a sign-up from which nothing becomes live by itself."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is bought."""

    email: str
    plan: str = "starter"
    period: str = "month"
    bundle: str = "parenting"
    answers: tuple[tuple[str, str], ...] = (("child_name", "Smoke"), ("child_birthday", "2025-09-01"))

    def order(self) -> dict[str, Any]:
        """As `POST /v1/checkout` takes it."""
        return {
            "email": self.email,
            "plan": self.plan,
            "period": self.period,
            "bundle": self.bundle,
            "answers": dict(self.answers),
        }


class StagingStory:
    """Raises at the first step that was not seen to happen; what was bought is cancelled then as well."""

    def __init__(self, platform: Platform, buyer: Buyer, telling: Telling, *, patience: float, chats: bool) -> None:
        """`patience`: seconds for each wait; `chats`: False leaves the conversation out."""
        self._platform = platform
        self._buyer = buyer
        self._tell = telling
        self._patience = patience
        self._chats = chats

    def run(self, wanted: Wanted) -> None:
        """All of it."""
        with ExitStack() as ends:
            self._pages()
            ends.callback(self._leave_nothing)
            signup_id = self._buys(wanted)
            link = self._gets_live(signup_id)
            if self._chats:
                self._answers(signup_id, link)
            self._is_gone(signup_id)

    def _pages(self) -> None:
        with self._tell.step("The platform serves its pages") as step:
            self._platform.page("/readyz")
            for path in ("/", "/signup"):
                self._platform.page(path)
            step.seen = self._platform.url

    def _buys(self, wanted: Wanted) -> str:
        with self._tell.step("A sign-up over the public API") as step:
            ordered = self._platform.order(wanted.order())
            step.seen = session_of(ordered.checkout_url)
        with self._tell.step("Stripe's test card pays") as step:
            step.seen = self._buyer.pay(ordered.signup_id, ordered.checkout_url, wanted.email)
        return ordered.signup_id

    def _gets_live(self, signup_id: str) -> str:
        with self._tell.step("The assistant gets live") as step:
            link = self._platform.await_(lambda: self._live(signup_id), "the assistant", seconds=self._patience)
            self._platform.page(f"/welcome/{signup_id}")
            step.seen = "healthy, the welcome page links to the chat"
        return link

    def _live(self, signup_id: str) -> str | None:
        status = self._platform.status(signup_id)
        if status is None:
            return None
        if status["stage"] in _STUCK:
            raise PermanentError(f"It will not get live: {status['title']} {status['message']}", code="not_live")
        link: str | None = status["chat_url"] if status["stage"] == "live" else None
        return link

    def _answers(self, signup_id: str, link: str) -> None:
        chatting.require_somebody(self._platform, link)
        with self._tell.step("Somebody writes to it, it answers") as step:
            answer = chatting.chat(self._platform, signup_id, link, say=self._tell.say, seconds=self._patience)
            step.seen = " ".join(answer.split())[:70]

    def _is_gone(self, signup_id: str) -> None:
        with self._tell.step("The subscription is cancelled at Stripe") as step:
            step.seen = self._buyer.cancel()
        with self._tell.step("The assistant is gone") as step:
            self._platform.await_(lambda: self._deleted(signup_id), "the end of the assistant", seconds=self._patience)
            step.seen = "deleted, no link to a chat any more"

    def _deleted(self, signup_id: str) -> bool:
        status = self._platform.status(signup_id)
        return status is not None and status["state"] == "deleted" and status["chat_url"] is None

    def _leave_nothing(self) -> None:
        """After a step that failed: a subscription must not go on for ever. What went wrong first is what is told."""
        if not self._buyer.subscription:
            return
        try:
            self._tell.say(f"Cancelled {self._buyer.cancel()} all the same.")
        except ClawstackError as error:
            self._tell.say(f"{self._buyer.subscription} could not be cancelled: {error.sentence()}")
