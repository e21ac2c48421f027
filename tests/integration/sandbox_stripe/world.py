"""A stand-in process, a webhook receiver that can misbehave, and short ways to say what happens."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import stripe
from typing_extensions import override

from tests.waiting import await_ready, patient

SECRET = "whsec_integration"
KEY = "sk_test_clawstack"
GOOD, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"
Json = dict[str, Any]


class StandIn:
    """`python -m sandbox --only stripe` over one data folder."""

    def __init__(self, data: Path, port: int = 0) -> None:
        self.data, self.port = data, port
        self.process: subprocess.Popen[bytes] | None = None
        self.base = ""

    def start(self) -> StandIn:
        ready = Path(tempfile.mkdtemp(prefix="stripe-ready-", dir=self.data)) / "ready.json"
        command = [sys.executable, "-m", "sandbox", "--port", str(self.port), "--data", str(self.data)]
        command += ["--only", "stripe", "--ready-file", str(ready)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        await_ready(self.process, ready, seconds=20)
        told = json.loads(ready.read_text())
        self.port, self.base = told["port"], told["stripe_api_base"]
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(patient(10))

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(patient(10))

    def client(self, key: str = KEY, **options: Any) -> stripe.StripeClient:
        return stripe.StripeClient(key, base_addresses={"api": self.base}, **options)

    def control(self, path: str, **values: Any) -> Json:
        """POST to /_control; anything but 200 fails the test."""
        answer = httpx.post(f"{self.base}/_control/{path}", json=values, timeout=patient(30))
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def look(self, path: str, **query: Any) -> Json:
        """GET from /_control."""
        answer = httpx.get(f"{self.base}/_control/{path}", params=query, timeout=patient(30))
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def flush(self) -> Json:
        """Waits until all webhooks are settled."""
        result = self.control("flush", timeout=20)
        assert result["idle"], result
        return result


@dataclass
class Received:
    """One webhook request."""

    body: bytes
    signature: str
    at: float

    @property
    def event(self) -> stripe.Event:
        """Verified by the official library; raises SignatureVerificationError."""
        event: stripe.Event = stripe.Webhook.construct_event(self.body, self.signature, SECRET)
        return event

    @property
    def type(self) -> str:
        kind: str = json.loads(self.body)["type"]
        return kind


@dataclass
class Receiver:
    """Takes webhooks on a loopback port; `answers` are the statuses of the next requests, then 200."""

    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(Received(body, self.headers["Stripe-Signature"], time.time()))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                self.send_header("Location", receiver.url)  # a redirect that a webhook must not follow
                self.send_header("Content-Length", "0")
                self.end_headers()

            @override
            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/webhooks/stripe"

    @property
    def types(self) -> list[str]:
        return [entry.type for entry in self.received]

    def of(self, kind: str) -> list[Json]:
        """Verified events of one type, in the order they came."""
        return [entry.event.to_dict() for entry in self.received if entry.type == kind]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(patient(5))


def given(**params: Any) -> Any:
    """Parameters that the library's types would not let through."""
    return params


def seed(stand_in: StandIn) -> Json:
    """Lookup key -> price id."""
    plans = {"starter": {"month": 1900, "year": 19000}, "pro": {"month": 4900, "year": 49000}}
    prices: Json = stand_in.control("seed_catalogue", plans=plans)["prices"]
    return prices


def new_session(client: stripe.StripeClient, price: str, **more: Any) -> stripe.checkout.Session:
    """A checkout session as the product makes it."""
    params: Any = {
        "mode": "subscription",
        "line_items": [{"price": price, "quantity": 1}],
        "success_url": "http://127.0.0.1/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1/plans",
        "metadata": {"signup_id": "s-1"},
        "subscription_data": {"metadata": {"signup_id": "s-1"}},
        **({} if "customer" in more else {"customer_email": "ada@example.com"}),
        **more,
    }
    return client.v1.checkout.sessions.create(params)


def subscribe(stand_in: StandIn, price: str, card: str = GOOD) -> stripe.Subscription:
    """A paid subscription."""
    client = stand_in.client()
    session = new_session(client, price)
    stand_in.control("pay", session=session.id, card=card)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert isinstance(paid.subscription, stripe.Subscription)
    return paid.subscription
