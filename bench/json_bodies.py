"""JSON bodies: what parsers take for them, and what counting their items first takes instead.

Side by side in one process, processor time, the best of several. Parsers that are not installed are left out:
`pip install orjson msgspec` brings the two that were weighed.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.kit.http.bounded_json import JsonShapeError, decode
from services.traffic.llm_proxy.request import SHAPE
from tests.attackers import DEAR_BODIES, filled

_SIZE: Final = 8 * 1024 * 1024
_TURNS: Final = 3


def _conversation(count: int) -> bytes:
    messages = [{"role": "user", "content": 'He said "well,\nmaybe" and [left]. ' * 20} for _ in range(count)]
    return json.dumps({"model": "gpt-5-mini", "messages": messages}).encode()


def _bodies() -> dict[str, bytes]:
    honest = {
        "conversation": _conversation(2500),
        "one image": b'{"image":"' + b"A" * (_SIZE - 20) + b'"}',
        "escapes alone": filled(rb"\u00e9", _SIZE, head=b'["', tail=b'"]'),
        "most items allowed": filled(b'{"b":1},', 8 * (SHAPE.items // 2 - 8)),
    }
    return honest | {name: make(_SIZE) for name, make in DEAR_BODIES.items()}


def _parsers() -> dict[str, Callable[[bytes], Any]]:
    found: dict[str, Callable[[bytes], Any]] = {"json": json.loads}
    for name, module in (("orjson", "orjson"), ("msgspec", "msgspec.json")):
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        found[name] = getattr(library, "loads", None) or library.decode
    return found | {"counted, then json": lambda raw: decode(raw, SHAPE)}


def _taken(parse: Callable[[bytes], Any], raw: bytes) -> str:
    best, outcome = float("inf"), ""
    for _ in range(_TURNS):
        begun = time.process_time()
        try:
            parsed, outcome = parse(raw), ""
        except (ValueError, RecursionError) as error:
            parsed, outcome = None, " refused" if isinstance(error, JsonShapeError) else " no JSON"
        best = min(best, time.process_time() - begun)
        del parsed
    return f"{best * 1000:.0f}{outcome}"


def main() -> None:
    """Print the table."""
    parsers = _parsers()
    print(f"| milliseconds for | MB | {' | '.join(parsers)} |")  # noqa: T201 - a benchmark's output
    print("| --- " * (2 + len(parsers)) + "|")  # noqa: T201
    for name, raw in _bodies().items():
        cells = " | ".join(_taken(parse, raw) for parse in parsers.values())
        print(f"| {name} | {len(raw) / 1e6:.1f} | {cells} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
