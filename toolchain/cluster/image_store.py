"""Imports images once, into a store that every later cluster takes over within a second.

Unpacking OpenClaw's image takes a quarter of a minute. Containerd never changes what it has unpacked, so a new cluster
gets the same files under further names (hard links), and copies only of the two small databases.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster import configs, processes
from toolchain.cluster.calls import Calls
from toolchain.cluster.components import Programs, components
from toolchain.cluster.layout import Layout, Network, Ports
from toolchain.cluster.probes import await_component, log_file
from toolchain.cluster.running import environment

_CHANGING: Final = frozenset({".db", ".lock"})
"""Endings of files that containerd writes to again."""
_NO_LINKS: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})
"""The data folder lies on another disk than the store, or on one without hard links."""


def fill(store: Path, archives: Sequence[Path], programs: Programs) -> None:
    """Import the archives into the empty folder `store`, by a containerd of its own that ends with this call."""
    with TemporaryDirectory(prefix="clawstack-images-") as place:
        layout = _layout(Path(place))
        for folder in (layout.configs, layout.logs):
            folder.mkdir()
        config = configs.containerd(layout, Path("/nonexistent"), root=store)
        (layout.configs / "containerd.toml").write_text(config)
        [component] = [each for each in components(layout, programs) if each.name == "containerd"]
        process = processes.start(component.command, log=log_file(layout, "containerd"), environ=environment(layout))
        try:
            await_component(layout, component, process)
            calls = Calls(layout=layout, programs=programs)
            for archive in archives:
                calls.ctr("images", "import", str(archive))
        finally:
            processes.stop([process], grace=10)


def take_over(store: Path, root: Path) -> None:
    """Make `root` a containerd folder with the images of the store, which stays as it is."""
    try:
        _link_tree(store, root)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise NeedsAttentionError(
                f"The images cannot be put into {root}: {error.strerror}.", code="cluster_not_started"
            ) from error
        shutil.rmtree(root)
        shutil.copytree(store, root, symlinks=True)


def _link_tree(store: Path, root: Path) -> None:
    for folder, folders, files in os.walk(store):
        target = root / Path(folder).relative_to(store)
        target.mkdir()
        shutil.copystat(folder, target)
        for name in (*files, *(name for name in folders if Path(folder, name).is_symlink())):
            source = Path(folder, name)
            if source.suffix in _CHANGING:
                shutil.copy2(source, target / name)
            else:
                os.link(source, target / name, follow_symlinks=False)


def _layout(place: Path) -> Layout:
    """Only the socket and the folders matter: nothing listens on a port."""
    ports = Ports(**dict.fromkeys(Ports.__dataclass_fields__, 0))
    return Layout(run=secrets.token_hex(8), data=place, network=Network(), ports=ports)
