"""Sends what is due, one after another unless hostile mode asks for concurrency."""

from __future__ import annotations

import asyncio
import json
import random
import time

import aiohttp

from sandbox.frame.background import Loop, cancelled
from sandbox.stripe.delivery.hostile import Hostile, plan
from sandbox.stripe.delivery.repository import Deliveries
from sandbox.stripe.delivery.signing import signature_header
from sandbox.stripe.model.values import Json
from sandbox.stripe.store.account import Account, wants

STALE_SECONDS = 3600
MAX_ANSWER = 2000


class Dispatcher:
    """Plans deliveries inside the operation that caused them, sends them after the commit.

    Runs between `start` and `stop`, in one event loop. What is pending when the process dies goes out after a restart.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.deliveries = Deliveries(account.database, account.config.keep_deliveries)
        self._loop = Loop(self._run)
        self._ready = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._seed(self.hostile)

    # hostile mode ----------------------------------------------------------------------------------------------------

    @property
    def hostile(self) -> Hostile:
        """What is ordered now; survives a restart."""
        return Hostile.parse(self.account.settings.get("hostile", {}))

    def _seed(self, hostile: Hostile) -> None:
        # Two sources: deliveries are planned and answered side by side, and one seed must give one plan.
        self._rng = random.Random(hostile.seed)
        self._answers_rng = random.Random(hostile.seed)

    def set_hostile(self, hostile: Hostile) -> None:
        """Takes effect for events from now on; the seed starts anew."""
        self.account.settings.put("hostile", hostile.as_json())
        self._seed(hostile)

    # Outbox ----------------------------------------------------------------------------------------------------------

    def plan(self, events: list[Json]) -> None:
        """Stores a delivery for every enabled endpoint that wants the event."""
        endpoints = self.account.every("webhook_endpoint", status="enabled")
        kinds = {event["id"]: event["type"] for event in events}
        pairs = [
            (event["id"], endpoint["id"])
            for event in events
            for endpoint in endpoints
            if wants(endpoint, event["type"])
        ]
        for planned in plan(pairs, self.hostile, self._rng):
            self.deliveries.add(planned, kinds[planned.event])

    def wake(self) -> None:
        """Something may be due."""
        self._ready.set()

    # work ------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to send, in the running loop; a second call changes nothing."""
        self._loop.start()

    async def stop(self) -> None:
        """Ends what is in flight and closes connections."""
        await self._loop.stop()
        await cancelled(list(self._busy.values()))
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def idle(self, timeout: float, *, hurry: bool = True) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Waits until nothing is pending. `hurry` skips the pauses between attempts. False when time ran out."""
        deadline = time.monotonic() + timeout
        while self.deliveries.pending() or self._busy:
            if time.monotonic() > deadline:
                return False
            if hurry:
                self.deliveries.hurry()
            self.wake()
            await asyncio.sleep(0.01)
        return True

    async def _run(self) -> None:
        while True:
            self._ready.clear()
            for delivery in self.deliveries.due(time.time(), self._room(), set(self._busy)):
                task = asyncio.create_task(self._attempt(delivery))
                self._busy[delivery["id"]] = task
                task.add_done_callback(lambda _, key=delivery["id"]: self._done(key))  # type: ignore[misc]
            await self._pause()

    def _room(self) -> int:
        return max(0, self.hostile.concurrency - len(self._busy))

    def _done(self, key: str) -> None:
        self._busy.pop(key, None)
        self._ready.set()

    async def _pause(self) -> None:
        """Until something is ready, or the next one is due."""
        moment = self.deliveries.next_moment() if self._room() else None
        wait = None if moment is None else max(0.0, moment - time.time())
        try:
            await asyncio.wait_for(self._ready.wait(), wait)
        except TimeoutError:
            return

    async def _attempt(self, delivery: Json) -> None:
        event = self.account.events.get(delivery["event"])
        endpoint = self.account.find(delivery["endpoint"])
        if event is None or endpoint is None:
            gone = {"at": time.time(), "error": "The event or its endpoint is gone."}
            self.deliveries.record(delivery, gone, state="failed", next_at=0)
            return
        attempt = await self._send(delivery, event, endpoint)
        ok = 200 <= attempt.get("status", 0) < 300  # noqa: PLR2004 - HTTP success
        lost = ok and not delivery["flaw"] and self._answers_rng.random() < self.hostile.lose_answer
        if lost:
            attempt["note"] = "lose_answer: the receiver said yes, the stand-in acts as if it had heard nothing"
        state, next_at = self._outcome(delivery, ok=ok and not lost)
        self.deliveries.record(delivery, attempt, state=state, next_at=next_at)

    def _outcome(self, delivery: Json, *, ok: bool) -> tuple[str, float]:
        """State after an attempt, and when the next one is due."""
        if ok:
            return "delivered", 0
        if delivery["flaw"]:
            return "refused", 0
        schedule = self.account.config.retry_schedule
        tried = len(delivery["attempts"])
        if tried >= len(schedule):
            return "failed", 0
        return "pending", time.time() + schedule[tried]

    async def _send(self, delivery: Json, event: Json, endpoint: Json) -> Json:
        body = json.dumps(event, indent=2).encode()
        secret = "whsec_wrong" if delivery["flaw"] == "bad_signature" else endpoint["_secret"]
        timestamp = int(time.time()) - (STALE_SECONDS if delivery["flaw"] == "stale_signature" else 0)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature_header(body, secret, timestamp),
        }
        began = time.time()
        attempt: Json = {"at": began, "url": endpoint["url"]}
        try:
            async with self._client().post(
                endpoint["url"], data=body, headers=headers, allow_redirects=False
            ) as answer:
                text = (await answer.content.read(MAX_ANSWER)).decode(errors="replace")
                attempt |= {"status": answer.status, "answer": text}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            attempt["error"] = f"{type(error).__name__}: {error}"
        attempt["seconds"] = round(time.time() - began, 4)
        return attempt

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self.account.config.delivery_timeout)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session
