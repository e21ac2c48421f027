"""`pulumi-resource-probe`: a real Pulumi provider for tests. A resource is a file; every call leaves marks in a journal.

A test steers it through files in the probe's folder: `hold-<op>-<slug>` makes the call wait for as long as the file is
there, `fail-<op>-<slug>` makes it fail with the file's text; `fail-read-<slug>` and a text that begins with "raw: " as a
provider fails that is not ours, which strikes no secret out. Creating twice is fine, as it is for cells.
"""

from __future__ import annotations

from clawstack.plugin_server.lean import skip_pulumi_package

skip_pulumi_package()

import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.plugin_server.provider import PlainProvider
from clawstack.plugin_server.serving import serve
from clawstack.plugin_server.values import reveal, to_python, to_struct

_RAW = "raw: "
_ATTENTION = re.compile(r"attention(?: (?P<code>[a-z_]+))?: ")
"""A failure file that begins so is for a person, with this code; any other is temporary."""


class Probe(PlainProvider):
    @override
    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    @override
    def Diff(self, request: Any, context: Any) -> Any:
        old, new = reveal(to_python(request.old_inputs)), reveal(to_python(request.news))
        kind = provider_pb2.DiffResponse.DIFF_NONE if old == new else provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=kind)

    @override
    def Create(self, request: Any, context: Any) -> Any:
        inputs = to_python(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(inputs))
        slug = self._call("create", inputs)
        return provider_pb2.CreateResponse(id=slug, properties=to_struct({**inputs, "endpoint": f"probe://{slug}"}))

    @override
    def Update(self, request: Any, context: Any) -> Any:
        inputs = to_python(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(inputs))
        slug = self._call("update", inputs)
        return provider_pb2.UpdateResponse(properties=to_struct({**inputs, "endpoint": f"probe://{slug}"}))

    @override
    def Read(self, request: Any, context: Any) -> Any:
        inputs = reveal(to_python(request.inputs))
        self._fail("read", Path(inputs["folder"]), inputs["slug"])
        there = (Path(inputs["folder"]) / "cells" / inputs["slug"]).exists()
        self._mark("read", Path(inputs["folder"]), inputs["slug"], "end")
        if not there:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    @override
    def Delete(self, request: Any, context: Any) -> Any:
        self._call("delete", to_python(request.properties))
        return empty_pb2.Empty()

    def _call(self, op: str, properties: dict[str, Any]) -> str:
        plain = reveal(properties)
        folder, slug = Path(plain["folder"]), str(plain["slug"])
        # As the official kubernetes provider does with its kubeconfig.
        with tempfile.NamedTemporaryFile("w", prefix="kubeconfig-", delete=False) as left:
            left.write(str(plain.get("token")))
        thing = folder / "cells" / slug
        thing.parent.mkdir(exist_ok=True)
        if op == "delete":
            thing.unlink(missing_ok=True)
        else:
            scratch = folder / f".{slug}-{os.getpid()}"
            scratch.write_text(json.dumps({"desired": plain["desired"], "nonce": plain["nonce"]}))
            scratch.replace(thing)
        # Whoever waits for this mark may kill right after it, and counts on what was made.
        self._mark(op, folder, slug, "begin")
        while (folder / f"hold-{op}-{slug}").exists():
            time.sleep(0.02)
        self._fail(op, folder, slug)
        self._mark(op, folder, slug, "end")
        return slug

    def _fail(self, op: str, folder: Path, slug: str) -> None:
        failure = folder / f"fail-{op}-{slug}"
        if failure.exists():
            text = failure.read_text()
            if text.startswith(_RAW):
                raise RuntimeError(text.removeprefix(_RAW))
            if asks := _ATTENTION.match(text):
                raise NeedsAttentionError(text[asks.end() :], code=asks["code"] or "probe_stuck")
            raise TemporaryError(text, code="probe_busy")

    def _mark(self, op: str, folder: Path, slug: str, phase: str) -> None:
        line = (
            json.dumps(
                {
                    "op": op,
                    "slug": slug,
                    "phase": phase,
                    "pid": os.getpid(),
                    "started": psutil.Process().create_time(),
                    "at": time.time(),
                }
            )
            + "\n"
        )
        with (folder / "journal").open("a") as journal:
            journal.write(line)


def main() -> None:
    serve(Probe(version="0.0.1"), grace=0.2)
