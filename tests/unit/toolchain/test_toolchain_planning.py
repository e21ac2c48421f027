"""What may run beside what while a machine is set up."""

from __future__ import annotations

import pytest

from toolchain.parts import ON_DEMAND, OPTIONAL, PARTS, optional, wanted
from toolchain.tasks.planning import AT_ONCE, Task, Use, merged, startable

EVERYTHING = ("all", *sorted(ON_DEMAND))


def task(name: str, *after: str, use: Use | None = None) -> Task:
    return Task(name=name, act=lambda *_: None, after=after, use=use)


def names(tasks: tuple[Task, ...]) -> list[str]:
    return [each.name for each in tasks]


def test_a_task_waits_for_all_that_it_needs() -> None:
    tasks = (task("images", "pause", "openclaw"), task("pause"), task("openclaw"))
    assert names(startable(tasks, done=set(), running=set())) == ["pause", "openclaw"]
    assert names(startable(tasks, done={"pause"}, running={"openclaw"})) == []
    assert names(startable(tasks, done={"pause", "openclaw"}, running=set())) == ["images"]


def test_what_was_not_asked_for_is_not_waited_for() -> None:
    assert names(startable((task("plugins", "pulumi"),), done=set(), running=set())) == ["plugins"]


def test_no_more_than_so_many_share_a_thing_and_the_first_in_the_list_come_first() -> None:
    tasks = (*(task(name, use=Use.GO) for name in "abc"), task("d", use=Use.APT), task("e"))
    at_once = {Use.GO: 2, Use.APT: 1}
    assert names(startable(tasks, done=set(), running=set(), at_once=at_once)) == ["a", "b", "d", "e"]
    assert names(startable(tasks, done=set(), running={"b", "d"}, at_once=at_once)) == ["a", "e"]
    assert names(startable(tasks, done={"a", "e"}, running={"b", "d"}, at_once=at_once)) == ["c"]


def test_a_task_of_two_parts_is_there_once() -> None:
    assert names(merged([[task("a"), task("b")], [task("b"), task("c")]])) == ["a", "b", "c"]


@pytest.mark.parametrize("parts", [[part] for part in PARTS] + [["all"], list(EVERYTHING)], ids=" ".join)
def test_every_choice_of_parts_comes_to_its_end_within_the_limits(parts: list[str]) -> None:
    tasks = wanted(parts)
    done: set[str] = set()
    running: list[Task] = []
    while len(done) < len(tasks):
        running += startable(tasks, done=done, running={each.name for each in running})
        assert running, f"nothing may start although {set(names(tasks)) - done} are left"
        for use, limit in AT_ONCE.items():
            assert sum(each.use is use for each in running) <= limit
        ended = running.pop()
        assert done.issuperset(set(ended.after) & set(names(tasks)))
        done.add(ended.name)


def test_a_need_is_the_name_of_a_task() -> None:
    tasks = wanted(EVERYTHING)
    assert {need for each in tasks for need in each.after} <= set(names(tasks))


def test_what_all_leaves_out_is_what_takes_minutes_and_serves_tests_alone() -> None:
    assert set(names(wanted(["all"]))) == {"pulumi", "plugins", "openclaw", "system", "chromium"}
    assert {"kubernetes", "kwok", "kube-score", "linters", "images"} <= set(names(wanted(EVERYTHING)))


def test_a_part_that_was_named_is_not_optional() -> None:
    assert optional(["all"]) == OPTIONAL
    assert optional(["chromium"]) == frozenset()


def test_the_longest_builds_begin_first_but_for_one_of_seconds_that_others_wait_for() -> None:
    builds = [each.name for each in wanted(EVERYTHING) if each.use is Use.GO]
    assert builds[:3] == ["pause", "kubernetes", "pulumi"]
