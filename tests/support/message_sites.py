"""Every message that the code can make, found in its source: by name, with its English template and placeholders."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import blender_meshrec

PACKAGE = Path(blender_meshrec.__file__).parent
_ERROR = re.compile(r"(MeshRec|Input|NobodyFound|Model|NotSetUp|Output|Cancelled|NoSuchPackage)Error|_explain_failure")


@dataclass(frozen=True)
class MessageSite:
    """Where a message is made.

    name: its identity. text: the English template, None where it comes from elsewhere. values: the names of the values that are
    given there, for an error those of its problem and its remedy; None where some come from elsewhere. file: the module.
    """

    name: str
    text: str | None
    values: frozenset | None
    file: Path


def message_sites(*folders):
    """The MessageSites of the package's folders; an error has two, of its problem and of its remedy."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for folder in folders for file in sorted((PACKAGE / folder).rglob("*.py"))}
    constants = {}
    for tree in trees.values():
        constants.update(_constants(tree.body))
    found = []
    for file, tree in trees.items():
        own = {**constants, **_constants(tree.body)}
        found += [site for call, known in _calls(tree, own) for site in _sites_of(call, known, file)]
    return found


def _sites_of(call, known, file):
    called = getattr(call.func, "id", getattr(call.func, "attr", ""))
    texts = [_text(argument, known) for argument in call.args]
    names = [keyword.arg for keyword in call.keywords]
    values = None if None in names else frozenset(names)
    if called == "Message" and len(texts) > 1 and texts[0]:
        return [MessageSite(texts[0], texts[1], values, file)]
    if called == "label" and texts and texts[0]:
        return [MessageSite(texts[0], texts[0], None, file)]
    if _ERROR.fullmatch(called) and texts and texts[0]:
        return [MessageSite(f"{texts[0]}.{part}", text, values, file) for part, text in zip(("problem", "remedy"), texts[1:])]
    return []


def _calls(tree, known):
    """(call, texts by the names of the variables that hold them there) of every call in a module."""
    for node in tree.body:
        yield from _calls_in(node, dict(known))


def _calls_in(node, known):
    if isinstance(node, ast.FunctionDef):
        known = dict(known)
    if isinstance(node, ast.Assign):
        known.update(_constants([node]))
    if isinstance(node, ast.Call):
        yield node, dict(known)
    for child in ast.iter_child_nodes(node):
        yield from _calls_in(child, known)


def _constants(nodes):
    found = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value.value if _is_text(node.value) else None
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            for target, value in zip(node.targets[0].elts, node.value.elts):
                if isinstance(target, ast.Name):
                    found[target.id] = value.value if _is_text(value) else None
    return found


def _text(node, known):
    if _is_text(node):
        return node.value
    return known.get(node.id) if isinstance(node, ast.Name) else None


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
