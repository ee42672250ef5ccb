"""All messages of the code, found in its source: their names, English templates and placeholders."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import blender_meshrec

PACKAGE = Path(blender_meshrec.__file__).parent
_ERROR = re.compile(r"(MeshRec|Input|NobodyFound|Model|NotSetUp|Output|Cancelled|NoSuchPackage)Error|_explain_failure")


@dataclass(frozen=True)
class MessageSite:
    """A call that makes a message.

    name: of the message. text: the English template, None where it is not a literal or a constant. values: the names of the values of the
    call, for an error those of its problem and its remedy together; None where the call unpacks a dictionary. file: the module.
    """

    name: str
    text: str | None
    values: frozenset[str] | None
    file: Path


def message_sites(*folders: str) -> list[MessageSite]:
    """The MessageSites of the package's folders; an error has two, for its problem and its remedy."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for folder in folders for file in sorted((PACKAGE / folder).rglob("*.py"))}
    constants: dict[str, str | None] = {}
    for tree in trees.values():
        constants.update(_assigned_texts(tree.body))
    sites = []
    for file, tree in trees.items():
        module_constants = {**constants, **_assigned_texts(tree.body)}
        sites += [site for call, variables in _calls(tree, module_constants) for site in _sites_of_call(call, variables, file)]
    return sites


def _sites_of_call(call: ast.Call, variables: Mapping[str, str | None], file: Path) -> list[MessageSite]:
    function = getattr(call.func, "id", getattr(call.func, "attr", ""))
    texts = [_text(argument, variables) for argument in call.args]
    names = [keyword.arg for keyword in call.keywords]
    values = None if None in names else frozenset(names)
    if function == "Message" and len(texts) > 1 and texts[0]:
        return [MessageSite(texts[0], texts[1], values, file)]
    if function == "label" and texts and texts[0]:
        return [MessageSite(texts[0], texts[0], None, file)]
    if _ERROR.fullmatch(function) and texts and texts[0]:
        return [MessageSite(f"{texts[0]}.{part}", text, values, file) for part, text in zip(("problem", "remedy"), texts[1:])]
    return []


def _calls(tree: ast.Module, constants: Mapping[str, str | None]) -> Iterator[tuple[ast.Call, dict[str, str | None]]]:
    """The calls of a module, each with the texts of the variables that are visible there."""
    for node in tree.body:
        yield from _calls_in_node(node, dict(constants))


def _calls_in_node(node: ast.AST, variables: dict[str, str | None]) -> Iterator[tuple[ast.Call, dict[str, str | None]]]:
    if isinstance(node, ast.FunctionDef):
        variables = dict(variables)
    if isinstance(node, ast.Assign):
        variables.update(_assigned_texts([node]))
    if isinstance(node, ast.Call):
        yield node, dict(variables)
    for child in ast.iter_child_nodes(node):
        yield from _calls_in_node(child, variables)


def _assigned_texts(nodes: Iterable[ast.stmt]) -> dict[str, str | None]:
    """The variables that statements assign, with their texts; None for another value."""
    texts: dict[str, str | None] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts[node.targets[0].id] = _literal(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            for target, value in zip(node.targets[0].elts, node.value.elts):
                if isinstance(target, ast.Name):
                    texts[target.id] = _literal(value)
    return texts


def _text(node: ast.expr, variables: Mapping[str, str | None]) -> str | None:
    """The text of an expression: a literal, or a variable with a known text."""
    return variables.get(node.id) if isinstance(node, ast.Name) else _literal(node)


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
