"""Actions of servers: power, type, images, rescue. Those of their places are in `server_places.py`. Source: docs.hetzner.cloud."""

from collections.abc import Sequence
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.images import ISOS
from sandbox.hcloud.catalogue.locations import find
from sandbox.hcloud.catalogue.server_types import SERVER_TYPES
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid, not_found, protected
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Handler, Route
from sandbox.hcloud.resources import images, primary_ips
from sandbox.hcloud.resources.common import action_answer, protection_route
from sandbox.hcloud.resources.server_creation import (
    MOST_USER_DATA,
    check_available,
    found_type,
    made_password,
)


def started(
    call: Call, command: str, row: Json, *, effects: Sequence[Json] = (), undo: Sequence[Json] = (), **done: Any
) -> Json:
    """Begin an action of a server that sets the `done` fields at its end."""
    all_effects = [*effects, *([change("servers", row["id"], **done)] if done else [])]
    return call.start(command, [("servers", row["id"])], effects=all_effects, undo=undo)


def _power(command: str, *, meanwhile: str, then: str) -> Handler:
    def act(call: Call) -> Answer:
        row = call.free("servers")
        undo = [change("servers", row["id"], status=row["status"])]
        row["status"] = meanwhile
        return action_answer(started(call, command, row, undo=undo, status=then))

    return act


def must_be_off(row: Json) -> None:
    """Raise server_not_stopped unless the server is off."""
    if row["status"] != "off":
        raise ApiError("server_not_stopped", "server is not stopped")


def _change_type(call: Call) -> Answer:
    row = call.free("servers")
    wished, old = found_type(call.body.get("server_type")), SERVER_TYPES[row["server_type"]]
    grows = fields.boolean(call.body, "upgrade_disk", default=True)
    must_be_off(row)
    if wished["architecture"] != old["architecture"]:
        raise ApiError("invalid_server_type", "the architecture of a server cannot change")
    if wished["disk"] < row["primary_disk_size"]:
        raise ApiError("invalid_server_type", f"the disk of {wished['name']} is smaller than that of the server")
    check_available(call, wished, row["location"])
    row["status"] = "migrating"
    disk = wished["disk"] if grows else row["primary_disk_size"]
    undo = [change("servers", row["id"], status="off")]
    done = {"status": "off", "server_type": wished["name"], "primary_disk_size": disk}
    return action_answer(started(call, "change_server_type", row, undo=undo, **done))


def _rebuild(call: Call) -> Answer:
    row = call.target("servers")
    if row["protection"]["rebuild"]:
        raise protected("server", row["id"])
    call.check_free("servers", row)
    architecture = SERVER_TYPES[row["server_type"]]["architecture"]
    image = images.find_image(call.project, call.body.get("image"), architecture)
    user_data = call.body.get("user_data", row["user_data"]) or ""
    if len(str(user_data).encode()) > MOST_USER_DATA:
        raise invalid("user_data", f"must be a string of at most {MOST_USER_DATA} bytes")
    undo = [change("servers", row["id"], status="off")]
    row["status"] = "rebuilding"
    password = None if row["ssh_keys"] else made_password(call.project.ids.next("password"))
    action = started(call, "rebuild_server", row, undo=undo, status="running", image=image, user_data=user_data)
    return action_answer(action, root_password=password)


def _create_image(call: Call) -> Answer:
    row, image_type = call.free("servers"), fields.choice(call.body, "type", ("snapshot", "backup"), default="snapshot")
    if image_type == "backup" and row["backup_window"] is None:
        raise ApiError("invalid_input", "backups are not enabled for this server")
    description = fields.text(call.body, "description", required=False)
    image = images.new_image(call, row, image_type=image_type, description=description, labels=call.body.get("labels"))
    ready = change("images", image["id"], status="available", image_size=image["full_size"])
    failed = {"do": "delete", "kind": "images", "id": image["id"]}
    targets = [("servers", row["id"]), ("images", image["id"])]
    action = call.start("create_image", targets, effects=[ready], undo=[failed])
    return action_answer(action, image=images.show(call, image))


def _enable_backup(call: Call) -> Answer:
    return action_answer(started(call, "enable_backup", call.free("servers"), backup_window="22-02"))


def _disable_backup(call: Call) -> Answer:
    row = call.free("servers")
    own = [one["id"] for one in call.project.rows("images") if one["bound_to"] == row["id"]]
    gone = [{"do": "delete", "kind": "images", "id": number} for number in own]
    return action_answer(started(call, "disable_backup", row, effects=gone, backup_window=None))


def _enable_rescue(call: Call) -> Answer:
    row = call.free("servers")
    if call.body.get("type") is not None:
        fields.choice(call.body, "type", ("linux64",))
    for number in fields.items(call.body, "ssh_keys"):
        call.project.get("ssh_keys", number)
    password = made_password(call.project.ids.next("password"))
    return action_answer(started(call, "enable_rescue", row, rescue_enabled=True), root_password=password)


def _disable_rescue(call: Call) -> Answer:
    return action_answer(started(call, "disable_rescue", call.free("servers"), rescue_enabled=False))


def _attach_iso(call: Call) -> Answer:
    row = call.free("servers")
    if (iso := find(ISOS, call.body.get("iso"))) is None:
        raise not_found("ISO", call.body.get("iso"))
    return action_answer(started(call, "attach_iso", row, iso=iso))


def _detach_iso(call: Call) -> Answer:
    return action_answer(started(call, "detach_iso", call.free("servers"), iso=None))


def _reset_password(call: Call) -> Answer:
    row = call.free("servers")
    if row["status"] != "running":
        raise ApiError("server_not_running", "server must be running", status=422)
    password = made_password(call.project.ids.next("password"))
    return action_answer(started(call, "reset_password", row, root_password=password), root_password=password)


def _request_console(call: Call) -> Answer:
    row = call.free("servers")
    password = made_password(call.project.ids.next("password"))
    address = f"wss://console.hetzner.invalid/?server_id={row['id']}"
    return action_answer(started(call, "request_console", row), wss_url=address, password=password)


def _change_dns_ptr(call: Call) -> Answer:
    row, address = call.free("servers"), fields.text(call.body, "ip")
    for own in primary_ips.assigned_to(call.project, "server", row["id"]).values():
        if (own["type"] == "ipv4") == ("." in address):
            primary_ips.set_name(own, address, call.body.get("dns_ptr"))
            return action_answer(started(call, "change_dns_ptr", row))
    raise not_found("IP", address)


def _metrics(call: Call) -> Answer:
    call.target("servers")
    told = {"start": call.first("start"), "end": call.first("end"), "step": float(call.first("step") or 60)}
    return Answer(body={"metrics": {**told, "time_series": {}}})


_HANDLERS: Final[dict[str, Handler]] = {
    "poweron": _power("start_server", meanwhile="starting", then="running"),
    "poweroff": _power("stop_server", meanwhile="stopping", then="off"),
    "shutdown": _power("shutdown_server", meanwhile="stopping", then="off"),
    "reboot": _power("reboot_server", meanwhile="running", then="running"),
    "reset": _power("reset_server", meanwhile="running", then="running"),
    "change_type": _change_type,
    "rebuild": _rebuild,
    "create_image": _create_image,
    "enable_backup": _enable_backup,
    "disable_backup": _disable_backup,
    "enable_rescue": _enable_rescue,
    "disable_rescue": _disable_rescue,
    "attach_iso": _attach_iso,
    "detach_iso": _detach_iso,
    "reset_password": _reset_password,
    "request_console": _request_console,
    "change_dns_ptr": _change_dns_ptr,
}
ROUTES: Final[list[Route]] = [
    *[("POST", f"/servers/{{id}}/actions/{name}", handler) for name, handler in _HANDLERS.items()],
    protection_route("servers", rights=("delete", "rebuild")),
    ("GET", "/servers/{id}/metrics", _metrics),
]
