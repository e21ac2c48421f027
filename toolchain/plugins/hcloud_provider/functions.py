"""The invokes: what a program may ask of Hetzner without owning it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from clawstack.errors import InvalidInputError
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.kinds import attachments, dns, firewall, network, server, small, volume
from toolchain.plugins.hcloud_provider.model.naming import camelled
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, common

Arguments = Mapping[str, Any]
Answer = dict[str, Any]


def invoke(session: Session, token: str, arguments: Arguments) -> Answer:
    """What the function answers; raises InvalidInputError where nothing fits or this plugin has it not."""
    function = FUNCTIONS.get(token.rpartition(":")[2])
    if function is None:
        raise InvalidInputError(
            f"The offline hcloud plugin has no function {token}; it has {', '.join(sorted(FUNCTIONS))}.",
            remedy="Install the official plugin with `pulumi plugin install resource hcloud`.",
        )
    return function(session, arguments)


def _one(session: Session, plural: str, key: str, arguments: Arguments, **more: Any) -> Object:
    """The entry that is meant by id, name or selector."""
    if arguments.get("id"):
        found = session.get(f"/{plural}/{int(arguments['id'])}", key, f"{key} {arguments['id']}")
        return _exactly([found] if found else [], key, arguments)
    query = {
        "name": arguments.get("name"),
        "label_selector": arguments.get("withSelector") or arguments.get("selector"),
    }
    given = {name: value for name, value in {**query, **more}.items() if value}
    if not given:
        raise InvalidInputError(f"Nothing says which {key.replace('_', ' ')} is meant.", remedy="Give id or name.")
    return _exactly(session.every(f"/{plural}", plural, **given), key, arguments)


def _exactly(found: list[Object], key: str, arguments: Arguments) -> Object:
    if arguments.get("mostRecent"):
        found = sorted(found, key=lambda entry: str(entry.get("created")))[-1:]
    if len(found) == 1:
        return found[0]
    asked = ", ".join(f"{name} {value!r}" for name, value in arguments.items() if value not in (None, "", False))
    how = "no" if not found else f"{len(found)} times a"
    raise InvalidInputError(f"There is {how} {key.replace('_', ' ')} with {asked}.", remedy="Ask for exactly one.")


def _with_deprecation(found: Object) -> Answer:
    announced = found.get("deprecation") or {}
    return {
        "isDeprecated": bool(announced),
        "deprecationAnnounced": announced.get("announced") or "",
        "unavailableAfter": announced.get("unavailable_after") or "",
    }


def _server_type(found: Object) -> Answer:
    names = (
        "id",
        "name",
        "description",
        "category",
        "cores",
        "memory",
        "disk",
        "storage_type",
        "cpu_type",
        "architecture",
    )
    told = camelled({name: found.get(name) for name in names})
    places = [
        {
            "id": place.get("id"),
            "name": place.get("name"),
            "available": bool(place.get("available", True)),
            "recommended": bool(place.get("recommended", False)),
            **_with_deprecation(place),
        }
        for place in found.get("locations") or []
    ]
    return {**told, "includedTraffic": 0, "locations": places, **_with_deprecation(found)}


def _location(found: Object) -> Answer:
    names = ("id", "name", "description", "country", "city", "latitude", "longitude", "network_zone")
    return camelled({name: found.get(name) for name in names})


def _image(found: Object) -> Answer:
    names = (
        "id",
        "name",
        "type",
        "description",
        "created",
        "os_flavor",
        "os_version",
        "architecture",
        "labels",
        "deprecated",
    )
    told = camelled({name: found.get(name) for name in names if name != "labels"})
    return {
        "name": "",
        "deprecated": "",
        **told,
        "labels": dict(found.get("labels") or {}),
        "osVersion": found.get("os_version") or "",
        "rapidDeploy": bool(found.get("rapid_deploy")),
        "isDeprecated": bool(found.get("deprecated")),
        "deprecationAnnounced": found.get("deprecated") or "",
        "unavailableAfter": "",
    }


def _seen(kind: NamedObject, found: Object) -> Answer:
    return {"id": found["id"], **common(found), **kind.seen(found, {})}


def _server(found: Object) -> Answer:
    nets = [
        {
            "networkId": net["network"],
            "ip": net["ip"],
            "aliasIps": net.get("alias_ips") or [],
            "macAddress": net.get("mac_address") or "",
        }
        for net in found.get("private_net") or []
    ]
    iso = (found.get("iso") or {}).get("name") or ""
    addresses = {"ipv4Address": "", "ipv6Address": "", "ipv6Network": "", "image": "", "datacenter": "", "location": ""}
    return {**addresses, **_seen(server.Server(), found), "networks": nets, "iso": iso, "rescue": ""}


def get_server_type(session: Session, arguments: Arguments) -> Answer:
    """One server type by id or name."""
    return _server_type(_one(session, "server_types", "server_type", arguments))


def get_server_types(session: Session, arguments: Arguments) -> Answer:  # noqa: ARG001 - every function is called alike
    """All server types."""
    found = [_server_type(entry) for entry in session.every("/server_types", "server_types")]
    return {
        "id": "server_types",
        "serverTypes": found,
        "serverTypeIds": [str(entry["id"]) for entry in found],
        "names": [entry["name"] for entry in found],
        "descriptions": [entry.get("description", "") for entry in found],
    }


def get_location(session: Session, arguments: Arguments) -> Answer:
    """One location by id or name."""
    return _location(_one(session, "locations", "location", arguments))


def get_locations(session: Session, arguments: Arguments) -> Answer:  # noqa: ARG001 - every function is called alike
    """All locations."""
    found = [_location(entry) for entry in session.every("/locations", "locations")]
    return {
        "id": "locations",
        "locations": found,
        "locationIds": [str(entry["id"]) for entry in found],
        "names": [entry["name"] for entry in found],
        "descriptions": [entry.get("description", "") for entry in found],
    }


def get_datacenter(session: Session, arguments: Arguments) -> Answer:
    """One datacenter by id or name, as long as Hetzner has any."""
    found = _one(session, "datacenters", "datacenter", arguments)
    types = found.get("server_types") or {}
    return {
        "id": found["id"],
        "name": found["name"],
        "description": found.get("description") or "",
        "location": {name: str(value) for name, value in _location(found.get("location") or {}).items()},
        "availableServerTypeIds": types.get("available") or [],
        "supportedServerTypeIds": types.get("supported") or [],
    }


def _image_query(arguments: Arguments) -> dict[str, Any]:
    architectures = arguments.get("withArchitectures") or [arguments.get("withArchitecture") or "x86"]
    return {
        "architecture": architectures,
        "status": arguments.get("withStatuses"),
        "include_deprecated": "true" if arguments.get("includeDeprecated") else None,
    }


def get_image(session: Session, arguments: Arguments) -> Answer:
    """One image by id, name or selector; of x86 unless an architecture is given."""
    found = _one(session, "images", "image", arguments, **_image_query(arguments))
    return {**arguments, **_image(found)}


def get_images(session: Session, arguments: Arguments) -> Answer:
    """All images that fit."""
    query = {**_image_query(arguments), "label_selector": arguments.get("withSelector")}
    if not arguments.get("withArchitectures"):
        query.pop("architecture")
    given = {name: value for name, value in query.items() if value}
    found = [_image(entry) for entry in session.every("/images", "images", **given)]
    if arguments.get("mostRecent"):
        found.sort(key=lambda entry: str(entry.get("created")), reverse=True)
    return {**arguments, "id": "images", "images": found}


def get_server(session: Session, arguments: Arguments) -> Answer:
    """One server by id, name or selector."""
    found = _one(session, "servers", "server", arguments, status=arguments.get("withStatuses"))
    return {**arguments, **_server(found)}


def get_servers(session: Session, arguments: Arguments) -> Answer:
    """All servers that fit."""
    query = {"label_selector": arguments.get("withSelector"), "status": arguments.get("withStatuses")}
    given = {name: value for name, value in query.items() if value}
    return {
        **arguments,
        "id": "servers",
        "servers": [_server(entry) for entry in session.every("/servers", "servers", **given)],
    }


def _getter(kind: NamedObject) -> Callable[[Session, Arguments], Answer]:
    def get(session: Session, arguments: Arguments) -> Answer:
        return {**arguments, **_seen(kind, _one(session, kind.plural, kind.key, arguments))}

    return get


FUNCTIONS: Final[Mapping[str, Callable[[Session, Arguments], Answer]]] = {
    "getServerType": get_server_type,
    "getServerTypes": get_server_types,
    "getLocation": get_location,
    "getLocations": get_locations,
    "getDatacenter": get_datacenter,
    "getImage": get_image,
    "getImages": get_images,
    "getServer": get_server,
    "getServers": get_servers,
    "getNetwork": _getter(network.Network()),
    "getFirewall": _getter(firewall.Firewall()),
    "getPlacementGroup": _getter(small.PlacementGroup()),
    "getSshKey": _getter(small.SshKey()),
    "getVolume": _getter(volume.Volume()),
    "getPrimaryIp": _getter(attachments.PrimaryIp()),
    "getZone": _getter(dns.Zone()),
}
