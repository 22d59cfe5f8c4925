"""A chat template's source in; how it looks at the texts it is given, out.

A template that only writes texts treats all alike. One that searches, compares, cuts or measures them may write some
differently, and these must be found without rendering every row. So what is known to leave a text alone, unless some
constant stands in it, is listed here; whatever else a template does to a text makes it `opaque`.
"""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, TemplateError, nodes

from collators.errors import TokenizationError
from collators.template_values import (
    BY_FIELD,
    MIXED,
    NOT_TEXT,
    NOTHING,
    OF_LISTS,
    SEARCHES,
    TESTS,
    TEXT,
    Values,
    field_of,
)

_STRIPS = {"strip", "lstrip", "rstrip", "trim"}
_HARMLESS = {"string", "safe", "default", "d"}
_TYPES = {"string", "defined", "undefined", "none", "mapping", "iterable", "sequence", "number", "boolean"}


class TemplateReads:
    """How a template looks at texts: it searches them for `contained`, compares them with `equal`, strips them.

    `opaque`: it does something else with them, so that no look at a text tells how it will be written.

    >>> reads = TemplateReads(
    ...     "{% for m in messages %}{% if '</think>' in m.content and m.role == 'user' %}"
    ...     "{{ '# ' + m.content.split('#')[0] }}{% endif %}{% endfor %}"
    ... )
    >>> sorted(reads.contained), sorted(reads.equal), reads.strips, reads.opaque
    (['#', '</think>'], ['user'], False, False)
    >>> TemplateReads("{{ messages[0].content[:40] }}").opaque
    True
    """

    def __init__(self, source: str) -> None:
        self.contained: set[str] = set()
        self.equal: set[str] = set()
        self.strips = False
        self.opaque = False
        try:
            # `generation` blocks are transformers' own extension of jinja, without influence on the text.
            tree = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(
                re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", source)
            )
        except TemplateError as error:
            raise TokenizationError(f"the chat template is not jinja: {error}") from error
        self._values = Values(tree)
        # A constant may reach a test by way of a name, and that by another: again until no name is new.
        self._tested: set[str] = set()
        num_known = -1
        while num_known < len(self._tested):
            num_known = len(self._tested)
            self._read(tree, tested=False)

    def _read(self, node: Any, *, tested: bool) -> None:
        """Note what `node` does to texts; `tested` if its value decides something, rather than being written."""
        match node:
            case nodes.Const():
                if tested and isinstance(node.value, str):
                    self.contained.add(node.value)
            case nodes.Name():
                self._tested |= {node.name} if tested else set()
            case nodes.If() | nodes.CondExpr():
                self._read_branches(node, tested=tested)
            case nodes.Compare():
                self._read_compare(node)
            case nodes.Call():
                self._read_call(node, tested=tested)
            case nodes.Filter():
                self._read_filter(node, tested=tested)
            case nodes.Test():
                self.opaque |= node.name not in _TYPES and self._values.holds(node.node) > NOTHING
                self._read_all([node.node, *node.args], tested=node.name not in _TYPES)
            case nodes.For():
                self._read_for(node)
            case nodes.Assign() | nodes.AssignBlock() | nodes.Macro() | nodes.With():
                for name, value in self._values.bindings(node):
                    self._read(value, tested=self._is_tested(name))
                if not isinstance(node, nodes.Assign):
                    self._read_all(node.body, tested=False)
            case nodes.Getattr() | nodes.Getitem() if (field := field_of(node)) is not None:
                self._tested |= {field} if tested else set()
            case nodes.Getitem():
                is_key = isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)
                self.opaque |= not is_key and self._is_text(node.node)
                self._read(node.node, tested=tested)
                self._read(node.arg, tested=not is_key)
            case nodes.Mod() | nodes.Mul():  # a format can cut
                self.opaque |= self._values.holds(node) > NOTHING
                self._read_all(node.iter_child_nodes(), tested=tested)
            case nodes.FilterBlock() | nodes.CallBlock() | nodes.Include() | nodes.Import() | nodes.FromImport():
                self.opaque = True
            case _:
                self._read_all(node.iter_child_nodes(), tested=tested)

    def _read_all(self, several: Any, *, tested: bool) -> None:
        for node in several:
            self._read(node, tested=tested)

    def _is_text(self, node: Any) -> bool:
        return self._values.holds(node) > NOTHING and not self._values.is_list(node)

    def _read_branches(self, node: Any, *, tested: bool) -> None:
        self._read(node.test, tested=True)
        # What stands behind `if content is string … else` is for lists of parts, which rows never bring.
        truth = self._values.truth(node.test)
        if isinstance(node, nodes.CondExpr):
            branches, others = [node.expr1], [node.expr2]
        else:
            branches, others = node.body, [*node.elif_, *node.else_]
        self._read_all([] if truth is False else branches, tested=tested)
        self._read_all([] if truth is True else filter(None, others), tested=tested)

    def _read_for(self, node: nodes.For) -> None:
        self.opaque |= self._is_text(node.iter)
        self._read(node.iter, tested=any(self._is_tested(name) for name, _ in self._values.bindings(node)))
        if node.test is not None:
            self._read(node.test, tested=True)
        self._read_all([*node.body, *node.else_], tested=False)

    def _read_compare(self, node: nodes.Compare) -> None:
        left = node.expr
        for operand in node.ops:
            right, texts = operand.expr, max(self._values.holds(left), self._values.holds(operand.expr))
            sides = [left, right]
            if operand.op in ("in", "notin") and not isinstance(right, nodes.List | nodes.Tuple):
                is_lookup = self._values.is_constant(left)
                self.opaque |= self._values.holds(left) > NOTHING or (texts > NOTHING and not is_lookup)
                self._read_all(sides, tested=True)
            else:
                if isinstance(right, nodes.List | nodes.Tuple):
                    sides = [left, *right.items]
                constants = [side for side in sides if isinstance(side, nodes.Const)]
                self.equal |= {constant.value for constant in constants if isinstance(constant.value, str)}
                self._read_all([side for side in sides if side not in constants], tested=True)
                is_equality = operand.op in ("eq", "ne", "in", "notin")
                self.opaque |= texts > NOTHING and not (is_equality and len(constants) == len(sides) - 1)
            self.opaque |= texts == MIXED
            left = right

    def _read_call(self, node: nodes.Call, *, tested: bool) -> None:
        callee, arguments = node.node, [*node.args, *(keyword.value for keyword in node.kwargs)]
        if isinstance(callee, nodes.Name):
            if callee.name == "raise_exception":
                return
            if callee.name in self._values.macros:
                for name, value in self._values.bindings(node):
                    self._read(value, tested=tested or self._is_tested(name))
                return
        elif isinstance(callee, nodes.Getattr):
            holds = self._values.holds(callee.node)
            if self._is_text(callee.node):
                self._read_change(callee.attr, holds, arguments, is_method=True)
            self._read(callee.node, tested=tested or callee.attr in TESTS)
            if holds > NOTHING:
                return
        self.opaque |= any(self._values.holds(argument) for argument in arguments)
        self._read_all(arguments, tested=tested)

    def _read_filter(self, node: nodes.Filter, *, tested: bool) -> None:
        holds = self._values.holds(node.node) if node.node is not None else MIXED
        arguments = [*node.args, *(keyword.value for keyword in node.kwargs)]
        if node.node is not None:
            self._read(node.node, tested=tested)
        if holds > NOTHING and self._values.is_list(node.node):
            field = arguments[0].value if arguments and isinstance(arguments[0], nodes.Const) else None
            self.opaque |= node.name not in OF_LISTS and not (node.name in BY_FIELD and field in NOT_TEXT)
        elif holds > NOTHING and node.name not in _HARMLESS:
            self._read_change(node.name, holds, arguments, is_method=False)
        else:
            self._read_all(arguments, tested=tested)
        self.opaque |= holds == NOTHING and any(self._values.holds(argument) for argument in arguments)

    def _read_change(self, name: str, holds: int, arguments: list[Any], *, is_method: bool) -> None:
        """A text's method, or a filter, with these arguments."""
        sought = arguments[0] if arguments else None
        if name in _STRIPS and (sought is None or isinstance(sought, nodes.Const)):
            self.strips = True
            letters = sought.value if sought is not None and isinstance(sought.value, str) else ""
            self.contained |= {letter for letter in letters if not letter.isspace()}
        elif name in (SEARCHES if is_method else {"replace"}) and holds == TEXT and self._values.is_constant(sought):
            self._read(sought, tested=True)
        elif not (name == "get" and isinstance(sought, nodes.Const)):
            self.opaque = True

    def _is_tested(self, name: str) -> bool:
        owner = name.partition(".")[0]
        return bool({name, owner} & self._tested) or any(known.startswith(f"{name}.") for known in self._tested)
