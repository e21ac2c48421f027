"""Two customers at once: two gateways, and nothing of one opens anything of the other."""

from __future__ import annotations

import pwd
import subprocess

import httpx
import psutil
import pytest

from services.cli.demonstration.world import BOT_USERNAME
from tests.waiting import patient


def _token(customer, prefix):
    [token] = {value for value in customer.environ().values() if value.startswith(prefix)}
    return token


def _bot(world, token, method, **params):
    return httpx.post(
        f"{world.urls.platform}/telegram/bot{token}/{method}", json=params, timeout=patient(30), trust_env=False
    )


def test_each_has_a_gateway_of_its_own(two):
    first, second = two
    assert first.pid != second.pid
    assert first.observed["endpoint"] != second.observed["endpoint"]
    assert psutil.Process(first.pid).uids().real != psutil.Process(second.pid).uids().real
    assert 0 not in {psutil.Process(first.pid).uids().real, psutil.Process(second.pid).uids().real}


def test_each_assistant_knows_its_own_child(two):
    first, second = two
    one, other = first.parent.say("hi, who am I talking about?"), second.parent.say("hi, who am I talking about?")
    assert "Emma" in one
    assert "Noah" not in one
    assert "Noah" in other
    assert "Emma" not in other


def test_a_proxy_token_accounts_to_its_own_tenant_only(two, world, observer):
    first, second = two
    before = observer.ledger_tokens(second.slug)
    mine = observer.ledger_tokens(first.slug)
    answer = httpx.post(
        f"{world.urls.platform}/llm/v1/chat/completions",
        headers={"Authorization": f"Bearer {_token(first, 'clawpx_')}", "X-Tenant": second.slug},
        json={"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200
    world.await_(lambda: observer.ledger_tokens(first.slug) > mine, "the first ledger", seconds=20)
    assert observer.ledger_tokens(second.slug) == before


@pytest.mark.parametrize("method", ["sendMessage", "sendPhoto", "editMessageText", "sendChatAction", "getChat"])
def test_a_channel_token_reaches_no_chat_of_the_other(two, world, method):
    first, second = two
    params = {"chat_id": second.parent.chat_id, "text": "boo", "message_id": 1, "action": "typing", "photo": "x"}
    answer = _bot(world, _token(first, "clawch_"), method, **params)
    assert answer.status_code in {400, 403, 404}
    assert answer.json()["ok"] is False


def test_a_channel_token_is_no_bot_token_at_telegram(two, world):
    answer = httpx.get(f"{world.urls.telegram}/bot{_token(two[0], 'clawch_')}/getMe", trust_env=False)
    assert answer.status_code in {401, 404}


def test_updates_of_the_other_are_not_served(two, world):
    first, second = two
    second.parent.write("only for Noah's assistant")
    answer = _bot(world, _token(first, "clawch_"), "getUpdates", timeout=0, limit=100)
    assert "only for Noah's assistant" not in answer.text
    assert "only for Noah's assistant" in second.parent.next_message()


def test_an_account_reads_neither_the_other_cell_nor_the_platform(two, world):
    first, second = two
    account = pwd.getpwuid(psutil.Process(first.pid).uids().real)
    targets = [
        second.folder / "state",
        second.folder / "state" / "openclaw.json",
        world.data / "master.key",
        world.data / "postgres",
        world.data / "supervisor",
        world.data / "state",
        world.data / "backups",
    ]
    readable = []
    for target in targets:
        result = subprocess.run(
            ["ls" if target.is_dir() else "cat", str(target)],
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            capture_output=True,
            check=False,
        )
        if result.returncode == 0:
            readable.append(str(target))
    assert readable == []


def test_an_account_cannot_read_the_others_environment(two):
    first, second = two
    account = pwd.getpwuid(psutil.Process(first.pid).uids().real)
    command = ["cat", f"/proc/{second.pid}/environ"]
    result = subprocess.run(
        command, user=account.pw_uid, group=account.pw_gid, extra_groups=[], capture_output=True, check=False
    )
    assert result.returncode != 0


def test_a_gateway_refuses_the_others_token(two):
    first, second = two
    stranger = first.environ()["CLAWSTACK_GATEWAY_TOKEN"]
    owner = second.environ()["CLAWSTACK_GATEWAY_TOKEN"]
    url = f"{second.observed['endpoint']}/tools/invoke"
    body = {"tool": "session_status", "args": {}}
    refused = httpx.post(
        url, json=body, headers={"Authorization": f"Bearer {stranger}"}, trust_env=False, timeout=patient(20)
    )
    admitted = httpx.post(
        url, json=body, headers={"Authorization": f"Bearer {owner}"}, trust_env=False, timeout=patient(20)
    )
    assert refused.status_code == 401
    assert admitted.status_code != 401


def test_a_stranger_who_writes_to_the_bot_reaches_nobody(two, world):
    body = {"bot": BOT_USERNAME, "chat_id": 99999, "user": {"id": 99999, "first_name": "Mallory"}, "text": "hi Emma"}
    httpx.post(f"{world.urls.telegram}/_control/send", json=body, trust_env=False).raise_for_status()
    url = f"{world.urls.telegram}/_control/chats/99999/messages"
    answer = httpx.get(
        url, params={"after": 0, "wait": 20, "bot": BOT_USERNAME}, timeout=patient(40), trust_env=False
    ).json()
    text = " ".join(event["message"].get("text", "") for event in answer["messages"])
    assert text, "a stranger gets one hint"
    assert "Emma" not in text.replace("hi Emma", "")
