"""Names that the configuration and the environment must agree on."""

from __future__ import annotations

from typing import Final

#: Provider id inside OpenClaw; a model is `clawstack/<platform model id>`.
PROVIDER: Final = "clawstack"
# Names of environment variables, not their values.
PROXY_TOKEN: Final = "CLAWSTACK_PROXY_TOKEN"  # noqa: S105
CHANNEL_TOKEN: Final = "CLAWSTACK_CHANNEL_TOKEN"  # noqa: S105
GATEWAY_TOKEN: Final = "CLAWSTACK_GATEWAY_TOKEN"  # noqa: S105


def placeholder(name: str) -> str:
    """How `openclaw.json` says "take it from the environment"."""
    return f"${{{name}}}"


def model_ref(model: str) -> str:
    """A platform model as OpenClaw names it."""
    return f"{PROVIDER}/{model}"
