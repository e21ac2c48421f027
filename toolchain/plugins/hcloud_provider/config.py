"""The provider's own configuration: token, endpoint, and how often actions are looked at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from clawstack.errors import NeedsAttentionError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import OFFICIAL, Access
from toolchain.plugins.hcloud_provider.cloud.waiting import PollFunction, Polling
from toolchain.plugins.hcloud_provider.model.checking import Reason

_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_FUNCTIONS: Final = ("constant", "exponential")
#: What the engine itself adds to a provider's inputs.
_ENGINES: Final = frozenset({"version", "pluginDownloadURL"})
NAMES: Final = ("endpoint", "endpointHetzner", "pollFunction", "pollInterval", "token")


def seconds(text: str) -> float:
    """A duration as Go writes it ("500ms", "1m30s"); raises ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def complaints(config: Mapping[str, Any]) -> Iterator[Reason]:
    """What is wrong with the configuration; unknown values are not judged."""
    for name in config:
        if name not in NAMES and name not in _ENGINES and not name.startswith("__"):
            yield name, f"{name} is no setting of hcloud; there are {', '.join(NAMES)}."
    known = {name: value for name, value in config.items() if value is not UNKNOWN and value is not None}
    interval, function = known.get("pollInterval"), known.get("pollFunction")
    if interval is not None and not _DURATION.fullmatch(str(interval)):
        yield "pollInterval", f'pollInterval is {interval!r}; write a duration such as "500ms" or "2s".'
    if function is not None and function not in _FUNCTIONS:
        yield "pollFunction", f"pollFunction is {function!r}; allowed are {', '.join(map(repr, _FUNCTIONS))}."
    endpoint = known.get("endpoint")
    if endpoint is not None and urlsplit(str(endpoint)).scheme not in {"http", "https"}:
        yield "endpoint", f"endpoint is {endpoint!r}; write an address such as {OFFICIAL}."


def access(config: Mapping[str, Any]) -> Access:
    """Where and as whom to ask; from the configuration, else HCLOUD_TOKEN and HCLOUD_ENDPOINT."""
    token = config.get("token") or os.environ.get("HCLOUD_TOKEN", "")
    if not token:
        raise NeedsAttentionError(
            "There is no API token for Hetzner.",
            code="hetzner_no_token",
            remedy="Set hcloud:token as a secret, give the provider a token, or set HCLOUD_TOKEN.",
        )
    endpoint = config.get("endpoint") or os.environ.get("HCLOUD_ENDPOINT") or OFFICIAL
    return Access(endpoint=str(endpoint).rstrip("/"), token=str(token))


def polling(config: Mapping[str, Any]) -> Polling:
    """How often is looked. Raises ValueError for what `complaints` complains about."""
    function = config.get("pollFunction") or "exponential"
    return Polling(
        interval=seconds(str(config.get("pollInterval") or "500ms")),
        function=cast("PollFunction", function),
    )
