"""The parent: signs up on the pages, pays on Stripe's page, chats on Telegram. Knows nothing of what is behind them."""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx

from clawstack.errors import PermanentError, TemporaryError
from services.cli.demonstration.world import BOT_USERNAME, Addresses

_REPLY_SECONDS: Final = 300.0
_PAGE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 20.0
_SEE_OTHER: Final = 303


@dataclass(frozen=True, kw_only=True, slots=True)
class SignupForm:
    """What the parent types into the form."""

    email: str = "sam@example.com"
    plan: str = "starter"
    period: str = "month"
    bundle: str = "parenting"
    answers: tuple[tuple[str, str], ...] = (("child_name", "Emma"), ("child_birthday", "2025-09-01"))


class Place(Protocol):
    """Where the parent lives."""

    @property
    def urls(self) -> Addresses:
        """Where everything is."""

    def at_close(self, close: Callable[[], object]) -> None:
        """Have `close` called at the end."""


class Parent:
    """A person with a browser and a phone."""

    def __init__(self, world: Place, *, chat_id: int = 4711, name: str = "Sam", bot: str = BOT_USERNAME) -> None:
        self._at = world.urls
        self._bot = bot
        self._http = httpx.Client(timeout=_PAGE_SECONDS, trust_env=False, follow_redirects=False)
        world.at_close(self._http.close)
        self.chat_id = chat_id
        self._user = {"id": chat_id, "first_name": name}
        self._seen = 0

    def sign_up(self, form: SignupForm) -> str:
        """Fill in the page and send it; returns the address of Stripe's payment page."""
        query = urllib.parse.urlencode({"plan": form.plan, "bundle": form.bundle})
        page = self._http.get(f"{self._at.platform}/signup?{query}")
        page.raise_for_status()
        fields = {"email": form.email, "plan": form.plan, "period": form.period, "bundle": form.bundle}
        fields |= {_field_name(page.text, key): value for key, value in form.answers}
        headers = {"Origin": self._at.platform}
        answer = self._http.post(f"{self._at.platform}/signup", data=fields, headers=headers)
        if answer.status_code != _SEE_OTHER:
            raise PermanentError(f"The sign-up page answered {answer.status_code}: {answer.text[:400]}")
        return str(answer.headers["location"])

    def pay(self, payment_page: str, *, card: str = "4242 4242 4242 4242") -> str:
        """Type a card into Stripe's page; returns where the browser is sent: the success page."""
        self._http.get(payment_page).raise_for_status()
        form = {"cardNumber": card, "cardExpiry": "12/34", "cardCvc": "123", "billingName": self._user["first_name"]}
        answer = self._http.post(payment_page, data=form)
        if answer.status_code != _SEE_OTHER:
            raise PermanentError(f"Stripe's page answered {answer.status_code} to the card.")
        return str(answer.headers["location"])

    def open_link(self, link: str) -> str:
        """Open the deep link and press Start; returns what the bot says to that."""
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["start"][0]
        return self.say(f"/start {code}")

    def say(self, text: str) -> str:
        """Write to the bot and wait for its answer."""
        self.write(text)
        return self.next_message()

    def write(self, text: str) -> None:
        """Write to the bot and put the phone away."""
        body = {"bot": self._bot, "chat_id": self.chat_id, "user": self._user, "text": text}
        answer = self._http.post(f"{self._at.telegram}/_control/send", json=body)
        answer.raise_for_status()

    def await_text(self, words: str, *, seconds: float = _REPLY_SECONDS) -> str:
        """The first message that has `words` in it; raises TemporaryError when none comes in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if words in (text := self.next_message(seconds=left)):
                return text
        raise TemporaryError(f"The bot did not say {words!r} within {seconds:.0f} s.")

    def next_message(self, *, seconds: float = _REPLY_SECONDS) -> str:
        """The bot's next message; raises TemporaryError when none comes."""
        url = f"{self._at.telegram}/_control/chats/{self.chat_id}/messages"
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            query: dict[str, Any] = {"after": self._seen, "wait": min(left, _POLL_SECONDS), "bot": self._bot}
            answer = self._http.get(url, params=query).json()
            self._seen = answer["last"]
            texts = [text for event in answer["messages"] if (text := str(event["message"].get("text", "")))]
            if texts:
                return texts[-1]
        raise TemporaryError(f"The bot did not answer within {seconds:.0f} s.")


def _field_name(page: str, key: str) -> str:
    """The name under which the form sends the answer to question `key`."""
    found = re.search(rf'name="((?:[^"]*[^a-z"])?{re.escape(key)})"', page)
    if found is None:
        raise PermanentError(f"The sign-up page does not ask for {key}.")
    return found[1]
