"""Which test modules a change can reach by imports, nearest first: `python -m tests.near [--base REF]`, a path a line.

For the minutes between edits (`make test-near`). It follows imports and conftest files, and does not see what a test
starts as a process: the whole run stays the judge.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import grimp

REPOSITORY: Final = Path(__file__).resolve().parents[1]
#: Importable packages, and the folder that each lies in.
ROOTS: Final = {
    "clawstack": "platform/", "clawstack_policies": "policies/",
    "tenants": "", "services": "", "sandbox": "", "toolchain": "", "bench": "", "tests": "",
}  # fmt: skip
#: Tests without processes answer first.
_LEVELS: Final = ("tests.unit.", "tests.integration.", "tests.e2e.")

Importers = Callable[[str], Iterable[str]]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="HEAD", help="what the working tree is compared to")
    files = changed_files(parser.parse_args(arguments).base)
    sys.path.insert(0, str(REPOSITORY / "policies"))
    graph = grimp.build_graph(*_packages(), include_external_packages=False, cache_dir=None)
    found = reached(files, graph.modules, graph.find_modules_that_directly_import)
    for module in found:
        sys.stdout.write(f"{module.replace('.', '/')}.py\n")
    sys.stderr.write(f"{len(files)} changed files reach {len(found)} test modules\n")
    return 0


def changed_files(base: str) -> list[str]:
    """What differs from `base`, committed or not, new files included; paths from the repository's root."""
    commands = (("diff", "--name-only", base, "--"), ("ls-files", "--others", "--exclude-standard"))
    return sorted({line for command in commands for line in _git(*command).splitlines()})


def reached(files: Iterable[str], modules: set[str], importers: Importers) -> list[str]:
    """Test modules: units before tests with processes, and the fewest imports away first."""
    distances = {module: 0 for file in files for module in modules_of(file, modules)}
    border = list(distances)
    while border:
        following = []
        for module in border:
            for user in (*importers(module), *_under_conftest(module, modules)):
                if user not in distances:
                    distances[user] = distances[module] + 1
                    following.append(user)
        border = following
    return sorted(filter(is_test, distances), key=lambda name: (_level(name), distances[name], name))


def modules_of(file: str, modules: set[str]) -> Iterator[str]:
    """The module that a file is; for a package's own file all below it; for data all modules of its folder."""
    path = PurePosixPath(file)
    for root, folder in ROOTS.items():
        if not file.startswith(f"{folder}{root}/"):
            continue
        name = ".".join(path.relative_to(folder or ".").with_suffix("").parts)
        package = name.removesuffix(".__init__") if path.name == "__init__.py" else name.rpartition(".")[0]
        if path.suffix == ".py" and path.name != "__init__.py":
            yield from {name} & modules
        else:
            yield from (each for each in modules if each == package or each.startswith(f"{package}."))


def is_test(module: str) -> bool:
    return module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")


def _under_conftest(module: str, modules: set[str]) -> Iterator[str]:
    package, _, name = module.rpartition(".")
    if name == "conftest":
        yield from (each for each in modules if is_test(each) and each.startswith(f"{package}."))


def _level(module: str) -> int:
    return next((number for number, prefix in enumerate(_LEVELS) if module.startswith(prefix)), len(_LEVELS))


def _packages() -> list[str]:
    return [root for root, folder in ROOTS.items() if (REPOSITORY / folder / root / "__init__.py").is_file()]


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
