"""The catalogue of plans is complete, and money is never rounded in our disfavour."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clawstack.errors import InvalidInputError
from clawstack.plans import Period, load_catalogue

CATALOGUE = load_catalogue()


def test_the_three_plans_have_prices_for_month_and_year():
    assert list(CATALOGUE.plans) == ["starter", "pro", "business"]
    for plan in CATALOGUE.plans.values():
        assert set(plan.prices) == set(Period)
        assert plan.prices[Period.YEAR] < 12 * plan.prices[Period.MONTH]
        assert CATALOGUE.plan_of_lookup_key(plan.lookup_key(Period.YEAR)) == (plan, Period.YEAR)


def test_lookup_keys_are_those_of_the_public_contract():
    assert CATALOGUE.plan("pro").lookup_key(Period.MONTH) == "clawstack_pro_month"
    assert CATALOGUE.plan_of_lookup_key("somebody_elses_price") is None


def test_an_unknown_plan_is_refused_with_the_allowed_set():
    with pytest.raises(InvalidInputError, match="no plan 'gold'") as caught:
        CATALOGUE.plan("gold")
    assert "starter, pro, business" in caught.value.sentence()


def test_a_plan_cannot_allow_a_model_without_a_price():
    text = """
version: "1"
currency: usd
models: {}
plans:
  x: {title: X, summary: x, prices: {month: 1}, monthly_tokens: 1, monthly_budget_usd: 1, models: [m],
      substrates: [process],
      resources: {memory_mb: 1024, cpu: 1, disk_mb: 512, max_processes: 64, max_open_files: 1024}}
"""
    with pytest.raises(ValidationError, match="no price"):
        load_catalogue(text)


counts = st.integers(min_value=0, max_value=10**9)


@given(counts, counts, counts)
def test_cost_is_exact_and_rounded_up_once(input_tokens, cached, output):
    price = CATALOGUE.models["gpt-5"]
    cost = price.cost_micro_usd(input_tokens=input_tokens, cached_input_tokens=cached, output_tokens=output)
    cached = min(cached, input_tokens)
    exact = (input_tokens - cached) * Decimal("1.25") + cached * Decimal("0.125") + output * Decimal(10)
    assert 0 <= cost - exact < 1
