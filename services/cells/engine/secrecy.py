"""The secrets of one run: struck out of all that is told of it.

A provider that refuses an input may quote it. What it can know comes to it in two ways, and both are watched: every
secret input that the program registers passes the engine's resource monitor first, and what was recorded by the runs
before (read, compared and deleted, with no program at all when a stack is destroyed) lies in the deployment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf import struct_pb2

from clawstack.plugin_server.secrecy import secret_texts
from clawstack.redaction import Redactor
from clawstack.secret_forms import forms


class RunSecrets:
    """Knows one run's secret inputs. Safe to share between threads; forgotten with the run."""

    def __init__(self) -> None:
        self._redactor = Redactor()
        self._seen: set[int] = set()
        self._lock = threading.Lock()
        self._recorded: list[Callable[[], Iterable[str]]] = []
        self._opening = threading.Lock()

    def recorded(self, read: Callable[[], Iterable[str]]) -> None:
        """Take the secrets that `read` gives too: only when there is something to scrub, because opening them is dear."""
        self._recorded.append(read)

    def learn(self, properties: struct_pb2.Struct) -> None:
        """Take the secrets of one registration."""
        self._take(secret_texts(properties))

    def scrub(self, text: str) -> str:
        """`text` without them, in whatever form they are quoted."""
        with self._opening:  # whoever comes second waits until all are known
            while self._recorded:
                self._take(self._recorded.pop()())
        return self._redactor.text(text)

    def _take(self, values: Iterable[str]) -> None:
        for value in values:
            with self._lock:
                new = hash(value) not in self._seen
                self._seen.add(hash(value))
            if new:
                self._redactor.register(*forms(value))


class OverheardMonitor:
    """The engine's resource monitor, with the secrets of every registration and call noted in passing."""

    def __init__(self, monitor: Any, secrets: RunSecrets) -> None:
        self._monitor = monitor
        self._secrets = secrets

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._monitor, name)
        return self._noting(call) if callable(call) else call

    def _noting(self, call: Any) -> Any:
        def noted(request: Any, *rest: Any, **options: Any) -> Any:
            for properties in _maps(request):
                self._secrets.learn(properties)
            return call(request, *rest, **options)

        return noted


def _maps(request: Any) -> Iterator[struct_pb2.Struct]:
    """The property maps of a call: `object` of a registration, `args` of a function, `properties` of a read."""
    for name in ("object", "args", "properties"):
        found = getattr(request, name, None)
        if isinstance(found, struct_pb2.Struct):
            yield found
