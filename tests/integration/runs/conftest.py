"""Test runs of made-up tests, in folders of their own, under the same plugins as our own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[3]
_SECONDS = 120
_CONFTEST = f"""
import sys
sys.path.insert(0, {str(_REPOSITORY)!r})
from tests import conftest
pytest_plugins = [name for name in conftest.pytest_plugins if name != "tests.plugins.properties"]  # slow to import
"""
_PLUGINS = "xdist.plugin,pytest_timeout,pytest_asyncio.plugin"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `files` (path to source) with these words on the command line; its output shows if a test fails."""
    shutil.copy(_REPOSITORY / "pyproject.toml", tmp_path)
    (tmp_path / "conftest.py").write_text(_CONFTEST)

    def run(*words: str, **files: str) -> subprocess.CompletedProcess[str]:
        for name, source in files.items():
            place = tmp_path / "tests" / name.replace("__", "/test_")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.with_suffix(".py").write_text(source)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, "tests"],
            cwd=tmp_path,
            # Only the plugins that our own tests need: every process of these runs would import all that are installed.
            env={
                **environment,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_PLUGINS": _PLUGINS,
                "RUN_FOLDER": str(tmp_path),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        sys.stdout.write(done.stdout)
        return done

    return run
