"""Answers that a test wants to hear instead of the usual one, such as tool calls."""

import json
import secrets
from collections import deque
from typing import Any

from pydantic import Field

from sandbox.frame.strict import Strict
from sandbox.llm.completion import ToolCall


class ScriptedCall(Strict):
    """One call of a tool."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    def tool_call(self) -> ToolCall:
        """Return it with a fresh id."""
        return ToolCall(id=f"call_{secrets.token_hex(8)}", name=self.name, arguments=json.dumps(self.arguments))


class ScriptedAnswer(Strict):
    """One answer, for the next request whose body contains `containing` (any when empty)."""

    text: str = ""
    tool_calls: list[ScriptedCall] = Field(default_factory=list)
    containing: str = ""


class Script:
    """Answers in the sequence they are wanted."""

    def __init__(self) -> None:
        self._answers: deque[ScriptedAnswer] = deque()

    def add(self, answers: list[ScriptedAnswer]) -> None:
        """Append answers."""
        self._answers.extend(answers)

    def clear(self) -> None:
        """Forget what was not said yet."""
        self._answers.clear()

    def take(self, body: str) -> ScriptedAnswer | None:
        """Return the next answer for this request, None for the usual one."""
        for answer in self._answers:
            if answer.containing in body:
                self._answers.remove(answer)
                return answer
        return None
