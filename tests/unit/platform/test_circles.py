"""No circle of imports: not between modules, and not between folders.

A folder is a package's direct modules; a package and its sub-package are two folders. `lint-imports` looks at siblings
only and so does not see a package that imports its own sub-package and is imported by it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import grimp
import pytest

ROOTS = ("clawstack", "tenants", "services", "sandbox", "toolchain")
Graph = Mapping[str, AbstractSet[str]]
Steps = Mapping[tuple[str, str], Sequence[tuple[str, str]]]


def components(graph: Graph) -> list[set[str]]:
    """Strongly connected components of more than one node, largest first (Kosaraju)."""
    order: list[str] = []
    seen: set[str] = set()
    for start in sorted(graph):
        seen_here = [(start, iter(sorted(graph[start])))] if start not in seen else []
        seen.add(start)
        while seen_here:
            node, rest = seen_here[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                order.append(node)
                seen_here.pop()
            else:
                seen.add(following)
                seen_here.append((following, iter(sorted(graph.get(following, ())))))
    backwards: dict[str, set[str]] = defaultdict(set)
    for node, others in graph.items():
        for other in others:
            backwards[other].add(node)
    found, left = [], set(order)
    for start in reversed(order):
        group = reached(start, {node: backwards[node] & left for node in left}) if start in left else set()
        left -= group
        if len(group) > 1:
            found.append(group)
    return sorted(found, key=len, reverse=True)


def reached(start: str, graph: Graph) -> set[str]:
    """Everything that can be reached from `start`, itself included."""
    found, waiting = {start}, [start]
    while waiting:
        new = graph.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return found


def shortest_circle(graph: Graph, group: AbstractSet[str]) -> list[str]:
    """One way round inside a component, as short as there is."""
    ways = (_way_back(start, graph, group) for start in sorted(group))
    return min(ways, key=len)


def _way_back(start: str, graph: Graph, group: AbstractSet[str]) -> list[str]:
    before: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for other in sorted(graph[node] & group):
            if other == start:
                way = [start, node]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if other not in before:
                before[other] = node
                waiting.append(other)
    raise AssertionError(f"{start} is in no circle")


def told(graph: Graph, steps: Steps, where: Callable[[str, str], str]) -> str:
    """Every circle, with imports that make it."""
    lines = []
    for group in components(graph):
        circle = shortest_circle(graph, group)
        lines += [f"{len(group)} in one circle: {', '.join(sorted(group))}", "  the shortest way round:"]
        for one, other in itertools.pairwise(circle):
            importer, imported = min(steps[one, other])
            lines.append(f"  {one} -> {other}  ({len(steps[one, other])} imports, {where(importer, imported)})")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOTS)


def edges(imports: grimp.ImportGraph, place: Callable[[str], str]) -> tuple[Graph, Steps]:
    graph: dict[str, set[str]] = defaultdict(set)
    steps: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for module in imports.modules:
        for other in imports.find_modules_directly_imported_by(module):
            one, two = place(module), place(other)
            graph[two] |= set()
            if one != two:
                graph[one].add(two)
                steps[one, two].append((module, other))
    return graph, steps


def _where(imports: grimp.ImportGraph) -> Callable[[str, str], str]:
    def where(importer: str, imported: str) -> str:
        lines = [
            str(detail["line_number"]) for detail in imports.get_import_details(importer=importer, imported=imported)
        ]
        return f"{importer}:{','.join(lines)} imports {imported}"

    return where


def test_no_circle_of_modules(imports: grimp.ImportGraph) -> None:
    graph, steps = edges(imports, lambda module: module)
    circles = told(graph, steps, _where(imports))
    assert not circles, f"\n{circles}"


def test_no_circle_of_folders(imports: grimp.ImportGraph) -> None:
    packages = {module for module in imports.modules if imports.find_children(module)}
    graph, steps = edges(imports, lambda module: module if module in packages else module.rpartition(".")[0])
    circles = told(graph, steps, _where(imports))
    assert not circles, f"\n{circles}"


def test_the_check_finds_and_tells_a_circle() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert components(graph) == [{"a", "b", "c"}, {"d", "e"}]
    assert shortest_circle(graph, {"a", "b", "c"}) == ["a", "b", "c", "a"]
    steps = {(one, two): [(f"{one}.x", f"{two}.y")] for one, others in graph.items() for two in others}
    text = told(graph, steps, lambda importer, imported: f"{importer} imports {imported}")
    assert "3 in one circle: a, b, c" in text
    assert "  d -> e  (1 imports, d.x imports e.y)" in text
    assert components({"a": {"b"}, "b": set()}) == []
