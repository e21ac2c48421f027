"""System images and ISOs, one of each architecture."""

from typing import Final

from sandbox.frame.values import Json

_CREATED: Final = "2025-08-18T09:00:00+00:00"

# id for x86, id for arm, name, flavor, version, deprecated
_ROWS: Final = (
    (114690387, 114690389, "debian-12", "debian", "12", False),
    (310557660, 310557661, "debian-13", "debian", "13", False),
    (67794396, 103908130, "ubuntu-22.04", "ubuntu", "22.04", False),
    (161547269, 161547270, "ubuntu-24.04", "ubuntu", "24.04", False),
    (330557660, 330557661, "ubuntu-26.04", "ubuntu", "26.04", False),
    (268801440, 268801441, "fedora-42", "fedora", "42", False),
    (310560010, 310560011, "rocky-10", "rocky", "10", False),
    (45557056, 103908132, "debian-11", "debian", "11", True),
)


def _image(number: int, architecture: str, name: str, flavor: str, version: str, *, deprecated: bool) -> Json:
    return {
        "id": number,
        "type": "system",
        "status": "available",
        "name": name,
        "description": f"{flavor.title()} {version}",
        "image_size": None,
        "disk_size": 5,
        "created": _CREATED,
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": version,
        "architecture": architecture,
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": _CREATED if deprecated else None,
        "deleted": None,
        "labels": {},
    }


SYSTEM_IMAGES: Final[dict[int, Json]] = {
    number: _image(number, architecture, row[2], row[3], row[4], deprecated=row[5])
    for row in _ROWS
    for number, architecture in ((row[0], "x86"), (row[1], "arm"))
}
ISOS: Final[dict[str, Json]] = {
    name: {
        "id": number,
        "name": name,
        "description": name.removesuffix(".iso"),
        "type": "public",
        "architecture": architecture,
        "deprecation": None,
        "deprecated": None,
    }
    for number, name, architecture in (
        (26405, "debian-13.1.0-amd64-netinst.iso", "x86"),
        (26406, "debian-13.1.0-arm64-netinst.iso", "arm"),
    )
}
