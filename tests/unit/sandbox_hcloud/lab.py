"""The API without sockets, on a clock that tests turn."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.hcloud.api import Api, Asked, Told
from sandbox.hcloud.model.config import DEFAULT_TOKEN, HcloudConfig
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.model.world import World

Json = dict[str, Any]
START = 1_790_000_000.0
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHAk+qwsxJTXvdHmTudMNqVh5g9BUVtBPcWPTHuTyDee pat"


class Lab:
    """One world; `action_seconds` is how long actions take, 0 ends them at once."""

    def __init__(self, action_seconds: float = 0.0) -> None:
        self.clock = START
        self.world = World(HcloudConfig(now=lambda: self.clock, action_seconds=action_seconds))
        self._api = Api(self.world)

    @property
    def project(self) -> Project:
        return self.world.project_of()

    def ask(self, method: str, path: str, body: Json | None = None, *, token: str = DEFAULT_TOKEN) -> Told:
        """Return the whole answer; `path` may carry a query."""
        parts = urlsplit(path)
        content = b"" if body is None else json.dumps(body).encode()
        query = parse_qs(parts.query, keep_blank_values=True)
        asked = Asked(method=method, path=parts.path, authorization=f"Bearer {token}", query=query, content=content)
        entry = self.world.journal.open(at=self.clock, method=method, path=parts.path, query="", user_agent="lab")
        return self._api.answer(asked, entry)

    def ok(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the body of an answer that must be a success."""
        told = self.ask(method, path, body)
        assert told.status < 300, told.body
        return told.body or {}

    def refused(self, method: str, path: str, body: Json | None = None) -> tuple[int, str]:
        """Return status and code of an answer that must be a refusal."""
        told = self.ask(method, path, body)
        assert told.body is not None
        assert "error" in told.body, told.body
        return told.status, told.body["error"]["code"]

    def network(self, name: str = "net", *subnets: str, zone: str = "eu-central") -> int:
        wishes = [{"type": "cloud", "ip_range": one, "network_zone": zone} for one in subnets or ("10.0.1.0/24",)]
        made = self.ok("POST", "/networks", {"name": name, "ip_range": "10.0.0.0/16", "subnets": wishes})
        return int(made["network"]["id"])

    def server(self, name: str = "web", **more: Any) -> int:
        body = {"name": name, "server_type": "cx23", "image": "debian-12", "location": "fsn1", **more}
        return int(self.ok("POST", "/servers", body)["server"]["id"])

    def volume(self, name: str = "data", **more: Any) -> int:
        body = {"name": name, "size": 10, **({} if "server" in more else {"location": "fsn1"}), **more}
        return int(self.ok("POST", "/volumes", body)["volume"]["id"])

    def show(self, kind: str, number: int) -> Json:
        answer = self.ok("GET", f"/{kind}/{number}")
        return dict(next(iter(answer.values())))
