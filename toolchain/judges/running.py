"""Runs the judges on manifests and reads what they say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml

from clawstack.errors import NeedsAttentionError
from toolchain.ground.surroundings import Surroundings, executable
from toolchain.judges.pins import JUDGES, KUBE_SCORE, KUBECONFORM, schema_folder, schema_location
from toolchain.judges.sources import KUBERNETES

_SECONDS: Final = 120.0
#: kube-score's grades (its `scorecard` package): 1 critical, 5 warning, 7 almost ok, 10 ok.
_CRITICAL: Final = 1
_OK: Final = 10


class Grade(StrEnum):
    """How bad a remark is."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, order=True)
class Remark:
    """What a judge does not like about one object."""

    kind: str
    name: str
    check: str
    grade: Grade
    words: str
    """Path and summary, as the judge says them."""


def missing(around: Surroundings) -> list[str]:
    """What `python -m toolchain setup judges` would still have to get."""
    names = [judge.name for judge in JUDGES if not executable(judge.binary(around))]
    return names if schema_folder(around).is_dir() else [*names, "schemas"]


def require(around: Surroundings) -> None:
    """Raises NeedsAttentionError with the command unless everything is there."""
    if absent := missing(around):
        raise NeedsAttentionError(
            f"The judges of manifests are not complete: no {', '.join(absent)}.",
            code="toolchain_incomplete",
            remedy=f"Run `{around.interpreter} -m toolchain setup judges`.",
        )


def conform(around: Surroundings, documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """What kubeconform finds wrong, skipped or unknown, one sentence each; empty when all are valid."""
    location = schema_location(schema_folder(around))
    command = [KUBECONFORM.binary(around), "-strict", "-verbose", "-output", "json", "-schema-location", location, "-"]
    answer = _judge(list(map(str, command)), _stream(documents))
    report = json.loads(answer.stdout)
    found = [each for each in report.get("resources", []) if each["status"] != "statusValid"]
    return [f"{each['kind']} {each['name']}: {each['status'][6:].lower()}: {each['msg']}".strip() for each in found]


def score(around: Surroundings, documents: Iterable[Mapping[str, Any]]) -> list[Remark]:
    """Every remark of kube-score, in order."""
    command = [str(KUBE_SCORE.binary(around)), "score", "--kubernetes-version", f"v{KUBERNETES}", "-o", "json", "-"]
    answer = _judge(command, _stream(documents))
    return sorted({remark for judged in json.loads(answer.stdout) for remark in _remarks(judged)})


def _remarks(judged: Mapping[str, Any]) -> Iterable[Remark]:
    for check in judged["checks"]:
        if check["skipped"] or check["grade"] >= _OK:
            continue
        grade = Grade.CRITICAL if check["grade"] <= _CRITICAL else Grade.WARNING
        for comment in check["comments"] or [{"path": "", "summary": ""}]:
            words = ": ".join(filter(None, (comment["path"], comment["summary"])))
            yield Remark(
                kind=judged["type_meta"]["kind"],
                name=judged["object_meta"]["name"],
                check=check["check"]["id"],
                grade=grade,
                words=words,
            )


def _stream(documents: Iterable[Mapping[str, Any]]) -> str:
    return yaml.safe_dump_all([dict(document) for document in documents], sort_keys=False)


def _judge(command: list[str], manifests: str) -> subprocess.CompletedProcess[str]:
    """Run a judge; a verdict of "not good" is an answer like any other, silence is not."""
    try:
        answer = subprocess.run(  # noqa: S603 - the judge that the set-up built
            command, input=manifests, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NeedsAttentionError(f"{command[0]} did not judge: {error}.") from error
    if not answer.stdout.strip():
        raise NeedsAttentionError(f"{command[0]} said nothing but: {answer.stderr.strip()[-500:]}")
    return answer
