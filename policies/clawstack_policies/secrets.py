"""No plaintext secret in a property that is not marked secret: such a property is stored in the clear in Pulumi's state.

Pulumi hands a validation the values without their marks; only a remediation still sees which values are secret. So this
rule looks at the resource in a remediation that changes nothing, remembers what it found, and reports it right after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Secret, Severity

from clawstack.secret_shapes import SECRET_SHAPES, pattern
from clawstack.tokens import TokenKind
from clawstack_policies.rule import rule

#: Keys that hold a secret by their name: `botToken`, `CLAWSTACK_PROXY_TOKEN`, `password`, `privateKey` ...
_TELLING_KEY: Final = re.compile(
    r"(?i)(?:^|[a-z0-9_.-])(?:token|secret|password|passphrase|api_?key|private_?key|backup_?key|credential)s?$"
)
#: Keys that only speak about secrets.
_HARMLESS_KEY: Final = re.compile(r"(?i)(?:secretname|automount.*token|tokenttl|maxtokens?|_tokens|Tokens)$")
_TELLING_VALUE: Final = re.compile(pattern(SECRET_SHAPES))
_REFERENCE: Final = re.compile(r"\$\{[A-Z0-9_]+\}")  # a placeholder that the gateway fills from its environment
_UNKNOWN: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # Pulumi's stand-in while previewing


class PlaintextSecrets:
    """Finds plaintext secrets in the resource that is looked at, and reports them when it is judged."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def watch(self, args: ResourceValidationArgs) -> None:
        """Look at a resource whose secrets are still marked. Changes nothing."""
        self._found[args.urn] = list(find(marked(args.props)))

    def check(self, args: ResourceValidationArgs) -> Iterator[str]:
        """One sentence per finding."""
        for path in self._found.pop(args.urn, []):
            yield f"{args.name} holds a secret in plain text at {path}."


def find(value: Any, path: str = "") -> Iterator[str]:
    """Paths of plaintext secrets below `value`; what is marked secret is not looked into."""
    if isinstance(value, Secret):
        return
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from find(member, f"{path}.{key}" if path else str(key))
    elif isinstance(value, str):
        if _is_plain_secret(path.rsplit(".", 1)[-1].split("[", 1)[0], value):
            yield path
    elif isinstance(value, Sequence):
        for index, member in enumerate(value):
            yield from find(member, f"{path}[{index}]")


def _is_plain_secret(key: str, value: str) -> bool:
    if looks_secret(value):
        return True
    if not value or is_unknown(value) or _REFERENCE.fullmatch(value):
        return False
    return bool(_TELLING_KEY.search(key)) and not _HARMLESS_KEY.search(key)


def looks_secret(text: str, *, allowed: TokenKind | None = None) -> bool:
    """Whether the text holds a secret that its shape gives away; tokens of the kind `allowed` do not count."""
    found = (match[0] for match in _TELLING_VALUE.finditer(text))
    return any(allowed is None or not each.startswith(f"{allowed.value}_") for each in found)


def is_unknown(text: str) -> bool:
    """Whether this is what stands for a value that a preview does not know."""
    return _UNKNOWN.fullmatch(text) is not None


def marked(props: Any) -> Any:
    """The properties as a remediation sees them, secrets still wrapped in their marks."""
    # The proxy that the SDK hands to remediations gives its target, marks included, under this key.
    try:
        return props["__target"]
    except KeyError:
        return props


def no_plaintext_secret() -> ResourceValidationPolicy:
    """The rule, with its own memory."""
    watcher = PlaintextSecrets()
    return rule(
        name="resource-forbid-plaintext-secret",
        sentence="Secrets are marked as secret, so that Pulumi encrypts them in its state.",
        remedy="Wrap the value in pulumi.Output.secret where it enters the program.",
        severity=Severity.CRITICAL,
        check=watcher.check,
        watch=watcher.watch,
    )
