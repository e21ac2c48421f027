"""What all kinds have in common: list with filters and pages, read, rename and relabel, lists of actions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.frame.values import Json
from sandbox.hcloud.model import actions
from sandbox.hcloud.model.errors import invalid, not_found, taken
from sandbox.hcloud.model.moments import iso
from sandbox.hcloud.model.project import singular
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Handler, Route
from sandbox.hcloud.requests.labels import checked_labels, parsed_selector
from sandbox.hcloud.requests.paging import page_of, sorted_rows

Show = Callable[[Call, Json], Json]
ACTION_SORTS = ("id", "command", "status", "started", "finished")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of resource: its name in addresses, how one is called in answers, how a row looks outside.

    `filters` are query parameters that compare with the field of the same name in what is shown.
    """

    name: str
    key: str
    show: Show
    sorts: Sequence[str] = ("id", "name", "created")
    filters: Sequence[str] = ("name",)
    check_name: Callable[[Json], str] = lambda body: fields.text(body, "name")

    def answer(self, call: Call, row: Json, status: int = 200, **more: Any) -> Answer:
        """Return an answer that shows one row."""
        return Answer(body={self.key: self.show(call, row), **more}, status=status)


def listed(call: Call, key: str, rows: Iterable[Json], *, sorts: Sequence[str], filters: Sequence[str]) -> Answer:
    """Return a page of shown rows that pass the filters and the label selector of the query."""
    kept = list(rows)
    if selector := call.first("label_selector"):
        fits = parsed_selector(selector)
        kept = [row for row in kept if fits(row["labels"])]
    for name in filters:
        if wanted := set(call.query.get(name, ())):
            kept = [row for row in kept if str(row.get(name)) in wanted]
    ordered = sorted_rows(kept, call.query.get("sort", ()), sorts)
    page, meta = page_of(ordered, page=call.first("page"), per_page=call.first("per_page"))
    return Answer(body={key: page, "meta": meta})


def new_row(call: Call, kind: str, *, name: str, **values: Any) -> Json:
    """Return a row with what every kind has, not yet kept. Raises uniqueness_error and what wrong labels raise."""
    check_unique(call, kind, name)
    return {
        "id": 0,
        "name": name,
        "labels": checked_labels(call.body.get("labels")),
        "created": iso(call.now),
        **values,
    }


def check_unique(call: Call, kind: str, name: str, *, own: int = 0) -> None:
    """Raise uniqueness_error when another row of the project has the name."""
    found = call.project.named(kind, name)
    if found is not None and found["id"] != own:
        raise taken(singular(kind))


def kind_routes(kind: Kind, *, update: Handler | None = None, with_actions: bool = True) -> list[Route]:
    """Return list, read and update of a kind and, for most, its lists of actions."""

    def list_all(call: Call) -> Answer:
        shown = (kind.show(call, row) for row in call.project.rows(kind.name))
        return listed(call, kind.name, shown, sorts=kind.sorts, filters=kind.filters)

    def read(call: Call) -> Answer:
        return kind.answer(call, call.target(kind.name))

    def change(call: Call) -> Answer:
        row = call.target(kind.name)
        relabel(call, row, kind)
        return kind.answer(call, row)

    base = f"/{kind.name}"
    routes = [("GET", base, list_all), ("GET", f"{base}/{{id}}", read), ("PUT", f"{base}/{{id}}", update or change)]
    return routes + (action_routes(kind.name) if with_actions else [])


def relabel(call: Call, row: Json, kind: Kind) -> None:
    """Set name and labels, if they are given."""
    if call.body.get("name") is not None:
        name = kind.check_name(call.body)
        check_unique(call, kind.name, name, own=row["id"])
        row["name"] = name
    if call.body.get("labels") is not None:
        row["labels"] = checked_labels(call.body["labels"])


def action_routes(kind: str) -> list[Route]:
    """Return the lists of actions of a kind and of one of its resources."""

    def all_of_kind(call: Call) -> Answer:
        return list_actions(call, [row for row in call.project.actions.values() if _concerns(row, kind)])

    def one_of_kind(call: Call) -> Answer:
        return show_action(call, lambda row: _concerns(row, kind))

    def all_of_resource(call: Call) -> Answer:
        number = call.target(kind)["id"]
        return list_actions(call, [row for row in call.project.actions.values() if [kind, number] in row["resources"]])

    def one_of_resource(call: Call) -> Answer:
        number = call.target(kind)["id"]
        return show_action(call, lambda row: [kind, number] in row["resources"])

    return [
        ("GET", f"/{kind}/actions", all_of_kind),
        ("GET", f"/{kind}/actions/{{action}}", one_of_kind),
        ("GET", f"/{kind}/{{id}}/actions", all_of_resource),
        ("GET", f"/{kind}/{{id}}/actions/{{action}}", one_of_resource),
    ]


def list_actions(call: Call, rows: Iterable[Json]) -> Answer:
    """Return a page of actions, filtered by `status` and `id`."""
    shown = [actions.wire(call.project, row, call.now) for row in rows]
    return listed(call, "actions", shown, sorts=ACTION_SORTS, filters=("status", "id"))


def show_action(call: Call, belongs: Callable[[Json], bool]) -> Answer:
    """Return the action that the address names. Raises not_found, also for one that does not belong here."""
    number = call.path["action"]
    row = call.project.actions.get(int(number)) if number.isdigit() else None
    if row is None or not belongs(row):
        raise not_found("action", number)
    return Answer(body={"action": actions.wire(call.project, row, call.now)})


def _concerns(row: Json, kind: str) -> bool:
    return any(resource[0] == kind for resource in row["resources"])


def action_answer(action: Json, status: int = 201, **more: Any) -> Answer:
    """Return the usual answer to an action."""
    return Answer(body={"action": action, **more}, status=status)


def protection_route(kind: str, *, rights: Sequence[str] = ("delete",)) -> Route:
    """Return `change_protection` of a kind."""

    def change_protection(call: Call) -> Answer:
        row = call.free(kind)
        wished = {right: fields.boolean(call.body, right, default=row["protection"][right]) for right in rights}
        if len(set(wished.values())) > 1:
            raise invalid(rights[-1], f"{' and '.join(rights)} must have the same value")
        row["protection"] = wished
        return action_answer(call.start("change_protection", [(kind, row["id"])]))

    return ("POST", f"/{kind}/{{id}}/actions/change_protection", change_protection)
