"""Every kind of random resource: its inputs with their defaults, what makes them impossible, and how a value is made.

Names, defaults and ids are those of the official provider (source: the pulumi_random SDK and the documentation of
its resources). A seeded integer or shuffle is repeatable here, but is not the one that the official provider draws
from the same seed.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any, Final

from toolchain.plugins.random_provider import characters
from toolchain.plugins.random_provider.words import ADJECTIVES, ADVERBS, ANIMALS

Inputs = Mapping[str, Any]
"""Checked inputs with defaults filled in and secrets revealed."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A new random thing: its id in Pulumi and the outputs that are not inputs."""

    id: str
    outputs: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One type of resource. Every input forces a replacement when it changes."""

    defaults: dict[str, Any]
    make: Callable[[Inputs], Made]
    computed: tuple[str, ...]
    """Outputs that only the creation knows."""
    required: tuple[str, ...] = ()
    secret: frozenset[str] = frozenset()
    complaint: Callable[[Inputs], tuple[str, str] | None] = lambda _: None
    settle: Callable[[dict[str, Any]], dict[str, Any]] = lambda inputs: inputs
    """Makes inputs that depend on each other agree."""
    adopt: Callable[[str], dict[str, Any]] | None = None
    """The inputs and outputs behind an id given to `pulumi import`; ValueError if it is no such id."""

    @property
    def inputs(self) -> frozenset[str]:
        """All names that a program may set."""
        return frozenset({"keepers", *self.defaults, *self.required})

    def completed(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs with every default filled in; what is null counts as left out."""
        given = {key: value for key, value in inputs.items() if value is not None and key in self.inputs}
        return self.settle({"keepers": None, **self.defaults, **given})


_CHARACTERS: Final[dict[str, Any]] = {
    "lower": True,
    "upper": True,
    "number": None,
    "numeric": None,
    "special": True,
    "overrideSpecial": None,
    "minLower": 0,
    "minUpper": 0,
    "minNumeric": 0,
    "minSpecial": 0,
}


def _settle_numeric(inputs: dict[str, Any]) -> dict[str, Any]:
    """`number` is the older name of `numeric`; both always say the same."""
    used = next((inputs[name] for name in ("numeric", "number") if inputs[name] is not None), True)
    return {**inputs, "number": used, "numeric": used}


def _password(inputs: Inputs) -> Made:
    result = characters.generate(inputs)
    return Made(id="none", outputs={"result": result, "bcryptHash": characters.bcrypt(result)})


def _string(inputs: Inputs) -> Made:
    result = characters.generate(inputs)
    return Made(id=result, outputs={"result": result})


def _adopt_characters(identity: str) -> dict[str, Any]:
    return {"length": len(identity), "result": identity}


def _id_outputs(content: bytes, prefix: str) -> dict[str, Any]:
    plain = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    standard = base64.b64encode(content).decode()
    number = str(int.from_bytes(content, "big"))
    texts = {"b64Url": plain, "b64Std": standard, "hex": content.hex(), "dec": number}
    return {name: prefix + text for name, text in texts.items()}


def _id(inputs: Inputs) -> Made:
    content = SystemRandom().randbytes(int(inputs["byteLength"]))
    plain = _id_outputs(content, "")["b64Url"]
    return Made(id=plain, outputs=_id_outputs(content, inputs["prefix"] or ""))


def _adopt_id(identity: str) -> dict[str, Any]:
    prefix, _, plain = identity.rpartition(",")
    content = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    return {"byteLength": len(content), "prefix": prefix or None, **_id_outputs(content, prefix)}


def _pet(inputs: Inputs) -> Made:
    source = SystemRandom()
    length = int(inputs["length"])
    words = [source.choice(ADVERBS) for _ in range(length - 2)]
    words += [source.choice(ADJECTIVES)] * (length > 1) + [source.choice(ANIMALS)]
    return Made(id=inputs["separator"].join([*([inputs["prefix"]] if inputs["prefix"] else []), *words]), outputs={})


def _uuid4(_: Inputs) -> Made:
    result = str(uuid.uuid4())
    return Made(id=result, outputs={"result": result})


def _uuid7(_: Inputs) -> Made:
    """RFC 9562, section 5.7: 48 bits of milliseconds, then version, variant and random bits."""
    value = (time.time_ns() // 1_000_000 & (2**48 - 1)) << 80 | SystemRandom().getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    result = str(uuid.UUID(int=value))
    return Made(id=result, outputs={"result": result})


def _adopt_uuid(identity: str) -> dict[str, Any]:
    return {"result": str(uuid.UUID(identity))}


def _integer(inputs: Inputs) -> Made:
    result = _source(inputs).randint(int(inputs["min"]), int(inputs["max"]))
    return Made(id=str(result), outputs={"result": result})


def _adopt_integer(identity: str) -> dict[str, Any]:
    result, least, most, *seed = identity.split(",")
    return {"result": int(result), "min": int(least), "max": int(most), "seed": seed[0] if seed else None}


def _bytes_outputs(content: bytes) -> dict[str, Any]:
    return {"base64": base64.b64encode(content).decode(), "hex": content.hex()}


def _bytes(inputs: Inputs) -> Made:
    return Made(id="none", outputs=_bytes_outputs(SystemRandom().randbytes(int(inputs["length"]))))


def _adopt_bytes(identity: str) -> dict[str, Any]:
    content = base64.b64decode(identity, validate=True)
    return {"length": len(content), **_bytes_outputs(content)}


def _shuffle(inputs: Inputs) -> Made:
    source = _source(inputs)
    items = list(inputs["inputs"])
    wanted = len(items) if inputs["resultCount"] is None else int(inputs["resultCount"])
    results: list[Any] = []
    while len(results) < wanted and items:
        # More than there are: whole permutations, one after the other.
        results += source.sample(items, len(items))
    return Made(id="-", outputs={"results": results[:wanted]})


def _source(inputs: Inputs) -> Random:
    return Random(inputs["seed"]) if inputs["seed"] else SystemRandom()  # noqa: S311 - a seed asks for repeatable


def _at_least_one(name: str) -> Callable[[Inputs], tuple[str, str] | None]:
    def complaint(inputs: Inputs) -> tuple[str, str] | None:
        return None if inputs[name] >= 1 else (name, f"{name} is {inputs[name]}; it must be at least 1.")

    return complaint


def _range(inputs: Inputs) -> tuple[str, str] | None:
    if inputs["min"] <= inputs["max"]:
        return None
    return "min", f"min is {inputs['min']} and max {inputs['max']}; min must not be greater than max."


def _token(name: str) -> str:
    return f"random:index/{name[0].lower()}{name[1:]}:{name}"


KINDS: Final[Mapping[str, Kind]] = {
    _token("RandomPassword"): Kind(
        defaults=_CHARACTERS,
        required=("length",),
        make=_password,
        computed=("result", "bcryptHash"),
        settle=_settle_numeric,
        secret=frozenset({"result", "bcryptHash"}),
        complaint=characters.complaint,
        adopt=_adopt_characters,
    ),
    _token("RandomString"): Kind(
        defaults=_CHARACTERS,
        required=("length",),
        make=_string,
        computed=("result",),
        settle=_settle_numeric,
        complaint=characters.complaint,
        adopt=_adopt_characters,
    ),
    _token("RandomId"): Kind(
        defaults={"prefix": None},
        required=("byteLength",),
        make=_id,
        computed=("b64Url", "b64Std", "hex", "dec"),
        complaint=_at_least_one("byteLength"),
        adopt=_adopt_id,
    ),
    _token("RandomPet"): Kind(
        defaults={"length": 2, "prefix": None, "separator": "-"},
        make=_pet,
        computed=(),
        complaint=_at_least_one("length"),
    ),
    _token("RandomUuid"): Kind(defaults={}, make=_uuid4, computed=("result",), adopt=_adopt_uuid),
    _token("RandomUuid4"): Kind(defaults={}, make=_uuid4, computed=("result",), adopt=_adopt_uuid),
    _token("RandomUuid7"): Kind(defaults={}, make=_uuid7, computed=("result",), adopt=_adopt_uuid),
    _token("RandomInteger"): Kind(
        defaults={"seed": None},
        required=("min", "max"),
        make=_integer,
        computed=("result",),
        complaint=_range,
        adopt=_adopt_integer,
    ),
    _token("RandomBytes"): Kind(
        defaults={},
        required=("length",),
        make=_bytes,
        computed=("base64", "hex"),
        secret=frozenset({"base64", "hex"}),
        complaint=_at_least_one("length"),
        adopt=_adopt_bytes,
    ),
    _token("RandomShuffle"): Kind(
        defaults={"resultCount": None, "seed": None},
        required=("inputs",),
        make=_shuffle,
        computed=("results",),
    ),
}
