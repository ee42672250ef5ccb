"""Mutants of a Python module: the module's text with one small change that a test should notice.

The changes are mutmut's (a number plus one, another operator or comparison, an argument left out or None, another string, a value
forgotten) and three of ours: a condition that always or never holds, a call that is left out, and a threshold that is a tenth.

Not mutated: annotations, decorators, imports, docstrings, type aliases, what describes something to people (messages, errors, the labels
and explanations of options and catalogues), and which processes a call ends.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators
from typing_extensions import override

DESCRIPTIONS = frozenset({"Message", "Choice", "Argument", "PanelProperty", "CatalogEntry", "add_argument", "warn"})
TYPING_CALLS = frozenset({"TypeVar", "NewType", "ParamSpec"})
# The last two end processes: with another number, the processes of others. killpg(1) ends all that this user may end.
UNTOUCHED_CALLS = frozenset({"len", "isinstance", "super", "cast", "Path", "kill", "killpg"})
SMALLEST_THRESHOLD = 1e-5  # a smaller one only keeps a division from zero

Operator = Callable[[cst.CSTNode], Iterable[cst.CSTNode]]


@dataclass(frozen=True)
class Site:
    """A node of a module that an operator changes; line from 1; changes: what the node may become."""

    module: cst.Module
    line: int
    operator: str
    node: cst.CSTNode
    changes: tuple[cst.CSTNode, ...]

    def mutants(self) -> Iterator[str]:
        """The module's text with each of the changes, where it is another text and still Python."""
        source = self.module.code
        for change in self.changes:
            changed = self.module.deep_replace(self.node, change)
            if isinstance(changed, cst.Module) and changed.code != source and _is_python(changed.code):
                yield changed.code


def find_sites(source: str) -> list[Site]:
    """All sites of a module's text, in the order of its nodes."""
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    visitor = _SiteVisitor(wrapper.module)
    wrapper.visit(visitor)
    return visitor.sites


class _SiteVisitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self.module = module
        self.sites: list[Site] = []
        self._line = 1

    @override
    def on_visit(self, node: cst.CSTNode) -> bool:
        position = self.get_metadata(PositionProvider, node, None)
        self._line = position.start.line if position else self._line
        if _is_left_alone(node):
            return False
        for kind, operator in OPERATORS:
            if isinstance(node, kind) and (changes := tuple(operator(node))):
                self.sites.append(Site(self.module, self._line, operator.__name__.removeprefix("operator_"), node, changes))
        return super().on_visit(node)


def _is_left_alone(node: cst.CSTNode) -> bool:
    """Whether a node and all in it are not mutated."""
    if isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom | cst.TypeParameters):
        return True
    if isinstance(node, cst.Expr):
        return isinstance(node.value, cst.BaseString)
    if isinstance(node, cst.Call):
        name = _called_name(node)
        return name.endswith(("Error", "Warning")) or name in DESCRIPTIONS | TYPING_CALLS | UNTOUCHED_CALLS
    if isinstance(node, cst.If):
        return isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING"
    if isinstance(node, cst.Assign):
        return _is_type_alias(node)
    if isinstance(node, cst.AnnAssign):
        return isinstance(node.annotation.annotation, cst.Name) and node.annotation.annotation.value == "TypeAlias"
    return isinstance(node, cst.SimpleString) and _is_prose(node.value)


def _called_name(call: cst.Call) -> str:
    function = call.func
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else ""


def _is_type_alias(node: cst.Assign) -> bool:
    """CamelCase = some type."""
    target, value = node.targets[0].target, node.value
    is_camel_case = isinstance(target, cst.Name) and re.fullmatch(r"_?[A-Z]\w*[a-z]\w*|_?[A-Z]", target.value) is not None
    if isinstance(value, cst.Call):
        return _called_name(value) in TYPING_CALLS
    return is_camel_case and isinstance(value, cst.Subscript | cst.BinaryOperation | cst.Attribute | cst.Name)


def _is_prose(literal: str) -> bool:
    return literal.count(" ") > 1 and re.search(r"[a-z]{2} [a-z]{2}", literal) is not None


def _is_python(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def operator_condition(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A condition that never holds, or always; a loop only ends earlier."""
    if isinstance(node, cst.If | cst.While | cst.CompIf):
        test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.BooleanOperation(test, cst.And(), cst.Name("False")))
        if not isinstance(node, cst.While):
            yield node.with_changes(test=cst.BooleanOperation(test, cst.Or(), cst.Name("True")))


def operator_call_statement(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A call for its effect that is left out."""
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.Call):
        yield cst.Pass()


def operator_threshold(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A tenth of a number with a fraction."""
    if isinstance(node, cst.Float) and abs(node.evaluated_value) >= SMALLEST_THRESHOLD:
        yield node.with_changes(value=repr(node.evaluated_value / 10))


_OURS: Sequence[tuple[type[cst.CSTNode], Operator]] = (
    (cst.CSTNode, operator_condition),
    (cst.Expr, operator_call_statement),
    (cst.Float, operator_threshold),
)
OPERATORS: Sequence[tuple[type[cst.CSTNode], Operator]] = (*mutation_operators, *_OURS)
