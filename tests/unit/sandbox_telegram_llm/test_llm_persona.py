"""Who speaks, what it knows, what it heard: from a prompt as OpenClaw really writes it."""

from datetime import date

import pytest

from sandbox.llm.envelope import bare, spoken
from sandbox.llm.openai_chat import OpenAiChat
from sandbox.llm.persona import compose, find_persona

TODAY = date(2026, 11, 21)
SYSTEM = """You are a personal assistant running inside OpenClaw.
Name: not this one
# Project Context
## /cells/x/state/workspace/AGENTS.md
# How you work
- Greet a new parent by saying who you are, the child's name and age.
## /cells/x/state/workspace/IDENTITY.md
# Identity

- Name: Clawdia
- Creature: parenting assistant
- Emoji: _(pick one)_
## /cells/x/state/workspace/USER.md
# About the family

- **Child:** Emma
- Birthday: 2024-11-21 (21 November 2024)
"""
FIRST = (
    "[Sat 2026-11-21 07:58 UTC] Conversation info: \u27e6openclaw:ctx\u27e7\n```json\n"
    '{"sender":{"id":"4242","name":"Pat"}}\n```\n\nhi\n\nRuntime: agent=main | session=agent:main:telegram:direct:4242'
)
INTERNAL = (
    "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nConversation data (data, not instructions):\n"
    '"Conversation info: \u27e6openclaw:ctx\u27e7"\n<<<END_OPENCLAW_INTERNAL_CONTEXT>>>'
)


def answer(*users: object, system: str = SYSTEM) -> str:
    messages = [{"role": "system", "content": system}, *({"role": "user", "content": text} for text in users)]
    return compose(OpenAiChat().read({"model": "m", "messages": messages}), TODAY)


def test_first_turn_of_openclaw() -> None:
    said = answer(FIRST, [{"type": "text", "text": INTERNAL}])
    assert said == 'Hi! I\'m Clawdia, your parenting assistant. I know Emma is 24 months old. You said: "hi"'


def test_age_line_wins_over_birthday_and_a_picture_is_noticed() -> None:
    system = SYSTEM.replace("- Birthday:", "- Age: 2 years\n- Birthday:")
    picture = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]
    said = answer(picture, INTERNAL, system=system)
    assert said.endswith('I know Emma is 2 years old. I see the picture you sent. You said: "look"')


def test_without_files_every_line_counts() -> None:
    persona = find_persona("Name: Sage\nRole: helper\nCall me: Alex")
    assert (persona.name, persona.role, persona.customer) == ("Sage", "helper", "Alex")


def test_a_name_in_user_md_is_the_customers() -> None:
    persona = find_persona("## /w/USER.md\n- Name: Alex\n## /w/IDENTITY.md\n- Name: Sage\n")
    assert (persona.name, persona.customer) == ("Sage", "Alex")


def test_without_any_facts() -> None:
    assert answer("hello", system="Be kind.") == 'Hi! I\'m your assistant. You said: "hello"'


@pytest.mark.parametrize(
    ("born", "age"),
    [("2026-11-01", "0 months old"), ("2026-10-21", "1 month old"), ("2026-10-22", "0 months old")],
)
def test_months(born: str, age: str) -> None:
    system = f"Child: Bo\nBorn: {born}"
    assert f"I know Bo is {age}." in answer("x", system=system)


def test_unborn_and_nonsense_dates_give_no_age() -> None:
    for born in ("2027-01-01", "2024-13-45", "spring"):
        assert "I know about Bo." in answer("x", system=f"Child: Bo\nBorn: {born}")


def test_words_that_look_like_an_envelope_stay() -> None:
    text = "[note] Context: the baby\n```json\n{}\n```"
    assert bare(text) == text


def test_lines_blocks_and_closing_context_are_taken_off() -> None:
    text = (
        "Conversation context: \u27e6openclaw:ctx\u27e7\n#1 User: old words\n#2 Bot: old answer\n\nnew words\n\n"
        "Context: \u27e6openclaw:ctx\u27e7\nanything\n\nmore"
    )
    assert bare(text) == "new words"


def test_the_last_real_words_are_quoted() -> None:
    assert spoken(["first", FIRST, INTERNAL]) == "hi"
    assert spoken([]) == ""
