"""The JSON twin of the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.tables.billing import Signup
from tests.integration.billing.world import ORDER, World


async def test_an_order_gets_a_payment_page_and_a_place_to_look(world: World) -> None:
    answer = await world.http.post("/v1/checkout", json=ORDER)
    assert answer.status_code == 201
    body = answer.json()
    assert body["checkout_url"].startswith(f"{world.stand_in.base}/pay/")
    assert body["status_url"] == f"{world.url}/v1/checkout/{body['signup_id']}"
    assert body["welcome_url"] == f"{world.url}/welcome/{body['signup_id']}"
    assert len(body["signup_id"]) == 32
    assert answer.headers["cache-control"] == "no-store"
    status = (await world.http.get(body["status_url"])).json()
    assert (status["stage"], status["state"], status["chat_url"]) == ("unpaid", "awaiting_payment", None)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"plan": "gold"}, "unknown_plan", ["'gold'", "starter, pro, business"]),
        ({"period": "week"}, "unknown_period", ["'week'", "month, year"]),
        ({"bundle": "cooking"}, "unknown_bundle", ["'cooking'", "parenting"]),
        ({"email": "nobody"}, "invalid_email", ["'nobody'", "name@example.com"]),
        ({"answers": {}}, "invalid_answer", ["answers.child_name", "fill this in"]),
        ({"answers": ORDER["answers"] | {"role": "admin"}}, "invalid_answer", ["role", "does not ask"]),
        (
            {"answers": {"child_name": "Emma", "child_birthday": "2999-01-01"}},
            "invalid_answer",
            ["2999-01-01", "future"],
        ),
        ({"unheard": "of"}, "invalid_input", ["unheard"]),
        ({"email": 7}, "invalid_input", ["email"]),
        ({"email": "x" * 400}, "invalid_input", ["email"]),
        ({"plan": "\ud800"}, "invalid_input", ["plan"]),
        ({"answers": {"child_name": "\u0000", "child_birthday": "2025-09-14"}}, "invalid_answer", ["child_name"]),
    ],
)
async def test_a_wrong_order_says_what_why_and_the_remedy(
    world: World, change: dict[str, Any], code: str, words: list[str]
) -> None:
    body = json.dumps(ORDER | change)  # escapes lone surrogates, which a client may send
    answer = await world.http.post("/v1/checkout", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    text = f"{error['message']} {error['remedy']}"
    assert all(word in text for word in words), text
    assert await world.count(Signup) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"'])
async def test_a_malformed_body_is_refused(world: World, body: bytes) -> None:
    answer = await world.http.post("/v1/checkout", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}


@pytest.mark.parametrize("signup_id", ["nobody", "x" * 32, "x" * 5000, "%00", "%2e%2e"])
async def test_an_unknown_signup_is_not_found(world: World, signup_id: str) -> None:
    answer = await world.http.get(f"/v1/checkout/{signup_id}")
    assert answer.status_code in {404, 422}


async def test_the_status_tells_no_more_than_the_page(world: World) -> None:
    signup_id = await world.buy()
    await world.work()
    answer = await world.http.get(f"/v1/checkout/{signup_id}")
    assert (answer.json()["stage"], answer.json()["state"]) == ("building", "pending")
    for private in ("parent@example.com", "Emma", "2025-09-14", "cus_", "sub_", (await world.tenants())[0].slug):
        assert private not in answer.text


async def test_the_api_is_described(world: World) -> None:
    paths = (await world.http.get("/openapi.json")).json()["paths"]
    assert set(paths["/v1/checkout"]) == {"post"}
    assert "/v1/checkout/{signup_id}" in paths
    assert "/signup" not in paths
