"""Names of images as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from clawstack.errors import InvalidInputError

#: https://pkg.go.dev/github.com/distribution/reference
_REFERENCE: Final = re.compile(
    r"(?P<host>[a-z0-9][a-z0-9.-]*(:\d+)?)/(?P<repository>[a-z0-9]+(?:[._/-][a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Registry, repository, and tag or digest or both."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def url(self) -> str:
        """Of the registry. Without encryption only on this machine, as every other client has it."""
        scheme = "http" if self.host.partition(":")[0] in _LOOPBACK else "https"
        return f"{scheme}://{self.host}"


def parse(text: str) -> Reference:
    """Raises InvalidInputError for what names no image of a registry."""
    found = _REFERENCE.fullmatch(text)
    if found is None or not ("." in found["host"] or ":" in found["host"] or found["host"] in _LOOPBACK):
        raise InvalidInputError(
            f"{text[:200]!r} is no image of a registry.",
            code="bad_reference",
            remedy="Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST, as registry.example/you/clawstack:1.2.0.",
        )
    return Reference(
        host=found["host"], repository=found["repository"], tag=found["tag"] or "", digest=found["digest"] or ""
    )
