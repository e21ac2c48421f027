"""What a visitor typed is judged whole, and never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstack.plans import Period, load_catalogue
from services.business.signups.errors import OrderRefusedError
from services.business.signups.forms import Entered, check_order, read_form

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 21)
GOOD = Entered(
    email="Parent@Example.com",
    plan="starter",
    period="year",
    bundle="parenting",
    answers={"child_name": "Emma", "child_birthday": "2025-09-14"},
)


def problems(entered: Entered, *, strict: bool = False) -> dict[str, str]:
    with pytest.raises(OrderRefusedError) as refused:
        check_order(entered, CATALOGUE, TODAY, strict=strict)
    return {problem.field: problem.message for problem in refused.value.problems}


def test_a_sound_order_is_taken() -> None:
    order = check_order(GOOD, CATALOGUE, TODAY)
    assert (order.email, order.plan.key, order.period, order.bundle.name) == (
        "Parent@example.com",
        "starter",
        Period.YEAR,
        "parenting",
    )
    assert order.lookup_key == "clawstack_starter_year"
    assert order.answers == {"child_name": "Emma", "child_birthday": "2025-09-14"}


def test_an_empty_form_names_every_field_at_once() -> None:
    assert set(problems(Entered())) == {"bundle", "plan", "email"}


def test_every_wrong_field_is_named_with_its_value_and_a_remedy() -> None:
    wrong = replace(
        GOOD, email="not-an-address", plan="gold", period="decade", answers={"child_name": "", "child_birthday": "soon"}
    )
    found = problems(wrong)
    assert list(found) == ["answer_child_name", "answer_child_birthday", "plan", "period", "email"]
    assert "'gold'" in found["plan"]
    assert "starter, pro, business" in found["plan"]
    assert "'soon'" in found["answer_child_birthday"]
    assert "year-month-day" in found["answer_child_birthday"]
    assert "'decade'" in found["period"]
    assert "month, year" in found["period"]
    assert "name@example.com" in found["email"]


def test_an_unknown_bundle_is_refused_with_the_allowed_set() -> None:
    found = problems(replace(GOOD, bundle="../../etc/passwd"))
    assert "general" in found["bundle"]
    assert "parenting" in found["bundle"]


@pytest.mark.parametrize(
    "email", ["a@b", "a b@example.com", "a@example.com\nBcc: x@y.z", "@", "a@" + "x" * 300 + ".com"]
)
def test_addresses_that_cannot_be_mailed_are_refused(email: str) -> None:
    assert "email" in problems(replace(GOOD, email=email))


def test_an_answer_that_was_not_asked_for_is_refused_only_from_programs() -> None:
    extra = replace(GOOD, answers={**GOOD.answers, "role": "admin"})
    assert check_order(extra, CATALOGUE, TODAY).answers == GOOD.answers
    assert "does not ask for it" in problems(extra, strict=True)["answers.'role'"]


def test_an_optional_question_may_stay_empty() -> None:
    order = check_order(replace(GOOD, bundle="general", answers={}), CATALOGUE, TODAY)
    assert order.answers == {}


def test_a_form_is_read_as_it_was_typed_but_for_what_cannot_be_shown() -> None:
    entered = read_form(
        {
            "email": "a@example.com\x00",
            "plan": "pro",
            "answer_child_name": "E\u202emma <b>",
            "answer_": "x",
            "other": "y",
        }
    )
    assert entered == Entered(
        email="a@example.com", plan="pro", period="month", bundle="", answers={"child_name": "Emma <b>"}
    )


@given(
    st.dictionaries(st.sampled_from(["email", "plan", "period", "bundle", "answer_child_name"]), st.text(max_size=50))
)
def test_nothing_that_is_typed_breaks_the_judgement(values: dict[str, str]) -> None:
    lines: list[str] = []
    try:
        check_order(read_form(values), CATALOGUE, TODAY)
    except OrderRefusedError as refused:
        lines = [problem.message for problem in refused.problems] + [refused.sentence()]
    assert all(line.encode() for line in lines)
    assert lines or values.get("plan") in CATALOGUE.plans
