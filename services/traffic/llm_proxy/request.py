"""Reading a chat completion request: pure, and strict about everything that decides what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.kit.http.bounded_json import JsonBounds, JsonShapeError, decode
from services.traffic.llm_proxy.errors import bad_request

#: Three bytes of JSON per token: English has four to five, other scripts and code two to three.
BYTES_PER_TOKEN: Final = 3
#: The largest count that a vendor's vision models make of one image.
TOKENS_PER_IMAGE: Final = 3000
#: A context window of 2 MB in short messages has some 60,000 items, and tools nest their schemas ten to twenty deep. At
#: these bounds a body takes 20 to 50 ms of the loop (`bench/json_bodies.py`).
SHAPE: Final = JsonBounds(items=100_000, depth=64)
_MOST_ANSWERS: Final = 8
#: Priced in ways the catalogue does not know, so that they are refused rather than counted wrongly.
_UNPRICED: Final = ("audio", "web_search_options")
_TOOLS: Final = {"function", "custom"}
_TIERS: Final = {"auto", "default"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """A chat completion request, ready to be judged and forwarded."""

    model: str
    stream: bool
    wants_usage: bool
    """The client asked for usage in its stream; otherwise the chunk that carries it is kept from it."""
    answers: int
    max_output: int | None
    """Tokens per answer that the client allows."""
    input_estimate: int
    """Tokens, on the high side."""
    body: Mapping[str, Any]
    """As the client sent it."""

    def upstream_body(self) -> bytes:
        """What the vendor gets: the parsed request written anew, so that both sides read the same, asking for usage."""
        body = {key: value for key, value in self.body.items() if key != "service_tier"}
        if self.stream:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return json.dumps(body, separators=(",", ":")).encode()


def read_chat_request(raw: bytes) -> ChatRequest:
    """The request in `raw`; raises RefusedError (400) that names the field."""
    body = _object(raw)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad_request("The field 'model' is missing or not a text.")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("The field 'messages' is missing, empty or not a list.")
    _refuse_unpriced(body, messages)
    stream = _flag(body, "stream")
    options = body.get("stream_options")
    if options is not None and not (stream and isinstance(options, dict)):
        raise bad_request("The field 'stream_options' goes with 'stream': true and is an object.")
    limits = [_count(body, name) for name in ("max_completion_tokens", "max_tokens")]
    return ChatRequest(
        model=model,
        stream=stream,
        wants_usage=bool((options or {}).get("include_usage")),
        answers=_count(body, "n", at_most=_MOST_ANSWERS) or 1,
        max_output=next((limit for limit in limits if limit is not None), None),
        input_estimate=_estimate(len(raw), messages),
        body=body,
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = decode(raw, SHAPE)
    except JsonShapeError as error:
        raise bad_request(f"The body is not read: {error}. Send fewer parts.", code="malformed_json") from None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad_request("The body is not a JSON object.", code="malformed_json")
    return body


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise bad_request(f"The field '{name}' is true or false.")


def _count(body: Mapping[str, Any], name: str, *, at_most: int = 10_000_000) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= at_most:
        raise bad_request(f"The field '{name}' is a whole number from 1 to {at_most}.")
    return value


def _refuse_unpriced(body: Mapping[str, Any], messages: list[Any]) -> None:
    refused = [name for name in _UNPRICED if body.get(name) is not None]
    if body.get("service_tier") not in {None, *_TIERS}:
        refused.append("service_tier")
    if "audio" in _listed(body.get("modalities")):
        refused.append("modalities")
    if any(not isinstance(tool, dict) or tool.get("type") not in _TOOLS for tool in _listed(body.get("tools"))):
        refused.append("tools")
    if any(part.get("type") == "input_audio" for message in messages for part in _parts(message)):
        refused.append("input_audio")
    if refused:
        raise bad_request(f"Not offered here, because it has no known price: {', '.join(refused)}.", code="unpriced")


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _estimate(size: int, messages: Iterable[object]) -> int:
    images = [len(url) for message in messages for url in _images(message)]
    return max(0, size - sum(images)) // BYTES_PER_TOKEN + 1 + TOKENS_PER_IMAGE * len(images)


def _parts(message: object) -> Iterable[dict[str, Any]]:
    content = message.get("content") if isinstance(message, dict) else None
    return (part for part in _listed(content) if isinstance(part, dict))


def _images(message: object) -> Iterable[str]:
    for part in _parts(message):
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str):
            yield url
