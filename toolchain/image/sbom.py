"""The list of everything in the image as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), from the managers' own lists."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

from toolchain.image.layer import Component


def document(own: Component, components: Iterable[Component], *, created: str) -> bytes:
    """One document, the same bytes for the same packages. `created`: RFC 3339."""
    listed = sorted(set(components), key=lambda each: each.purl)
    main = {**_described(own), "type": "application"}
    content: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": created, "component": main},
        "components": [_described(each) for each in listed],
        "dependencies": [{"ref": own.purl, "dependsOn": [each.purl for each in listed]}],
    }
    content["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))}"
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def _described(component: Component) -> dict[str, Any]:
    kind = "application" if component.kind == "generic" else "library"
    licence = {"licenses": [{"expression": component.licence}]} if component.licence else {}
    return {
        "type": kind,
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        **licence,
    }
