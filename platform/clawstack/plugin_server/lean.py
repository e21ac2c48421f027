"""Makes Pulumi's protocol modules importable without importing the whole SDK.

`import pulumi.runtime.proto` executes `pulumi/__init__.py` first, which costs more than everything else a plugin
does at its start (measured: 0.16 s of 0.24 s). A plugin needs only the generated protocol modules.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def skip_pulumi_package() -> None:
    """Puts empty packages in place of `pulumi`, `pulumi.runtime` and `pulumi.runtime.proto` for this process.

    Only for the process of a plugin, before anything imports `pulumi`; afterwards `import pulumi` gives an empty
    package. Does nothing where `pulumi` is already imported.
    """
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        return  # the later import names the missing package better than this could
    folder = Path(spec.submodule_search_locations[0])
    for name, place in (
        ("pulumi", folder),
        ("pulumi.runtime", folder / "runtime"),
        ("pulumi.runtime.proto", folder / "runtime" / "proto"),
    ):
        package = ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package
