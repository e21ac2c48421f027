"""What a call refers to, and where a webhook may point: pure judgements over hostile values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.repository.bots import CellAddress
from services.traffic.telegram.virtual import methods
from services.traffic.telegram.virtual.guarding import chat_number, references, required_chat
from services.traffic.telegram.virtual.parameters import Call, Form
from services.traffic.telegram.virtual.targets import judge_target

_PROCESS = CellAddress(slug="ana-abc234", substrate="process", port=21000)
_NAMESPACE = CellAddress(slug="ana-abc234", substrate="namespace", port=None)
_PORTS = frozenset({8080})


def _call(**fields: Any) -> Call:
    return Call(form=Form.JSON, fields=fields)


@pytest.mark.parametrize(
    "name",
    ["chat_id", "from_chat_id", "sender_chat_id", "actor_chat_id", "new_owner_chat_id", "chat_ids", "some_chat_id_2"],
)
@pytest.mark.parametrize("value", [7, "7", [7], ["7"]])
def test_chats_are_found_under_every_name_at_every_depth(name: str, value: object) -> None:
    assert references(_call(**{name: value})).chats == {7}
    assert references(_call(outer=[{"inner": {name: value}}])).chats == {7}


@pytest.mark.parametrize(
    "value",
    [
        *(
            "@channel",
            "",
            " 7",
            "7 ",
            "+7",
            "-",
            "--7",
            "07",
            "-0",
            "0x7",
            "7.0",
            "7e0",
            "\u0667",
            "\uff17",
            "7\0",
            "7\n",
        ),
        *("1" * 20, 7.0, True, None, {}, {"id": 7}, 2**63, -(2**63) - 1),
    ],
)
def test_what_is_no_plain_number_is_no_chat(value: object) -> None:
    with pytest.raises(BotApiError, match="chat not found"):
        chat_number(value)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1).filter(bool))
def test_every_plain_number_is_a_chat(number: int) -> None:
    assert chat_number(number) == chat_number(str(number)) == number


def test_a_chat_must_be_named() -> None:
    for fields in ({}, {"chat_id": ""}, {"chat_id": None}):
        with pytest.raises(BotApiError, match="chat_id is empty"):
            required_chat(_call(**fields))


@pytest.mark.parametrize("name", sorted(methods.FILE_PARAMETERS))
def test_ids_of_files_are_found_and_addresses_are_not_ids(name: str) -> None:
    for elsewhere in ("attach://x", "https://example.org/a.jpg", "HTTP://EXAMPLE.ORG/A.JPG", ""):
        assert references(_call(**{name: elsewhere})).files == frozenset()
    assert references(_call(media=[{"type": "photo", name: "AgAD"}])).files == {"AgAD"}


@pytest.mark.parametrize("name", sorted(methods.FORBIDDEN_PARAMETERS))
def test_parameters_that_reach_beyond_the_chat_are_refused(name: str) -> None:
    with pytest.raises(BotApiError, match=name):
        references(_call(chat_id=1, deep={"er": [{name: "x"}]}))


@pytest.mark.parametrize("value", [True, "true", "True", "1", 1, "yes"])
def test_nobody_spends_the_shared_bots_stars(value: object) -> None:
    with pytest.raises(BotApiError, match="paid broadcasts"):
        references(_call(chat_id=1, allow_paid_broadcast=value))


def test_no_method_is_in_two_lists() -> None:
    lists = [methods.CHAT, methods.PERSON, methods.PUBLIC, methods.LOCAL, methods.PRETENDED, methods.EMPTY]
    names = [name for names in lists for name in names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "dangerous",
    """
    logOut close setMyProfilePhoto sendPaidMedia sendGift giftPremiumSubscription sendInvoice answerInlineQuery
    getBusinessConnection deleteBusinessMessages postStory transferGift getStarTransactions refundStarPayment
    getManagedBotToken replaceManagedBotToken createNewStickerSet deleteStickerSet answerWebAppQuery
    savePreparedInlineMessage verifyUser setPassportDataErrors getUserGifts
    """.split(),  # noqa: SIM905 - names read better than a list of strings
)
def test_methods_beyond_ones_own_chats_are_in_no_list(dangerous: str) -> None:
    lists = [methods.CHAT, methods.PERSON, methods.PUBLIC, methods.LOCAL, methods.PRETENDED]
    assert not any(dangerous.lower() in names for names in lists)


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("http://127.0.0.1:8787/telegram-webhook", "http://127.0.0.1:8787/telegram-webhook"),
        ("http://localhost:8787/x?y=1#z", "http://127.0.0.1:8787/x?y=1"),
        ("http://127.8.9.1:8787/", "http://127.8.9.1:8787/"),
        ("http://[::1]:8787/x", "http://[::1]:8787/x"),
    ],
)
def test_a_process_cell_may_be_called_on_loopback(url: str, called: str) -> None:
    assert judge_target(url, _PROCESS, platform_ports=_PORTS).url == called


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://127.0.0.1:1023/x",
        "http://127.0.0.1:8080/x",
        "http://0:8787/",
        "http://0177.0.0.1:8787/",
        "http://0x7f000001:8787/",
        "http://192.168.0.1:8787/",
        "http://[::]:8787/",
        "http://[fe80::1]:8787/",
        "http://localhost.example.org:8787/",
        "http://user@127.0.0.1:8787/",
        "http://127.0.0.1:8787\\@example.org/",
        "http://127.0.0.1:8787/ x",
        "http://127.0.0.1:8787/\n",
        "http://127.0.0.1:8787/ü",
        "ftp://127.0.0.1:8787/",
        "http:///x",
        "x",
        "http://127.0.0.1:8787/" + "x" * 3000,
    ],
)
def test_a_process_cell_may_be_called_nowhere_else(url: str) -> None:
    with pytest.raises(BotApiError, match="bad webhook"):
        judge_target(url, _PROCESS, platform_ports=_PORTS)


def test_a_namespace_cell_may_be_called_in_its_namespace_only() -> None:
    for host in ("gateway.cell-ana-abc234.svc", "gateway.cell-ana-abc234.svc.cluster.local"):
        assert judge_target(f"http://{host}:8787/x", _NAMESPACE, platform_ports=_PORTS).loopback_port is None
    for host in (
        "127.0.0.1",
        "gateway.cell-bea-abc234.svc",
        "x.y.cell-ana-abc234.svc",
        ".cell-ana-abc234.svc",
        "gateway.cell-ana-abc234.svc.example.org",
    ):
        with pytest.raises(BotApiError, match="bad webhook"):
            judge_target(f"http://{host}:8787/x", _NAMESPACE, platform_ports=_PORTS)
