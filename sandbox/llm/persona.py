"""Finds in a prompt who the assistant is, whom it serves and what was said, and says so in plain words.

The rule: lines `Label: value` anywhere in what the operator told the model (system prompt or the files that are put
into it, list marks and bold allowed). `Name:` names the assistant, `Role:`, `Theme:` or `Creature:` say what it is,
`Child:` or `Child's name:` and `Age:`, `Born:` or `Birthday:` say whom it is about, `Call me:` or `Preferred name:`
how to address the customer. The first filled line wins; placeholders in `_(...)_` are no value.
"""

import re
from dataclasses import dataclass
from datetime import date

from sandbox.llm.envelope import spoken
from sandbox.llm.prompt import Prompt

LABELS = {
    "name": ("name", "assistant name", "your name"),
    "role": ("role", "theme", "creature"),
    "child": ("child", "child's name", "child name", "children"),
    "age": ("age", "child's age", "child age"),
    "born": ("born", "birthday", "birth date", "date of birth", "child's birthday", "child birthday"),
    "customer": ("call me", "preferred name", "what to call them"),
}
_LINE = re.compile(r"^[\s>*-]*\**(?P<label>[A-Za-z][A-Za-z' ]{1,30}?)\**:\**[ \t]*(?P<value>\S.*)$", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
LONGEST_QUOTE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Persona:
    """What a prompt says about the assistant and whom it serves; empty where it says nothing."""

    name: str = ""
    role: str = ""
    child: str = ""
    age: str = ""
    born: str = ""
    customer: str = ""


def find_persona(told: str) -> Persona:
    """Return what the lines of a prompt say."""
    found: dict[str, str] = {}
    wanted = {label: name for name, labels in LABELS.items() for label in labels}
    for match in _LINE.finditer(told):
        name = wanted.get(match.group("label").strip().lower().replace("\u2019", "'"))
        value = match.group("value").strip().strip("*").strip()
        if name and name not in found and value and not value.startswith(("_(", "(")):
            found[name] = value
    return Persona(**found)


def compose(prompt: Prompt, today: date) -> str:
    """Return the answer: who speaks, what it knows, and what it heard."""
    persona = find_persona(prompt.system())
    heard = spoken(prompt.user_texts())[:LONGEST_QUOTE]
    sentences = [_greeting(persona), _knowledge(persona, today), f'You said: "{heard}"' if heard else ""]
    return " ".join(sentence for sentence in sentences if sentence)


def _greeting(persona: Persona) -> str:
    hello = f"Hi {persona.customer}!" if persona.customer else "Hi!"
    role = persona.role.rstrip(".") or "assistant"
    own = role if role.lower().startswith(("your ", "a ", "an ", "the ")) else f"your {role}"
    return f"{hello} I'm {persona.name}, {own}." if persona.name else f"{hello} I'm {own}."


def _knowledge(persona: Persona, today: date) -> str:
    if not persona.child:
        return ""
    age = persona.age or _age(persona.born, today)
    return f"I know {persona.child} is {age}." if age else f"I know about {persona.child}."


def _age(born: str, today: date) -> str:
    if (found := _DATE.search(born)) is None:
        return ""
    try:
        day = date.fromisoformat(found.group())
    except ValueError:
        return ""
    months = (today.year - day.year) * 12 + today.month - day.month - (today.day < day.day)
    return f"{months} month{'' if months == 1 else 's'} old" if months >= 0 else ""
