"""The environment of the CLI and of everything it starts: chosen word by word, never inherited."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: What may pass from the worker's own environment: where to find things and how to reach the network, no secret.
_ALLOWED: Final = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
#: What a remote state backend needs to be reached, by the scheme of its URL.
_BACKEND_PREFIXES: Final = {"s3": ("AWS_",), "gs": ("GOOGLE_",), "azblob": ("AZURE_", "ARM_")}
_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: Switches of the CLI (sdk/go/common/env/env.go in pulumi/pulumi). No call-outs, no downloads, no listing of legacy
#: stacks at every start, no copies of state that we do not manage, capped logs.
SWITCHES: Final = {
    "PULUMI_AUTOMATION_API": "true",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
    "PULUMI_DIY_BACKEND_NO_LEGACY_WARNING": "true",
    "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",  # a lost Pulumi.<stack>.yaml must not lock us out
    "PULUMI_LOG_ROTATION_MAX_AGE_DAYS": "1",
    "PULUMI_LOG_ROTATION_MAX_TOTAL_MB": "50",
}


def cli_environment(
    parent: Mapping[str, str], *, backend_url: str, passphrase: str, pulumi_home: Path, plugin_path: tuple[Path, ...]
) -> dict[str, str]:
    """The whole environment of one CLI run. The passphrase is here and nowhere else: never in arguments or files."""
    scripts = Path(sys.executable).parent  # pip put pulumi-resource-clawstack there
    folders = [*plugin_path, scripts]
    return {
        **{name: parent[name] for name in _ALLOWED if name in parent},
        **_backend_access(parent, backend_url),
        **SWITCHES,
        "PATH": os.pathsep.join([*map(str, folders), _SYSTEM_PATH]),
        "HOME": str(pulumi_home),
        "PULUMI_HOME": str(pulumi_home),
        "PULUMI_BACKEND_URL": backend_url,
        "PULUMI_CONFIG_PASSPHRASE": passphrase,
        "PULUMI_PYTHON_CMD": sys.executable,
    }


def _backend_access(parent: Mapping[str, str], backend_url: str) -> dict[str, str]:
    prefixes = _BACKEND_PREFIXES.get(backend_url.partition("://")[0])
    return {name: value for name, value in parent.items() if prefixes and name.startswith(prefixes)}
