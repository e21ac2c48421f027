"""Takes names in a shared temporary folder before their owner does. Reads names, prints `{name: outcome}`."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path


def take(path: Path) -> str:
    """A folder that others can neither enter nor remove."""
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "taken"


def main() -> None:
    """Each argument is a folder to take."""
    sys.stdout.write(json.dumps({name: take(Path(name)) for name in sys.argv[1:]}) + "\n")


if __name__ == "__main__":
    main()
