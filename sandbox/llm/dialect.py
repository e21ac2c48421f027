"""What a vendor's wire format must offer; the rest of the stand-in knows no vendor."""

from typing import Any, Protocol

from sandbox.llm.completion import Completion
from sandbox.llm.prompt import Prompt, RequestError


class Dialect(Protocol):
    """One wire format."""

    def read(self, body: dict[str, Any]) -> Prompt:
        """Return the request in one form. Raises RequestError."""
        ...

    def whole(self, completion: Completion) -> dict[str, Any]:
        """Return the answer in one piece."""
        ...

    def frames(self, completion: Completion) -> list[str]:
        """Return the answer as server-sent events."""
        ...

    def error(self, error: RequestError) -> dict[str, Any]:
        """Return a refusal."""
        ...
