"""The one exchange of a boot token, and who is let in afterwards: on the real application and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from clawstack.tokens import Token, TokenKind, issue
from clawstack.vocabulary import Desired
from services.cells.machines.schemas import MachinePhase, OrderKind
from services.kit.database.base import utcnow
from tenants.spec import CellSpec
from tests.integration.server.rig import Rig, token_of
from tests.unit.tenants.builders import PLANTED_PROXY
from tests.waiting import patient

OTHER = "noah-parent-h4j8np"
MACHINE_SECRET = "m" * 43
AGENT_HASH = hashlib.sha256(MACHINE_SECRET.encode()).hexdigest()


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{rig.root}/v1/servers/", timeout=patient(20)) as client:
        yield client


def bearer(token: Token | str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token if isinstance(token, str) else token.reveal()}"}


def agent_of(spec: CellSpec, secret: str = MACHINE_SECRET) -> str:
    return f"clawag_{token_of(spec).key}_{secret}"


async def exchange(http: httpx.AsyncClient, spec: CellSpec, **changes: Any) -> httpx.Response:
    told = {"slug": spec.slug, "token": token_of(spec), "hash": AGENT_HASH, **changes}
    body = {"agent_hash": told["hash"], "machine": "m1"}
    return await http.post(f"{told['slug']}/boot", json=body, headers=bearer(told["token"]))


async def test_the_token_brings_everything_once(rig: Rig, http: httpx.AsyncClient) -> None:
    spec = await rig.equipped()
    answer = await exchange(http, spec)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    bundle = answer.json()
    assert PLANTED_PROXY in bundle["secrets"]
    assert bundle["backup"]["key"] == spec.backup_key.get_secret_value()

    again = await exchange(http, spec)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "boot_token_used")
    assert PLANTED_PROXY not in again.text
    [machine] = await rig.channel.machines(spec.slug)
    assert (machine.refusals, machine.phase) == (1, MachinePhase.BOOTING)
    later = await http.get(f"{spec.slug}/bundle", headers=bearer(agent_of(spec)))
    assert later.json() == bundle, "its own token brings the machine the same again, after a restart"


async def test_of_many_at_once_exactly_one_wins(rig: Rig, http: httpx.AsyncClient) -> None:
    spec = await rig.equipped()
    secrets = [f"{number:02d}" + "x" * 41 for number in range(12)]
    hashes = [hashlib.sha256(secret.encode()).hexdigest() for secret in secrets]
    answers = await asyncio.gather(*(exchange(http, spec, hash=digest) for digest in hashes))
    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [200, *[409] * 11]
    assert sum(PLANTED_PROXY in answer.text for answer in answers) == 1
    winner = codes.index(200)
    for number, secret in enumerate(secrets):
        let_in = await http.get(f"{spec.slug}/bundle", headers=bearer(agent_of(spec, secret)))
        assert let_in.status_code == (200 if number == winner else 401)


async def test_an_expired_token_brings_nothing_and_the_next_operation_a_new_one(
    rig: Rig, http: httpx.AsyncClient
) -> None:
    spec = await rig.equipped()
    await rig.expire(spec)
    answer = await exchange(http, spec)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "boot_token_expired")
    again = await rig.equipped()
    assert again.boot != spec.boot
    assert (await exchange(http, again)).status_code == 200


async def test_the_boot_stays_the_same_while_its_machine_can_serve(rig: Rig, http: httpx.AsyncClient) -> None:
    first = await rig.equipped()
    assert (await rig.equipped()).boot == first.boot, "a repeated operation must not replace the server"
    assert (await exchange(http, first)).status_code == 200
    late = await rig.equipped(now=utcnow() + timedelta(days=30))
    assert token_of(late) == token_of(first), "a machine that has booted needs no other token"
    changed = await rig.equipped(settings=rig.settings(node={**_node(rig), "version": "26.11.0"}))
    assert changed.boot != first.boot, "another Node needs another machine"
    assert (await rig.equipped(rig.spec(desired=Desired.SUSPENDED))).boot is None


@pytest.mark.parametrize("forged", ["secret", "key", "kind", "shape", "long", "none"])
async def test_a_forged_token_is_a_stranger(rig: Rig, http: httpx.AsyncClient, forged: str) -> None:
    spec = await rig.equipped()
    token = token_of(spec)
    presented = {
        "secret": f"clawbt_{token.key}_{'0' * 43}",
        "key": f"clawbt_{'0' * 12}_{token.secret}",
        "kind": f"clawag_{token.key}_{token.secret}",
        "shape": "clawbt_short",
        "long": "clawbt_" + "a" * 7000,
        "none": "",
    }[forged]
    body = {"agent_hash": AGENT_HASH}
    headers = bearer(presented) if presented else {}
    answer = await http.post(f"{spec.slug}/boot", json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await exchange(http, spec)).status_code == 200, "nothing was used up"


async def test_another_tenants_token_is_a_stranger_everywhere(rig: Rig, http: httpx.AsyncClient) -> None:
    mine, theirs = await rig.equipped(), await rig.equipped(rig.spec(OTHER))
    assert (await exchange(http, mine, slug=OTHER)).status_code == 401
    assert (await exchange(http, theirs, slug=mine.slug)).status_code == 401
    assert (await exchange(http, mine)).status_code == 200
    for verb, place in (("GET", "bundle"), ("GET", "lockfile"), ("POST", "poll"), ("POST", "logs"), ("PUT", "backups")):
        content = {"content": json.dumps({"phase": "ready"})} if verb != "GET" else {}
        answer = await http.request(verb, f"{OTHER}/{place}", headers=bearer(agent_of(mine)), **content)  # type: ignore[arg-type]
        assert answer.status_code == 401, place
    assert (await exchange(http, theirs)).status_code == 200
    order = await rig.channel.order(token_of(theirs).key, OrderKind.BACKUP)
    meddling = await http.post(f"{mine.slug}/orders/{order}", json={"ok": True}, headers=bearer(agent_of(mine)))
    assert meddling.status_code == 404
    assert not (await rig.channel.answer(order)).finished


async def test_a_new_machine_shuts_the_old_one_out(rig: Rig, http: httpx.AsyncClient) -> None:
    old = await rig.equipped()
    assert (await exchange(http, old)).status_code == 200
    await rig.channel.order(token_of(old).key, OrderKind.RETIRE)
    new = await rig.equipped()
    assert new.boot != old.boot
    poll = {"phase": "stopped"}
    still = await http.post(f"{old.slug}/poll", json=poll, headers=bearer(agent_of(old)))
    assert still.json()["hold"] is True, "it must be able to finish what it was told"
    assert (await exchange(http, new)).status_code == 200
    assert (await http.post(f"{old.slug}/poll", json=poll, headers=bearer(agent_of(old)))).status_code == 401
    assert (await exchange(http, old)).status_code == 401


async def test_the_boot_token_can_say_failed_and_nothing_else(rig: Rig, http: httpx.AsyncClient) -> None:
    spec = await rig.equipped()
    headers = bearer(token_of(spec))
    place = f"{spec.slug}/phone-home"
    assert (await http.post(place, json={"phase": "ready"}, headers=headers)).status_code == 401
    failed = {"phase": "failed", "code": "install_failed", "reason": "Node could not be downloaded."}
    assert (await http.post(place, json=failed, headers=headers)).status_code == 200
    [machine] = await rig.channel.machines(spec.slug)
    assert (machine.phase, machine.code, machine.used_at) == (MachinePhase.FAILED, "install_failed", None)
    assert (await exchange(http, spec)).status_code == 200
    assert (await http.post(place, json=failed, headers=headers)).status_code == 401, "it is spent"
    assert (await http.get(f"{spec.slug}/bundle", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("place", "body", "status"),
    [
        ("boot", b"", 422),
        ("boot", b"{", 422),
        ("boot", b'{"agent_hash":"xyz"}', 422),
        ("boot", b'{"agent_hash":"' + b"0" * 64 + b'","more":1}', 422),
        ("boot", b" " * 20_000, 413),
        ("phone-home", b'{"phase":"sleeping"}', 422),
    ],
)
async def test_malformed_bodies_are_refused_and_use_nothing_up(
    rig: Rig, http: httpx.AsyncClient, place: str, body: bytes, status: int
) -> None:
    spec = await rig.equipped()
    answer = await http.post(f"{spec.slug}/{place}", content=body, headers=bearer(token_of(spec)))
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}
    assert (await exchange(http, spec)).status_code == 200


async def test_no_token_is_in_the_database_or_the_logs(
    rig: Rig, http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = await rig.equipped()
    for _ in range(2):
        await exchange(http, spec)
    await http.get(f"{spec.slug}/bundle", headers=bearer(agent_of(spec)))
    planted = (token_of(spec).secret, MACHINE_SECRET, PLANTED_PROXY, spec.backup_key.get_secret_value())
    async with rig.platform.database.transaction() as session:
        for table in ("server_cells", "server_boots", "server_orders", "tenant_secrets"):
            rows = await session.execute(text(f"SELECT t::text FROM {table} t"))  # noqa: S608 - a fixed list
            stored = " ".join(row[0] for row in rows)
            for secret in planted:
                assert secret not in stored, table
                assert secret.encode().hex() not in stored, table
    written = capsys.readouterr()
    assert "boot token used before" in written.out + written.err, "a repeated exchange is logged"
    assert not [secret for secret in planted if secret in written.out + written.err]


async def test_a_token_of_another_kind_or_nobody_is_not_looked_up(rig: Rig, http: httpx.AsyncClient) -> None:
    for kind in (TokenKind.OPERATOR, TokenKind.PROXY, TokenKind.AGENT):
        answer = await http.get("nobody/bundle", headers=bearer(issue(kind)))
        assert answer.status_code == 401


def _node(rig: Rig) -> dict[str, Any]:
    return rig.settings().node.model_dump()
