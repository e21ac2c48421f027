"""A stand-in for an API server, its StatefulSet controller and a node: as much of them as the live side of a cell meets.

Commands in pods really run, in a shell, on a folder that stands for the volume.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.waiting import patient

Object = dict[str, Any]

#: Stands for node with openclaw.mjs: knows `backup create` and `backup restore`, as OpenClaw answers them.
OPENCLAW = """#!/bin/sh
set -eu
shift
case "$1 $2" in
"backup create")
  [ ! -e "$OPENCLAW_STATE_DIR/broken" ] || { echo "database is malformed" >&2; exit 1; }
  [ -z "$(find "$OPENCLAW_STATE_DIR" -mindepth 65 -type d -print -quit)" ] || { echo "this never ends" >&2; exit 1; }
  [ -s "$OPENCLAW_STATE_DIR/state/openclaw.sqlite" ] || { echo "has schema role missing" >&2; exit 1; }
  [ ! -L "$OPENCLAW_STATE_DIR/workspace" ] || { echo "it packs the whole node" >&2; exit 1; }
  tar -C "$OPENCLAW_STATE_DIR" -czf "$4/made.tar.gz" state
  echo '{"verified": true}' ;;
"sessions list") printf tables > "$OPENCLAW_STATE_DIR/state/openclaw.sqlite" ;;
"backup restore") mkdir -p "$5/inner"; tar -C "$5/inner" -xzf "$3" ;;
*) exit 2 ;;
esac
"""


class FakeCluster:
    """Objects by path; the gateway's pod follows its StatefulSet."""

    def __init__(self, folder: Path) -> None:
        self.volume = folder / "volume"
        self.mounted = folder / "mounted"
        self.volume.mkdir()
        self.mounted.mkdir()
        (self.mounted / "root.json").write_text("{}")
        (self.mounted / "openclaw.json").write_text("{}")
        self.node = folder / "node"
        self.node.write_text(OPENCLAW)
        self.node.chmod(0o755)
        self.objects: dict[str, Object] = {}
        self.calls: list[tuple[str, str]] = []
        self.commands: list[list[str]] = []
        self.running: dict[str, list[asyncio.subprocess.Process]] = {}
        self.on_call: Callable[[int], None] = lambda _: None
        self.refuse: dict[tuple[str, str], tuple[int, str]] = {}
        self.broken_pod: Object | None = None
        self.draining = 2
        self.lost = False
        self.writes_at_end = ""
        self.url = ""

    def kubeconfig(self) -> str:
        cluster, user = {"server": self.url}, {"token": "t"}
        return yaml.safe_dump(
            {
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user}],
            }
        )

    def apply(self, documents: list[Object]) -> None:
        """What a Pulumi update does."""
        for document in documents:
            path = object_path(document)
            old = self.objects.get(path)
            new = copy.deepcopy(document)
            metadata = new["metadata"]
            kept: Object = old["metadata"] if old else {"uid": f"uid-{len(self.objects)}", "generation": 0}
            metadata.update({key: kept[key] for key in ("uid", "generation")})
            metadata["annotations"] = {**kept.get("annotations", {}), **metadata.get("annotations", {})}
            if old is None or old.get("spec") != new.get("spec"):
                metadata["generation"] += 1
            if new["kind"] == "PersistentVolumeClaim":
                new["status"] = {"phase": "Bound"}
            self.objects[path] = new
        self.converge()

    def find(self, kind: str, name: str) -> Object | None:
        """The first object of that kind and name."""
        found = (item for item in self.objects.values() if item["kind"] == kind and item["metadata"]["name"] == name)
        return next(found, None)

    def converge(self) -> None:
        """One round of the controller and the node."""
        stateful_set = self.find("StatefulSet", "gateway")
        if stateful_set is None:
            return
        namespace = stateful_set["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/pods/gateway-0"
        pod = self.objects.get(path)
        if pod is not None and (stateful_set["spec"]["replicas"] == 0 or "deletionTimestamp" in pod["metadata"]):
            pod["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
            self.draining -= 1
            if self.draining < 0:
                self._last_words(namespace)
                self._end_pod(path)
        elif pod is None and stateful_set["spec"]["replicas"] == 1:
            self.draining = 2
            self.objects[path] = self._new_pod(stateful_set)

    def _end_pod(self, path: str) -> None:
        """Nothing that was started in a pod outlives it, also when whoever asked for it is gone."""
        del self.objects[path]
        for process in self.running.pop(path, []):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody was told yet
                    os.killpg(process.pid, signal.SIGKILL)

    def _last_words(self, namespace: str) -> None:
        if self.writes_at_end:
            (self.volume / namespace.removeprefix("cell-") / "state/state/openclaw.sqlite").write_text(
                self.writes_at_end
            )

    def _new_pod(self, stateful_set: Object) -> Object:
        template = copy.deepcopy(stateful_set["spec"]["template"])
        metadata = {
            "name": "gateway-0",
            "namespace": stateful_set["metadata"]["namespace"],
            "uid": f"p{len(self.calls)}",
        }
        gateway: Object = {
            "name": "gateway", "image": "i", "imageID": "", "ready": True, "restartCount": 0,
            "state": {"running": {}}, "resources": template["spec"]["containers"][0]["resources"],
        }  # fmt: skip
        status = {"phase": "Running", "containerStatuses": [gateway | (self.broken_pod or {})]}
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {**template["metadata"], **metadata},
            "spec": {**template["spec"], "nodeName": "node-1"},
            "status": status,
        }

    async def answer(self, request: Request) -> Response:
        path, verb = request.url.path, request.method
        self.calls.append((verb, path))
        self.on_call(len(self.calls))
        await asyncio.sleep(0)
        if (verb, path.rsplit("/", 1)[-1]) in self.refuse:
            return _status(*self.refuse[verb, path.rsplit("/", 1)[-1]])
        self.converge()
        body = json.loads(await request.body() or b"null")
        if path.endswith("/log"):
            return PlainTextResponse("first line\nlast line\n")
        if verb == "POST":
            return self._create(path, body)
        if verb == "GET" and path not in self.objects and path.rsplit("/", 1)[-1].endswith("s"):
            return self._list(path, request.query_params.get("fieldSelector", ""))
        return self._one(verb, path, body)

    def _one(self, verb: str, path: str, body: Object) -> Response:
        target = path.removesuffix("/resize")
        if target not in self.objects:
            return _status(404, f"{path} not found")
        if verb == "DELETE":
            if self.objects[target]["metadata"]["name"] == "backup":
                self._end_pod(target)
            else:
                self.objects[target]["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
            return _status(200, "")
        if verb == "PATCH":
            self._patch(self.objects[target], body, resize=path != target)
        return JSONResponse(self._shown(self.objects[target]))

    def _list(self, path: str, fields: str) -> Response:
        root, plural = path.rsplit("/", 1)
        name = fields.removeprefix("metadata.name=")
        items = [
            self._shown(item)
            for key, item in self.objects.items()
            if key.startswith(f"{root}/") and key.split("/")[-2] == plural and name in {"", key.rsplit("/", 1)[1]}
        ]
        return JSONResponse({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})

    def _shown(self, item: Object) -> Object:
        """Pods with the conditions that kubelet and node controller give them: a lost node's pods keep their containers."""
        if item["kind"] != "Pod":
            return item
        contained = all(container["ready"] for container in item["status"]["containerStatuses"])
        holds = {"Initialized": True, "Ready": contained and not self.lost, "ContainersReady": contained}
        conditions = [{"type": kind, "status": str(status)} for kind, status in holds.items()]
        return {**item, "status": {**item["status"], "conditions": conditions}}

    def lose_node(self) -> None:
        """The node's kubelet says nothing any more."""
        self.lost = True
        words = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        self.objects["/api/v1/nodes/node-1"] = {
            "kind": "Node", "apiVersion": "v1", "metadata": {"name": "node-1"},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown", **words}]},
        }  # fmt: skip

    def hang(self, *conditions: Object) -> None:
        """The namespace is deleted and does not end, for these reasons."""
        namespace = self.find("Namespace", "cell-anna")
        assert namespace is not None
        namespace["metadata"]["deletionTimestamp"] = datetime.now(UTC).isoformat(timespec="seconds")
        namespace["status"] = {"phase": "Terminating", "conditions": list(conditions)}

    def _create(self, path: str, body: Object) -> Response:
        key = f"{path}/{body['metadata']['name']}"
        if key in self.objects:
            return _status(409, "exists")
        container = {
            "name": "backup",
            "image": "i",
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {}},
        }
        self.objects[key] = {**body, "status": {"phase": "Running", "containerStatuses": [container]}}
        self.objects[key]["spec"]["nodeName"] = "node-1"
        return JSONResponse(self.objects[key], status_code=201)

    def _patch(self, target: Object, change: Object, *, resize: bool) -> None:
        if resize:
            resources = change["spec"]["containers"][0]["resources"]
            target["spec"]["containers"][0]["resources"] = resources
            target["status"]["containerStatuses"][0]["resources"] = resources
            return
        if change.get("spec") and target["kind"] == "StatefulSet":
            target["metadata"]["generation"] += 1
        _merge(target, change)

    async def run(self, socket: WebSocket) -> None:
        """`kubectl exec`, protocol v5."""
        self.calls.append(("EXEC", socket.url.path))
        self.on_call(len(self.calls))
        pod = socket.url.path.rsplit("/", 1)[0]
        if pod not in self.objects:
            await socket.close()
            return
        await socket.accept(subprotocol="v5.channel.k8s.io")
        command = [self._here(part) for part in socket.query_params.getlist("command")]
        self.commands.append(command)
        process = await asyncio.create_subprocess_exec(
            *command, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.running.setdefault(pod, []).append(process)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            stdin = await self._stdin(socket) if "cat > " in command[2:3] or "cat >" in " ".join(command[2:3]) else b""
            out, errors = await process.communicate(stdin)
            for start in range(0, len(out), 32_000):
                await socket.send_bytes(b"\x01" + out[start : start + 32_000])
            await socket.send_bytes(b"\x02" + errors)
            await socket.send_bytes(b"\x03" + json.dumps(_outcome(process.returncode or 0)).encode())
            await socket.close()
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def _stdin(self, socket: WebSocket) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await socket.receive_bytes()
            if message == b"\xff\x00":
                return b"".join(parts)
            if message[:1] == b"\x00":
                parts.append(message[1:])

    def _here(self, part: str) -> str:
        return part.replace("root=/cell/", f"root={self.volume}/").replace("/etc/clawstack/config", str(self.mounted))


@contextlib.asynccontextmanager
async def serving(cluster: FakeCluster) -> AsyncIterator[FakeCluster]:
    """The cluster behind HTTP on a free loopback port."""
    verbs = ["GET", "POST", "PATCH", "DELETE"]
    execute = "/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    app = Starlette(routes=[WebSocketRoute(execute, cluster.run), Route("/{path:path}", cluster.answer, methods=verbs)])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(patient(10)):
            while not server.started:
                await asyncio.sleep(0.01)
        cluster.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield cluster
    finally:
        server.should_exit = True
        await task


def object_path(document: Object) -> str:
    """Where an object is served."""
    version, metadata = document["apiVersion"], document["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    kind = document["kind"].lower()
    plural = {"networkpolicy": "networkpolicies"}.get(kind, f"{kind}s")
    return f"{root}{place}/{plural}/{metadata['name']}"


def _outcome(code: int) -> Object:
    if code == 0:
        return {"status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {"status": "Failure", "reason": "NonZeroExitCode", "message": f"exit {code}", "details": {"causes": causes}}


def _status(code: int, message: str) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "code": code, "message": message, "status": "Failure"}
    return JSONResponse(body, status_code=code)


def _merge(into: Object, change: Object) -> None:
    for key, value in change.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value
