"""What `clawstack smoke` refuses, and that it leaves nothing behind that costs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from clawstack.errors import InvalidInputError, PermanentError, TemporaryError
from services.cli.app import app
from services.cli.demonstration.telling import Telling
from services.cli.staging.buying import require_test_key, session_of
from services.cli.staging.chatting import require_somebody
from services.cli.staging.platform import Platform
from services.cli.staging.story import StagingStory, Wanted

URL = "https://staging.example"
TEST_PAGE = "https://checkout.stripe.com/c/pay/cs_test_a1B2#fid"
LIVE_PAGE = "https://checkout.stripe.com/c/pay/cs_live_a1B2#fid"
ON_TELEGRAM = "https://t.me/some_bot?start=abcdef"


class Buyer:
    """Notes what would have been done at Stripe."""

    def __init__(self) -> None:
        self.subscription = ""
        self.done: list[str] = []

    def pay(self, signup_id: str, checkout_url: str, email: str) -> str:
        self.done.append("paid")
        self.subscription = "sub_1"
        return self.subscription

    def cancel(self) -> str:
        self.done.append("cancelled")
        ended, self.subscription = self.subscription, ""
        return ended


def staging(*statuses: dict, page: str = TEST_PAGE) -> Callable[[httpx.Request], httpx.Response]:
    """A platform whose sign-up goes through these statuses, the last one for ever."""
    left = list(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, json={"signup_id": "s1", "checkout_url": page})
        if request.url.path == "/v1/checkout/s1":
            return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])
        return httpx.Response(200, text="a page")

    return answer


def status(stage: str, state: str, chat_url: str | None = None) -> dict:
    return {"stage": stage, "state": state, "title": "Title.", "message": "Message.", "chat_url": chat_url}


def told(answer: Callable[[httpx.Request], httpx.Response], *, patience: float = 5, chats: bool = False) -> Buyer:
    buyer = Buyer()
    telling = Telling(console=Console(file=io.StringIO()))
    with Platform(URL, say=telling.say, transport=httpx.MockTransport(answer), sleep=lambda _: None) as platform:
        story = StagingStory(platform, buyer, telling, patience=patience, chats=chats)
        try:
            story.run(Wanted(email="a@example.com"))
        except Exception as error:
            error.buyer = buyer
            raise
    return buyer


def test_a_story_that_goes_well_pays_once_and_cancels_once() -> None:
    gone = status("ended", "deleted")
    assert told(staging(status("building", "provisioning"), status("live", "healthy", ON_TELEGRAM), gone)).done == [
        "paid",
        "cancelled",
    ]


@pytest.mark.parametrize("key", ["sk_live_abc123", "rk_live_abc123", "pk_test_abc123", "", "sk_test_a b"])
def test_a_key_that_could_move_money_is_refused(key: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        require_test_key(key)
    assert refused.value.code == "not_test_mode"
    assert not key or key not in refused.value.sentence()


def test_a_live_key_is_refused_by_the_command_before_anything_is_asked() -> None:
    result = CliRunner().invoke(app, ["smoke", "https://127.0.0.1:1", "--stripe-key", "sk_live_abc123", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "not_test_mode"


def test_a_platform_that_sells_for_real_money_is_left_unpaid() -> None:
    assert session_of(TEST_PAGE) == "cs_test_a1B2"
    with pytest.raises(InvalidInputError, match="nothing was paid") as refused:
        told(staging(status("unpaid", "awaiting_payment"), page=LIVE_PAGE))
    assert refused.value.buyer.done == []


@pytest.mark.parametrize(
    ("seen", "error"),
    [
        (status("attention", "needs_attention"), PermanentError),
        (status("building", "provisioning"), TemporaryError),
    ],
)
def test_what_does_not_get_live_is_cancelled_all_the_same(seen: dict, error: type[Exception]) -> None:
    with pytest.raises(error) as failed:
        told(staging(seen), patience=0.05)
    assert failed.value.buyer.done == ["paid", "cancelled"]


def test_on_telegram_itself_an_operators_token_is_asked_for_and_what_was_bought_is_cancelled() -> None:
    with pytest.raises(InvalidInputError, match="a person writes") as refused:
        told(staging(status("live", "healthy", ON_TELEGRAM)), chats=True)
    assert refused.value.buyer.done == ["paid", "cancelled"]


@pytest.mark.parametrize(
    "url", ["staging.example", "ftp://staging.example", "https://user:pass@staging.example", "https://"]
)
def test_what_is_no_address_of_a_platform_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError):
        Platform(url, say=print)


@pytest.mark.parametrize("link", [ON_TELEGRAM, "https://t.me/_chat?start=a"])
def test_only_the_stand_ins_chat_is_written_to_by_the_command_itself(link: str) -> None:
    with Platform(URL, say=print, transport=httpx.MockTransport(staging({}))) as platform:
        require_somebody(platform, "http://127.0.0.1:9/telegram/_chat/some_bot?start=a-B_9")
        with pytest.raises(InvalidInputError):
            require_somebody(platform, link)
