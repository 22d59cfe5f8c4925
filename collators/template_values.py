"""The names of a chat template in; what their values hold of the messages, out. By source alone, so with care."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from jinja2 import nodes

TESTS = {"startswith", "endswith", "find", "rfind", "count", "index"}
_CUTS = {"split", "rsplit", "partition", "rpartition"}
SEARCHES = {*TESTS, *_CUTS, "replace", "removeprefix", "removesuffix"}
"""Methods that do nothing to a text without their argument in it."""
OF_LISTS = {"length", "count", "first", "last", "list", "reverse"}
BY_FIELD = {"selectattr", "rejectattr", "map"}
NOT_TEXT = {"role", "name", "type", "tool_calls", "tool_call_id", "reasoning_content"}
"""Fields of a message without a text of ours: its role, and what rows never bring."""

NOTHING, TEXT, MIXED = range(3)
"""What a value holds: nothing of the messages; their text as it came; or that among words of the template."""

Seen = frozenset[str]


class Values:
    """What the expressions of a template can be."""

    def __init__(self, tree: nodes.Template) -> None:
        self._of_name: defaultdict[str, list[Any]] = defaultdict(list)
        self.macros = {macro.name: [argument.name for argument in macro.args] for macro in tree.find_all(nodes.Macro)}
        for node in tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For, nodes.Macro, nodes.Call, nodes.With)):
            for name, value in self.bindings(node):
                self._of_name[name].append(value)

    def bindings(self, node: Any) -> Iterator[tuple[str, Any]]:
        """Which names a statement, or the call of a macro, gives which values."""
        match node:
            case nodes.Assign(
                target=nodes.Name(name=owner), node=nodes.Call(node=nodes.Name(name="namespace"), kwargs=fields)
            ):
                yield from ((f"{owner}.{field.key}", field.value) for field in fields)
            case nodes.Assign():
                yield from ((name, node.node) for name in _targets(node.target))
            case nodes.AssignBlock():
                parts = [*node.body, *([node.filter] if node.filter is not None else [])]
                yield from ((name, part) for name in _targets(node.target) for part in parts)
            case nodes.For():
                yield from ((name, nodes.Getitem(node.iter, nodes.Const(0), "load")) for name in _targets(node.target))
            case nodes.With():
                for target, value in zip(node.targets, node.values, strict=True):
                    yield from ((name, value) for name in _targets(target))
            case nodes.Macro():
                names = [argument.name for argument in node.args]
                yield from zip(names[len(names) - len(node.defaults) :], node.defaults, strict=True)
            case nodes.Call(node=nodes.Name(name=name)) if name in self.macros:
                yield from zip(self.macros[name], node.args, strict=False)
                yield from ((keyword.key, keyword.value) for keyword in node.kwargs)

    def holds(self, node: Any, seen: Seen = frozenset()) -> int:
        """`NOTHING`, `TEXT` or `MIXED`."""
        field = field_of(node)
        if field is not None and field in self._of_name:
            values = [] if field in seen else self._of_name[field]
            return max((self.holds(value, seen | {field}) for value in values), default=NOTHING)
        match node:
            case nodes.Name(name=name):
                values = [] if name in seen else self._of_name[name]
                return max([int(name == "messages"), *(self.holds(value, seen | {name}) for value in values)])
            case nodes.Getattr(attr=key) | nodes.Getitem(arg=nodes.Const(value=key)):
                if key in ("previtem", "nextitem"):
                    return TEXT
                return NOTHING if key in NOT_TEXT else self.holds(node.node, seen)
            case nodes.Getitem():
                return self.holds(node.node, seen)
            case nodes.CondExpr():
                return max(self.holds(part, seen) for part in (node.expr1, node.expr2) if part is not None)
            case nodes.Const() | nodes.Compare() | nodes.Test() | nodes.Not():
                return NOTHING
            case nodes.Call(node=nodes.Getattr(attr=key)) if key in TESTS:
                return NOTHING
            case nodes.Call(node=nodes.Getattr(attr="get"), args=[nodes.Const(value=key), *_]) if key in NOT_TEXT:
                return NOTHING
            case nodes.Filter(name="length" | "count"):
                return NOTHING
        inside = max((self.holds(child, seen) for child in node.iter_child_nodes()), default=NOTHING)
        is_kept = isinstance(node, nodes.And | nodes.Or | nodes.Filter | nodes.List | nodes.Tuple) or (
            isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr != "join"
        )
        return inside if is_kept or inside == NOTHING else MIXED

    def is_list(self, node: Any, seen: Seen = frozenset()) -> bool:
        """Whether `node` is sure to be a list: of messages, or what splitting a text gives."""
        match node:
            case nodes.Name(name=name):
                values = self._of_name[name]
                known = bool(values) or name == "messages"
                return known and (name in seen or all(self.is_list(value, seen | {name}) for value in values))
            case nodes.Getitem(arg=nodes.Slice()):
                return self.is_list(node.node, seen)
            case nodes.List():
                return True
            case nodes.Add():
                return self.is_list(node.left, seen) and self.is_list(node.right, seen)
            case nodes.Filter(name=name):
                is_same = name in ("list", "reverse") or name in BY_FIELD
                return is_same and node.node is not None and self.is_list(node.node, seen)
            case nodes.Call(node=nodes.Getattr(attr=attribute)):
                return attribute in _CUTS
        return False

    def is_constant(self, node: Any, seen: Seen = frozenset()) -> bool:
        """Whether `node` is sure to be one of the strings that stand in the source, and no empty one."""
        match node:
            case nodes.Const():
                return isinstance(node.value, str) and bool(node.value)
            case nodes.Name(name=name):
                values = [] if name in seen else self._of_name[name]
                return bool(values) and all(self.is_constant(value, seen | {name}) for value in values)
            case nodes.List() | nodes.Tuple():
                return all(self.is_constant(item, seen) for item in node.items)
            case nodes.Getitem(
                node=nodes.List() | nodes.Tuple() | nodes.Name() as several, arg=nodes.Const(value=int())
            ):
                return self.is_constant(several, seen)
            case nodes.Getattr() if (field := field_of(node)) is not None:
                values = [] if field in seen else self._of_name.get(field, [])
                return bool(values) and all(self.is_constant(value, seen | {field}) for value in values)
        return False

    def truth(self, test: Any) -> bool | None:
        """What `test` is sure to be, given that every content is a string; None where that does not tell."""
        match test:
            case nodes.Test(name="string"):
                return True if self._is_content(test.node) else None
            case nodes.Not():
                truth = self.truth(test.node)
                return None if truth is None else not truth
            case nodes.And():
                return False if False in (self.truth(test.left), self.truth(test.right)) else None
            case nodes.Or():
                return True if True in (self.truth(test.left), self.truth(test.right)) else None
        return None

    def _is_content(self, node: Any, seen: Seen = frozenset()) -> bool:
        match node:
            case nodes.Getattr(attr="content") | nodes.Getitem(arg=nodes.Const(value="content")):
                return self.holds(node.node) == TEXT and not self.is_list(node.node)
            case nodes.Name(name=name):
                values = [] if name in seen else self._of_name[name]
                return bool(values) and all(self._is_content(value, seen | {name}) for value in values)
        return False


def field_of(node: Any) -> str | None:
    """`ns.x`, as which a namespace's field is known."""
    match node:
        case nodes.Getattr(node=nodes.Name(name=owner), attr=field):
            return f"{owner}.{field}"
        case nodes.Getitem(node=nodes.Name(name=owner), arg=nodes.Const(value=str(field))):
            return f"{owner}.{field}"
        case nodes.NSRef(name=owner, attr=field):
            return f"{owner}.{field}"
    return None


def _targets(target: Any) -> list[str]:
    if isinstance(target, nodes.NSRef):
        return [f"{target.name}.{target.attr}"]
    if isinstance(target, nodes.Name):
        return [target.name]
    return [name for part in target.items for name in _targets(part)]
