"""Limits kept in memory, sentences for customers, documents about models and usage."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from clawstack.plans import load_catalogue
from services.traffic.ledger.schemas import ModelUsage, Usage, next_period_starts, period_of
from services.traffic.llm_proxy import documents, errors
from services.traffic.llm_proxy.errors import RefusedError
from services.traffic.llm_proxy.limits import InFlight, OutputSizes, RateLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, key: str, count: int) -> int:
    refusals = []
    for _ in range(count):
        try:
            limit.take(key)
        except RefusedError as refusal:
            refusals.append(refusal)
    assert all(refusal.http_status == 429 for refusal in refusals)
    assert all(0 < (refusal.retry_after or 0) <= 0.1 + 1e-9 for refusal in refusals)
    return count - len(refusals)


def test_a_rested_token_may_send_ten_at_once_and_then_ten_a_second() -> None:
    clock = Clock()
    limit = RateLimit(clock=clock)
    assert taken(limit, "a", 50) == 10
    assert taken(limit, "b", 50) == 10
    clock.now += 0.5
    assert taken(limit, "a", 50) == 5
    clock.now += 3600
    assert taken(limit, "a", 50) == 10


def test_tokens_that_rest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.traffic.llm_proxy.limits._SWEEP_ABOVE", 100)
    clock = Clock()
    limit = RateLimit(clock=clock)
    for number in range(100):
        limit.take(str(number))
    clock.now += 2
    limit.take("fresh")
    assert set(limit._buckets) == {"fresh"}


def test_requests_in_flight_are_counted_per_tenant_and_given_back_on_failure() -> None:
    flights, tenant, other = InFlight(limit=2), uuid.uuid4(), uuid.uuid4()
    with flights.counted(tenant), flights.counted(tenant), flights.counted(other):
        with pytest.raises(RefusedError, match="2 are under way"), flights.counted(tenant):
            pass
        assert flights.total() == 3
    with pytest.raises(ZeroDivisionError), flights.counted(tenant):
        _ = 1 / 0
    assert flights.total() == 0
    assert not flights._counts


def test_what_is_set_aside_follows_the_answers_and_never_exceeds_what_is_allowed() -> None:
    sizes = OutputSizes()
    assert sizes.expected("m", at_most=100_000) == 4096
    assert sizes.expected("m", at_most=64) == 64
    sizes.observe("m", 9000)
    assert sizes.expected("m", at_most=100_000) == 9000
    for _ in range(500):
        sizes.observe("m", 10)
    assert sizes.expected("m", at_most=100_000) == 512
    assert sizes.expected("other", at_most=100_000) == 4096


#: What the gateway (2026.9.6) takes for a billing problem and then replaces by a text of its own.
BILLING = re.compile(
    r"insufficient[_ ]quota|payment required|spend(?:ing)?\s+limit|out of budget|credit|balance|plans & billing"
    r"|\bmodel\b.*\bnot\s+available\b.*\bcurrent\s+plan\b|\bcurrent\s+subscription\s+plan\b",
    re.IGNORECASE,
)
#: What makes it show a limit's own sentence.
PERIODIC = re.compile(
    r"\b(?:daily|weekly|monthly) (?:usage )?limit(?:s)?(?: (?:exhausted|reached|exceeded))?\b", re.IGNORECASE
)


def test_the_gateway_shows_our_sentence_about_the_monthly_limit() -> None:
    for plan in load_catalogue().plans.values():
        refusal = errors.monthly_limit(plan.title, "2026-12")
        assert PERIODIC.search(refusal.message)
        assert len(refusal.message) <= 300
        assert "1 January 2027" in refusal.message
        assert plan.title in refusal.message
        assert refusal.headers() == [("x-should-retry", "false")]


def test_no_sentence_is_taken_for_a_vendors_billing_problem() -> None:
    refusals = [
        errors.monthly_limit("Starter", "2026-11"), errors.under_way(), errors.too_fast(1), errors.too_many_at_once(20),
        errors.unknown_model("gpt-9", ["a"]), errors.not_running(), errors.unavailable(), errors.not_configured("m"),
        errors.bad_request("x"), errors.too_large(1), errors.too_slow_body(), errors.not_offered("/x"),
        errors.not_authenticated(), errors.wrong_method("GET"),
    ]  # fmt: skip
    for refusal in refusals:
        shown = f"{refusal.message} {refusal.kind} {refusal.code}"
        assert not BILLING.search(shown), shown
        assert refusal.body()["error"].keys() == {"message", "type", "param", "code"}
        assert re.fullmatch(r"[a-z_]+", refusal.code)


def test_a_long_model_name_is_not_echoed_whole() -> None:
    assert len(errors.unknown_model("x" * 10_000, ["a"]).message) < 200


def test_periods_are_calendar_months_in_utc() -> None:
    assert period_of(datetime(2026, 11, 30, 23, 59, tzinfo=UTC)) == "2026-11"
    assert period_of(datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))) == "2026-11"
    assert next_period_starts("2026-11") == datetime(2026, 12, 1, tzinfo=UTC)
    assert next_period_starts("2026-12") == datetime(2027, 1, 1, tzinfo=UTC)


def used(tokens: int, cost: int) -> Usage:
    model = ModelUsage(
        model="gpt-5-mini", requests=3, input_tokens=tokens, cached_input_tokens=0, output_tokens=0, cost_micro_usd=cost
    )
    return Usage(
        period="2026-11",
        tokens_used=tokens,
        tokens_reserved=5,
        tokens_limit=1000,
        cost_micro_usd=cost,
        budget_micro_usd=4_000_000,
        by_model=(model,),
    )


@pytest.mark.parametrize(
    ("tokens", "cost", "spent"),
    [(0, 0, 0), (100, 2_000_000, 2_000_000), (1000, 4, 4_000_000), (5000, 9_000_000, 4_000_000), (250, 0, 1_000_000)],
)
def test_the_budget_shown_in_chat_is_the_nearer_limit(tokens: int, cost: int, spent: int) -> None:
    document = documents.usage(used(tokens, cost))
    assert document["budget"] == {
        "configured": True, "limitMicros": 4_000_000, "spentMicros": spent, "windowKey": "month/2026-11"
    }  # fmt: skip
    assert document["usage"]["summary"] == {"requestCount": 3, "totalTokens": tokens, "actualCostMicros": cost}
    assert document["resets_at"] == "2026-12-01T00:00:00+00:00"


def test_the_catalogue_has_what_the_gateways_plugin_requires() -> None:
    catalogue = load_catalogue()
    (provider,) = documents.catalog(catalogue.models)["providers"]
    assert provider["id"] == "openai"
    assert provider["nativeBaseUrl"].startswith("/v1/native/")
    assert provider["openaiCompatible"] is True
    for row in provider["models"]:
        price = catalogue.models[row["id"]]
        assert row["upstream"]
        assert row["capabilities"] == ["llm.chat"]
        assert row["pricing"]["outputMicrosPerMillion"] == price.output * 1_000_000
        assert row["pricing"]["maxInputTokens"] == price.context_window
    assert documents.catalog({}) == {"providers": []}
