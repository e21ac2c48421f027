"""The vendors' API over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from sandbox.frame.breaking import break_connection, cut_connection
from sandbox.frame.waiting import Changes
from sandbox.llm.completion import Completion, PrefixCache, Usage, count_tokens, limit
from sandbox.llm.config import LlmConfig
from sandbox.llm.dialect import Dialect
from sandbox.llm.faults import Fault, FaultKind, Faults
from sandbox.llm.journal import Entry, Journal
from sandbox.llm.openai_chat import openai_error
from sandbox.llm.persona import compose
from sandbox.llm.prompt import Prompt, RequestError
from sandbox.llm.script import Script
from sandbox.llm.sse import compact


class ModelApi:
    """Answers requests for models."""

    def __init__(self, config: LlmConfig, *, faults: Faults, script: Script, journal: Journal) -> None:
        self._config = config
        self._faults = faults
        self._script = script
        self._journal = journal
        self._cache = PrefixCache()
        self.closing = Changes()  # announces nothing but the end, so that thousands of paced streams sleep undisturbed
        self.first_token_ms = config.first_token_ms
        self.chunk_ms = config.chunk_ms

    async def models(self, request: Request) -> Response:
        """GET /v1/models."""
        entry = self._open(request, None, 0)
        try:
            self._check_key(request)
        except RequestError as error:
            return self._refuse(entry, openai_error(error), error)
        listed = [{"id": m, "object": "model", "created": 0, "owned_by": "sandbox"} for m in self._config.models]
        return self._answered(entry, JSONResponse({"object": "list", "data": listed}))

    async def complete(self, request: Request, dialect: Dialect) -> Response:
        """POST of a prompt in one vendor's dialect."""
        raw = (await request.body()).decode(errors="replace")
        body = _parsed(raw)
        entry = self._open(request, body if body is not None else raw, len(raw))
        try:
            key = self._check_key(request)
            prompt = self._read(dialect, body)
            entry.model, entry.stream = prompt.model, prompt.stream
            fault = self._take_fault(prompt, raw, entry)
            completion = self._think(prompt, raw, key=key, fault=fault)
            entry.usage = asdict(completion.usage) if completion.usage else {}
            return await self._respond(request, dialect, completion, entry, fault, stream=prompt.stream)
        except RequestError as error:
            return self._refuse(entry, dialect.error(error), error)

    def _take_fault(self, prompt: Prompt, raw: str, entry: Entry) -> Fault | None:
        fault = self._faults.take(model=prompt.model, body=raw)
        entry.fault = fault.kind if fault else ""
        if fault is not None and fault.kind is FaultKind.STATUS:
            raise RequestError(fault.status, fault.code, fault.message, retry_after=fault.retry_after)
        return fault

    def _think(self, prompt: Prompt, raw: str, *, key: str, fault: Fault | None) -> Completion:
        scripted = self._script.take(raw)
        today = datetime.fromtimestamp(self._config.now(), tz=UTC).date()
        wanted = scripted.text if scripted else compose(prompt, today)
        if fault is not None and fault.kind is FaultKind.EMPTY:
            wanted = ""
        text, truncated = limit(wanted, prompt.max_tokens)
        calls = tuple(call.tool_call() for call in scripted.tool_calls) if scripted else ()
        said = len(text) + sum(len(call.name) + len(call.arguments) for call in calls)
        cached, written = self._cache.look_up(key, prompt)
        usage: Usage | None = Usage(
            input=count_tokens(prompt.characters),
            output=count_tokens(said),
            cached=cached,
            written=written,
        )
        if fault is not None and fault.kind in {FaultKind.NO_USAGE, FaultKind.WRONG_USAGE}:
            usage = Usage(**fault.usage.model_dump()) if fault.kind is FaultKind.WRONG_USAGE else None
        return Completion(
            model=prompt.model,
            created=int(self._config.now()),
            text=text,
            usage=usage,
            include_usage=prompt.include_usage,
            tool_calls=calls,
            truncated=truncated,
        )

    async def _respond(
        self,
        request: Request,
        dialect: Dialect,
        completion: Completion,
        entry: Entry,
        fault: Fault | None,
        *,
        stream: bool,
    ) -> Response:
        kind = fault.kind if fault else None
        if kind is FaultKind.BREAK_FIRST:
            self._journal.close(entry, "fault")
            return await break_connection(request)
        entry.status = 200
        if stream:
            frames = dialect.frames(completion)
            kept, media_type = frames, "text/event-stream"
        else:
            kept, media_type = [compact(dialect.whole(completion))], "application/json"
        if kind is FaultKind.MALFORMED:
            kept = _cut_off(kept)
        body = self._paced(request, kept, entry, fault)
        headers = {"x-request-id": f"req_{completion.id}", "cache-control": "no-cache"}
        return StreamingResponse(body, media_type=media_type, headers=headers)

    async def _paced(
        self, request: Request, frames: list[str], entry: Entry, fault: Fault | None
    ) -> AsyncIterator[str]:
        """Yield the answer at the chosen speed; half of it is 'the middle'. A client that hangs up is written down."""
        kind = fault.kind if fault else None
        parts = frames if len(frames) > 1 else [frames[0][: len(frames[0]) // 2], frames[0][len(frames[0]) // 2 :]]
        try:
            stall = fault.seconds if fault and kind is FaultKind.STALL_FIRST else 0.0
            await self.closing.pause(self.first_token_ms / 1000 + stall)
            for index, part in enumerate(parts):
                if index == len(parts) // 2:
                    if fault and kind is FaultKind.STALL_MID:
                        await self.closing.pause(fault.seconds)
                    if kind is FaultKind.BREAK_MID:
                        await asyncio.sleep(0.05)  # let what was written leave the socket before the reset overtakes it
                        self._journal.close(entry, "fault")
                        cut_connection(request.scope)
                        return
                yield part
                if self.chunk_ms and len(frames) > 1:
                    await self.closing.pause(self.chunk_ms / 1000)
            self._journal.close(entry, "answered")
        finally:
            self._journal.close(entry, "disconnected")

    def _open(self, request: Request, body: Any, size: int) -> Entry:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        return self._journal.open(
            at=self._config.now(), method=request.method, path=path, headers=headers, body=body, size=size
        )

    def _check_key(self, request: Request) -> str:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        key = request.headers.get("x-api-key", "") or bearer
        if key not in self._config.api_keys:
            shown = f"{key[:4]}***{key[-4:]}" if len(key) > 8 else "(none)"  # noqa: PLR2004
            raise RequestError(401, "invalid_api_key", f"Incorrect API key provided: {shown}.")
        return key

    def _read(self, dialect: Dialect, body: dict[str, Any] | None) -> Prompt:
        if body is None:
            raise RequestError(400, "invalid_json", "We could not parse the JSON body of your request.")
        prompt = dialect.read(body)
        if self._config.models and prompt.model not in self._config.models:
            raise RequestError(
                404, "model_not_found", f"The model `{prompt.model}` does not exist or you do not have access to it."
            )
        return prompt

    def _answered(self, entry: Entry, response: Response) -> Response:
        entry.status = response.status_code
        self._journal.close(entry, "answered")
        return response

    def _refuse(self, entry: Entry, body: dict[str, Any], error: RequestError) -> Response:
        entry.status = error.status
        self._journal.close(entry, "refused")
        headers = {"Retry-After": f"{error.retry_after:g}"} if error.retry_after is not None else {}
        return JSONResponse(body, status_code=error.status, headers=headers)


def _parsed(raw: str) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _cut_off(frames: list[str]) -> list[str]:
    """Cut one frame in the middle, and keep the rest: a stream with broken JSON, or a body that ends too early."""
    middle = len(frames) // 2
    broken = frames[middle][: len(frames[middle]) // 2]
    return [*frames[:middle], broken + ("\n\n" if len(frames) > 1 else ""), *frames[middle + 1 :]]
