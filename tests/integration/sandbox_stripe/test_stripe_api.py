"""What every request has in common: keys, parameters, paging, expansion, idempotency, ordered failures."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
import stripe

from tests.integration.sandbox_stripe.world import KEY, Json, StandIn, given, new_session, subscribe


def test_only_configured_test_keys_are_accepted(stand_in: StandIn) -> None:
    for key in ("sk_test_other", "sk_live_clawstack"):
        with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided") as refused:
            stand_in.client(key).v1.customers.list()
        assert refused.value.http_status == 401
    nobody = httpx.get(f"{stand_in.base}/v1/customers")
    assert nobody.status_code == 401
    assert "You did not provide an API key" in nobody.json()["error"]["message"]
    assert httpx.get(f"{stand_in.base}/v1/customers", auth=(KEY, "")).status_code == 200, (
        "basic auth works as with curl"
    )


def test_errors_are_those_of_stripe(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_nobody'") as missing:
        client.v1.customers.retrieve("cus_nobody")
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (404, "resource_missing", "id")
    with pytest.raises(stripe.InvalidRequestError) as named:
        client.v1.billing_portal.sessions.create({"customer": "cus_nobody"})
    assert (named.value.http_status, named.value.code, named.value.param) == (400, "resource_missing", "customer")
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: name") as absent:
        client.v1.products.create(given())
    assert absent.value.code == "parameter_missing"
    with pytest.raises(stripe.InvalidRequestError, match="Received unknown parameter: nickname") as unknown:
        client.v1.customers.create(given(nickname="x"))
    assert unknown.value.code == "parameter_unknown"
    with pytest.raises(stripe.InvalidRequestError, match=r"address\[planet\]"):
        client.v1.customers.create(given(address={"planet": "x"}))
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        client.v1.payouts.list()


def test_a_parameter_that_is_not_simulated_is_refused_and_not_ignored(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.create({"source": "tok_visa"})
    assert refused.value.code == "sandbox_unsupported_parameter"


def test_another_api_version_is_refused(stand_in: StandIn) -> None:
    old = stand_in.client(stripe_version="2024-06-20", max_network_retries=0)
    with pytest.raises(stripe.InvalidRequestError, match=r"2026-10-28\.endive"):
        old.v1.customers.list()


def test_listings_page_forwards_and_backwards(client: stripe.StripeClient) -> None:
    email = "paging@example.com"
    made = [client.v1.customers.create({"email": email}).id for _ in range(7)]
    first = client.v1.customers.list({"email": email, "limit": 3})
    assert first.has_more
    assert [customer.id for customer in first.data] == made[::-1][:3]
    walked = [customer.id for customer in first.auto_paging_iter()]
    assert walked == made[::-1]
    back = client.v1.customers.list({"email": email, "limit": 3, "ending_before": made[0]})
    assert [customer.id for customer in back.data] == made[1:4][::-1]
    assert [customer.id for customer in back.auto_paging_iter()] == made[1:4] + made[4:]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.customers.list({"starting_after": "cus_nobody"})
    assert missing.value.code == "resource_missing"


def test_expansion_works_in_answers_and_listings_and_refuses_nonsense(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    listed = client.v1.subscriptions.list(
        {"customer": str(subscription.customer), "expand": ["data.customer", "data.default_payment_method"]}
    ).data[0]
    assert isinstance(listed.customer, stripe.Customer)
    assert isinstance(listed.default_payment_method, stripe.PaymentMethod)
    for path in ("status", "nothing", "customer.nothing"):
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            client.v1.subscriptions.retrieve(subscription.id, {"expand": [path]})


def test_metadata_is_merged_and_unset_key_by_key(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"a": "1", "b": "2", "0": "zero"}})
    assert customer.metadata is not None
    assert customer.metadata.to_dict() == {"a": "1", "b": "2", "0": "zero"}
    changed = client.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "0": "zero", "c": "3"}
    cleared = client.v1.customers.update(customer.id, {"metadata": ""})
    assert cleared.metadata is not None
    assert cleared.metadata.to_dict() == {}


def test_a_deleted_customer_is_remembered_as_deleted(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    customer = str(subscription.customer)
    assert client.v1.customers.delete(customer).deleted
    assert client.v1.customers.retrieve(customer).to_dict() == {"id": customer, "object": "customer", "deleted": True}
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert customer not in {found.id for found in client.v1.customers.list({"limit": 100}).data}
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.update(customer, {"name": "x"})


def test_an_idempotency_key_replays_the_first_answer(stand_in: StandIn, client: stripe.StripeClient) -> None:
    key: Any = {"idempotency_key": "job-1-create"}
    first = client.v1.customers.create({"email": "once@example.com"}, key)
    again = client.v1.customers.create({"email": "once@example.com"}, key)
    assert again.id == first.id
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert len(client.v1.customers.list({"email": "once@example.com"}).data) == 1
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        client.v1.customers.create({"email": "twice@example.com"}, key)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.products.create({"name": "x"}, key)
    event = client.v1.events.list({"type": "customer.created", "limit": 1}).data[0]
    assert event.request is not None
    assert event.request.idempotency_key == "job-1-create"


def test_a_refused_request_does_not_use_up_its_key(client: stripe.StripeClient) -> None:
    key: Any = {"idempotency_key": "job-2"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.create(given(description="no name"), key)
    assert client.v1.products.create({"name": "Named"}, key).name == "Named"


def test_nothing_of_a_refused_request_remains(stand_in: StandIn, client: stripe.StripeClient) -> None:
    before = len(client.v1.customers.list({"email": "half@example.com"}).data)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.create({"email": "half@example.com", "payment_method": "pm_nothing"})
    assert len(client.v1.customers.list({"email": "half@example.com"}).data) == before


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("503", 503)])
def test_ordered_server_errors_come_and_go(stand_in: StandIn, kind: str, status: int) -> None:
    plain = stand_in.client(max_network_retries=0)
    stand_in.control("fail", kind=kind, count=1)
    with pytest.raises(stripe.APIError) as refused:
        plain.v1.customers.list()
    assert refused.value.http_status == status
    assert plain.v1.customers.list().data is not None


def test_rate_limits_carry_retry_after(stand_in: StandIn, client: stripe.StripeClient) -> None:
    stand_in.control("fail", kind="429", retry_after=6.5)
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.customers.list()
    assert (refused.value.headers or {})["Retry-After"] == "7"


@pytest.mark.parametrize("kind", ["reset", "timeout"])
def test_a_lost_connection_is_a_connection_error(stand_in: StandIn, client: stripe.StripeClient, kind: str) -> None:
    stand_in.control("fail", kind=kind, seconds=0.05, match="GET /v1/customers")
    assert client.v1.products.list({"limit": 1}).data is not None, "only what matches fails"
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.list()


def test_garbage_is_an_api_error(stand_in: StandIn, client: stripe.StripeClient) -> None:
    stand_in.control("fail", kind="garbage")
    with pytest.raises(stripe.APIError, match="Invalid response body"):
        client.v1.customers.list()


def test_a_slow_answer_is_a_proper_one(stand_in: StandIn, client: stripe.StripeClient) -> None:
    stand_in.control("fail", kind="slow", seconds=0.3)
    began = time.monotonic()
    assert client.v1.customers.list().data is not None
    assert time.monotonic() - began >= 0.3


def test_an_answer_lost_after_the_effect_is_healed_by_the_librarys_own_retry(stand_in: StandIn, prices: Json) -> None:
    stand_in.control("fail", kind="reset", match="POST /v1/customers", after_effect=True)
    patient = stand_in.client(max_network_retries=2)
    made = patient.v1.customers.create({"email": "lost@example.com"})
    assert [customer.id for customer in patient.v1.customers.list({"email": "lost@example.com"}).data] == [made.id]
    log = [entry for entry in stand_in.look("requests")["data"] if entry["path"] == "/v1/customers"]
    posts = [entry for entry in log if entry["method"] == "POST"]
    assert [entry["note"] for entry in posts] == [None, "fault reset after effect"]
    assert posts[0]["idempotency_key"] == posts[1]["idempotency_key"]


async def test_the_asynchronous_client_works_as_well(stand_in: StandIn, prices: Json) -> None:
    connections = stripe.HTTPXClient(allow_sync_methods=False)
    client = stripe.StripeClient(KEY, base_addresses={"api": stand_in.base}, http_client=connections)
    found = await client.v1.prices.list_async({"lookup_keys": ["clawstack_pro_month"]})
    assert [price.id for price in found.data] == [prices["clawstack_pro_month"]]
    walked = [event.id async for event in (await client.v1.events.list_async({"limit": 5})).auto_paging_iter()]
    assert len(walked) == len(set(walked)) > 5
    await connections.close_async()  # type: ignore[no-untyped-call]


def test_the_request_log_shows_how_the_product_called(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    new_session(client, prices["clawstack_starter_month"])
    entry = stand_in.look("requests", limit=1)["data"][0]
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/v1/checkout/sessions", 200)
    assert entry["params"]["metadata"] == {"signup_id": "s-1"}
