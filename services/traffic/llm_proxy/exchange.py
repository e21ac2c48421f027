"""One chat completion: reserve, forward, settle.

How far a tenant can get over its limit: what is set aside for a request is an estimate, so each request in flight may
use at most its model's context window and largest answer more than that. With `limits.REQUESTS_IN_FLIGHT` requests
in flight per process the bound is that many times (context window + largest answer) tokens; in practice it is the
amount by which the answers under way are longer than recent ones. The excess is the platform's cost, not the customer's.

How requests end (`ledger.schemas.Outcome`): usage reported by a complete answer is charged as reported; an answer that broke
off, or that its client left, is charged by estimate on the high side, because vendors charge for it too; a request that
the vendor never got or refused is not charged.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp

from clawstack.logs import get_logger
from clawstack.plans import Catalogue, ModelPrice
from services.kit.http.bounded_json import JsonBounds, decode
from services.traffic.ledger.errors import AllowanceSetAsideError, AllowanceUsedUpError
from services.traffic.ledger.schemas import RequestOutcome, Reserved, Settlement, TokenCount
from services.traffic.ledger.service import Ledger, cost_of
from services.traffic.llm_proxy.errors import RefusedError, monthly_limit, not_configured, under_way, unknown_model
from services.traffic.llm_proxy.limits import InFlight, OutputSizes
from services.traffic.llm_proxy.metrics import ProxyMetrics
from services.traffic.llm_proxy.reported import ReportedUsage
from services.traffic.llm_proxy.request import BYTES_PER_TOKEN, ChatRequest
from services.traffic.llm_proxy.schemas import Caller
from services.traffic.llm_proxy.sse import EventSplitter, OversizedEventError, StreamFilter, framed
from services.traffic.llm_proxy.upstream import NoAnswerError, UnreachableError, Vendors, read_at_most

log = get_logger(__name__)

_PATH: Final = "/chat/completions"
_LARGEST_ANSWER: Final = 32 * 1024 * 1024
#: Answers with the probabilities of each token are the largest: 16,000 tokens with three alternatives each.
_SHAPE: Final = JsonBounds(items=500_000, depth=64)
_OK: Final = 200


class Client(Protocol):
    """The one who asked, as the exchange sees it."""

    async def whole(self, data: bytes, *, request_id: uuid.UUID) -> None:
        """Send a successful answer in one piece."""

    async def start_stream(self, *, request_id: uuid.UUID) -> None:
        """Begin a streamed answer."""

    async def write(self, data: bytes) -> None:
        """Send a part of it."""

    async def finish(self) -> None:
        """End it."""


@dataclass(kw_only=True, slots=True)
class _Meter:
    """What is known of a request under way; turned into its settlement at the end."""

    reservation: Reserved
    price: ModelPrice
    usage: ReportedUsage = field(default_factory=ReportedUsage)
    charged: bool = False
    """The vendor has the request and has not refused it."""
    complete: bool = False
    """The vendor's answer came to its end."""
    seen_output: int = 0
    """Tokens that the answer was worth so far, by its text."""
    status: int | None = None
    started: float = field(default_factory=time.monotonic)

    def settlement(self) -> Settlement:
        outcome, tokens = self._judged()
        return Settlement(
            reservation=self.reservation,
            outcome=outcome,
            tokens=tokens,
            cost=cost_of(self.price, tokens),
            raw_usage=self.usage.raw or None,
            status=self.status,
            duration_ms=int((time.monotonic() - self.started) * 1000),
        )

    def _judged(self) -> tuple[RequestOutcome, TokenCount]:
        reported = self.usage.count()
        if reported is not None and self.complete:
            return RequestOutcome.SETTLED, reported
        if reported is not None:
            output = max(reported.output, self.seen_output)
            return RequestOutcome.ESTIMATED, TokenCount(input=reported.input, cached=reported.cached, output=output)
        if not self.charged:
            return RequestOutcome.RELEASED, TokenCount()
        reserved = self.reservation.tokens
        return RequestOutcome.ESTIMATED, TokenCount(input=reserved.input, output=max(reserved.output, self.seen_output))


class Exchange:
    """Serves chat completions for every cell of this process."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        vendors: Vendors,
        ledger: Ledger,
        metrics: ProxyMetrics,
        in_flight: InFlight,
        output_sizes: OutputSizes,
    ) -> None:
        self._catalogue = catalogue
        self._vendors = vendors
        self._ledger = ledger
        self._metrics = metrics
        self._in_flight = in_flight
        self._output_sizes = output_sizes

    def models_of(self, caller: Caller) -> dict[str, ModelPrice]:
        """Models that this cell may use now: in its plan, priced, and served by a configured vendor."""
        models = {name: self._catalogue.models[name] for name in caller.plan.models}
        return {name: price for name, price in models.items() if price.upstream in self._vendors}

    async def serve(self, caller: Caller, request: ChatRequest, client: Client) -> None:
        """Answer one request; raises RefusedError before the first byte, TemporaryError when the database is away.

        Cancelling it (the client left) ends the vendor's work and still settles.
        """
        price = self._price(caller, request.model)
        with self._in_flight.counted(caller.tenant_id), self._metrics.in_flight.track_inprogress():
            reservation = await self._reserved(caller, request, price)
            meter = _Meter(reservation=reservation, price=price)
            try:
                whole = await self._forward(request, meter, client)
            finally:
                settlement = meter.settlement()
                await self._ledger.settle(settlement)
            if settlement.outcome is RequestOutcome.SETTLED:
                self._output_sizes.observe(request.model, settlement.tokens.output // request.answers)
            # Only now: whoever has read the end of an answer finds it in the ledger.
            if whole is None:
                await client.finish()
            else:
                await client.whole(whole, request_id=reservation.id)

    async def _reserved(self, caller: Caller, request: ChatRequest, price: ModelPrice) -> Reserved:
        try:
            return await self._ledger.reserve(
                caller.tenant_id,
                caller.plan,
                model=request.model,
                price=price,
                tokens=self._expected(request, price),
                request_id=uuid.uuid4(),
            )
        except AllowanceUsedUpError as error:
            raise monthly_limit(caller.plan.title, error.period) from None
        except AllowanceSetAsideError:
            raise under_way() from None

    def _price(self, caller: Caller, model: str) -> ModelPrice:
        if model not in caller.plan.models:
            raise unknown_model(model, self.models_of(caller))
        price = self._catalogue.models[model]  # every model of a plan has one: the catalogue is checked
        if price.upstream not in self._vendors:
            raise not_configured(model)
        return price

    def _expected(self, request: ChatRequest, price: ModelPrice) -> TokenCount:
        longest = min(request.max_output or price.max_output, price.max_output)
        output = self._output_sizes.expected(request.model, at_most=longest) * request.answers
        return TokenCount(input=min(request.input_estimate, price.context_window), output=output)

    async def _forward(self, request: ChatRequest, meter: _Meter, client: Client) -> bytes | None:
        """The whole answer, or None when it was streamed to the client."""
        name = meter.price.upstream
        accept = "text/event-stream" if request.stream else "application/json"
        meter.charged = True  # until the vendor is known not to have it: the client may leave at any moment
        try:
            async with self._vendors.answer(name, _PATH, request.upstream_body(), accept=accept) as response:
                meter.status = response.status
                self._metrics.vendor_status.labels(name, str(response.status)).inc()
                if response.status != _OK:
                    meter.charged = False
                    raise await self._vendors.refusal_of(name, response)
                if response.content_type == "text/event-stream":
                    await self._stream(request, response, meter, client)
                    return None
                return await self._whole(response, meter)
        except UnreachableError as error:
            meter.charged = False
            log.warning("vendor_unreachable", upstream=name, error=str(error))
            raise _gone("The model provider cannot be reached. Please try again in a minute.", 502) from None
        except NoAnswerError as error:
            log.warning("vendor_silent", upstream=name, error=str(error))
            raise _gone("The model did not answer in time. Please try again.", 504) from None

    async def _whole(self, response: aiohttp.ClientResponse, meter: _Meter) -> bytes:
        try:
            raw = await read_at_most(response, _LARGEST_ANSWER)
            document = decode(raw, _SHAPE)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("vendor_broke_off", upstream=meter.price.upstream, error=type(error).__name__)
            raise _gone("The model's answer broke off. Please try again.", 502) from None
        meter.usage.observe(document)
        meter.complete = True
        meter.seen_output = len(raw) // BYTES_PER_TOKEN
        return raw

    async def _stream(
        self, request: ChatRequest, response: aiohttp.ClientResponse, meter: _Meter, client: Client
    ) -> None:
        splitter = EventSplitter()
        events = StreamFilter(show_usage=request.wants_usage, clean_error=self._vendors.cleaned)
        meter.usage = events.usage
        await client.start_stream(request_id=meter.reservation.id)
        try:
            async for data in response.content.iter_any():
                passed = b"".join([events.passed(event) for event in splitter.feed(data)])
                meter.seen_output = max(events.events, events.text_bytes // BYTES_PER_TOKEN)
                if passed:
                    await client.write(passed)
            rest = splitter.rest()
            if rest.strip():
                await client.write(events.passed(rest))
            meter.complete = True
        except (aiohttp.ClientError, TimeoutError, OversizedEventError) as error:
            log.warning("vendor_broke_off", upstream=meter.price.upstream, error=type(error).__name__)
            gone = _gone("The model's answer broke off. Please try again.", 502)
            await client.write(framed(gone.body()))


def _gone(message: str, status: int) -> RefusedError:
    return RefusedError(status, "upstream_error", message, kind="server_error")
