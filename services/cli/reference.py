"""The configuration reference, from the settings' own words: `python -m services.cli.reference > docs/configuration.md`."""

from __future__ import annotations

import ast
import inspect
from datetime import timedelta
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from clawstack.setting_types import described
from clawstack.settings import Settings, environment_names

_HEAD: Final = """# Configuration

Every setting is an environment variable; a file `.env` in the working directory is read too, and the environment wins.
Unknown `CLAWSTACK_*` variables are refused with the nearest name. Durations are seconds (`30`) or ISO 8601 (`PT30S`).
Secrets are never shown again: not in logs, errors, events or answers.

This page is made from the settings' own words: `python -m services.cli.reference > docs/configuration.md`; a test
compares the two.

| variable | takes | default | meaning |
| --- | --- | --- | --- |
"""


def render() -> str:
    """The page."""
    words = _documentation()
    rows = [_row(variable, name, words[name]) for variable, name in environment_names().items()]
    return _HEAD + "\n".join(rows) + "\n"


def _row(variable: str, name: str, words: str) -> str:
    field = Settings.model_fields[name]
    return f"| `{variable}` | {described(field.annotation, field.metadata)} | {_default(name, field)} | {words} |"


def _documentation() -> dict[str, str]:
    """The string under each field of `Settings`."""
    body = ast.parse(inspect.getsource(Settings)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the class that was asked for
    words: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            words[field.target.id] = " ".join(str(text.value.value).split())
    return words


def _default(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "`/var/lib/clawstack` for root, else `~/.local/share/clawstack`"
    if name == "policy_pack":
        return "`policies` of the checkout"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined or default == {}:
        return "none"
    if isinstance(default, timedelta):
        return f"`{default.total_seconds():g}`"
    return f"`{getattr(default, 'value', default)}`"


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201 - a command's output
