"""User data is no place for secrets: every process on a server can read it from the metadata service, for ever."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Secret, Severity

from clawstack.tokens import TokenKind
from clawstack_policies.hetzner import objects
from clawstack_policies.rule import rule
from clawstack_policies.secrets import is_unknown, looks_secret, marked

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = zlib.MAX_WBITS | 16
#: User data is at most 32 KiB; nothing sensible unpacks to more than this.
_UNPACKED: Final = 1024 * 1024
_NESTED: Final = 2


class UserData:
    """Looks at user data while its mark still shows, and reports when the server is judged."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def watch(self, args: ResourceValidationArgs) -> None:
        """Look at a server. Changes nothing."""
        if args.resource_type == objects.SERVER:
            self._found[args.urn] = list(_findings(marked(args.props).get("userData")))

    def check(self, args: ResourceValidationArgs) -> Iterator[str]:
        """One sentence per finding."""
        for finding in self._found.pop(args.urn, []):
            yield f"{args.name} {finding}."


def _findings(value: Any) -> Iterator[str]:
    text = value.value if isinstance(value, Secret) else value
    if not isinstance(text, str) or not text or is_unknown(text):
        return
    if not isinstance(value, Secret):
        yield "has user data that is not marked secret, so that it lies in the state in plain text"
    # A boot token opens the door once, and ends soon: it is what user data is to carry instead of secrets.
    if any(looks_secret(content, allowed=TokenKind.BOOT) for content in _contents(text, _NESTED)):
        yield "carries a key or token in its user data"


def _contents(text: str, depth: int) -> Iterator[str]:
    """The text, and what it holds packed: files of cloud-init may be in base64, and zipped."""
    yield text
    if depth == 0:
        return
    for match in _BASE64.finditer(re.sub(r"\s+(?=[A-Za-z0-9+/]{20,})", "\n", text)):
        inner = _unpacked(match.group())
        if inner:
            yield from _contents(inner, depth - 1)


def _unpacked(text: str) -> str:
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return ""
    if content.startswith(_GZIP):
        try:
            content = zlib.decompressobj(_GZIP_WINDOW).decompress(content, _UNPACKED)
        except zlib.error:
            return ""
    return content.decode("utf-8", errors="ignore")


def no_secret_in_user_data() -> ResourceValidationPolicy:
    """The rule, with its own memory."""
    watcher = UserData()
    return rule(
        name="server-forbid-secret-in-user-data",
        sentence="User data is marked secret and carries no key of a provider, of the platform or of a person.",
        remedy="Wrap it in pulumi.Output.secret, and let the machine fetch secrets once with a token that expires.",
        severity=Severity.CRITICAL,
        check=watcher.check,
        watch=watcher.watch,
    )
