"""Finds in a prompt who the assistant is, whom it serves and what was said, and says so in plain words.

The rule: lines `Label: value` in what the operator told the model, list marks and bold allowed; the first filled line of
a kind wins, placeholders such as `_(pick one)_` are no value. `Name:` names the assistant (inside USER.md the customer);
`Role:`, `Theme:` or `Creature:` say what it is; `Child:` or `Child's name:` with `Age:`, `Born:` or `Birthday:` say whom
it is about; `Call me:` or `Preferred name:` how to address the customer. OpenClaw puts the workspace's files into the
system prompt, each below a heading `## <path>/IDENTITY.md`; when there are such headings, only lines below them count.
"""

import re
from collections.abc import Iterator
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
    "customer": ("call me", "preferred name", "what to call them", "customer", "customer name"),
}
_KINDS = {label: kind for kind, labels in LABELS.items() for label in labels}
_LINE = re.compile(r"^[\s>*-]*(?P<label>[A-Za-z][A-Za-z'\u2019 ]{1,30}?)\**:\**[ \t]*(?P<value>\S.*)$")
_FILE = re.compile(r"^#{1,4} (?:\S*/)?(?P<file>[A-Z]+\.md)\s*$")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_BARE_AGE = re.compile(r"^\d+ (day|week|month|year)s?$")
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
    for file, label, value in _facts(told):
        kind = _KINDS.get(label)
        if kind == "name" and file == "USER.md":
            kind = "customer"
        if kind:
            found.setdefault(kind, value)
    return Persona(**found)


def compose(prompt: Prompt, today: date) -> str:
    """Return the answer: who speaks, what it knows, and what it heard."""
    persona = find_persona(prompt.system())
    heard = spoken(prompt.user_texts())[:LONGEST_QUOTE]
    seen = "I see the picture you sent." if prompt.pictures else ""
    sentences = [_greeting(persona), _knowledge(persona, today), seen, f'You said: "{heard}"' if heard else ""]
    return " ".join(sentence for sentence in sentences if sentence)


def _facts(told: str) -> Iterator[tuple[str, str, str]]:
    """Yield file, label in lower case, and value of every line that says something."""
    lines = told.splitlines()
    has_files = any(_FILE.match(line) for line in lines)
    file = ""
    for line in lines:
        if heading := _FILE.match(line):
            file = heading.group("file")
        elif (fact := _LINE.match(line)) and (file or not has_files):
            value = fact.group("value").strip().strip("*").strip()
            if value and not value.startswith(("_(", "(", "{{")):
                yield file, fact.group("label").strip().lower().replace("\u2019", "'"), value


def _greeting(persona: Persona) -> str:
    hello = f"Hi {persona.customer}!" if persona.customer else "Hi!"
    role = persona.role.rstrip(".") or "assistant"
    own = role if role.lower().startswith(("your ", "a ", "an ", "the ")) else f"your {role}"
    return f"{hello} I'm {persona.name}, {own}." if persona.name else f"{hello} I'm {own}."


def _knowledge(persona: Persona, today: date) -> str:
    if not persona.child:
        return ""
    age = persona.age or _age(persona.born, today)
    if _BARE_AGE.match(age):
        age = f"{age} old"
    return f"I know {persona.child} is {age}." if age else f"I know about {persona.child}."


def _age(born: str, today: date) -> str:
    if (found := _DATE.search(born)) is None:
        return ""
    try:
        day = date.fromisoformat(found.group())
    except ValueError:
        return ""
    months = (today.year - day.year) * 12 + today.month - day.month - (today.day < day.day)
    return f"{months} month{'' if months == 1 else 's'}" if months >= 0 else ""
