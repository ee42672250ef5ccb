"""Names of outputs by a template such as `{folder}/{clip}_{target}.{format}`."""

import re
import string
from collections.abc import Mapping
from pathlib import Path

from ...core.errors import InputError

FIELDS = ("clip", "file", "folder", "options", "target", "format", "number")
REMEDY = "Use {fields}, and end in .{format}."
_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f]+')  # what no name of a file may hold on one of the systems


def default_template(has_options: bool, has_targets: bool) -> str:
    """The template where none is given: what tells the outputs of a clip apart is in their names."""
    return "{folder}/{clip}" + ("_{options}" if has_options else "") + ("_{target}" if has_targets else "") + ".{format}"


def check_template(template: str) -> None:
    """Check that a template has only known fields, and names the format.

    Raises:
        InputError: it does not.
    """
    try:
        parsed = [entry[1:] for entry in string.Formatter().parse(template) if entry[1] is not None]
    except ValueError:  # a brace without its other one
        parsed = [("", None, None)]
    fields = [f"{field}:{spec}" if spec or conversion else str(field) for field, spec, conversion in parsed]
    unknown = [field for field in fields if field not in FIELDS]
    if unknown or not template.strip():
        raise InputError(
            "name-template-field-unknown",
            "The name {template} has {field}, which stands for nothing.",
            "Use {known}.",
            template=template,
            field=f"{{{unknown[0]}}}" if unknown else "no field",
            known=" ".join(f"{{{field}}}" for field in FIELDS),
        )
    if not template.endswith("{format}"):
        raise InputError(
            "name-template-without-format",
            "The name {template} does not end in the format.",
            "End it in {ending}.",
            template=template,
            ending=".{format}",
        )


def output_name(template: str, values: Mapping[str, str]) -> Path:
    """The path, relative to the outputs' folder, of one output.

    Args:
        values: of the FIELDS; `folder` may hold several folders, the others are made fit for a file's name.
    """
    cleaned = {name: value if name == "folder" else clean_name(value) for name, value in values.items()}
    parts = [part for part in template.format(**cleaned).split("/") if part not in ("", ".", "..")]
    return Path(*parts)


def clean_name(name: str) -> str:
    """A name without characters that no file's name may have."""
    return _IN_NAMES.sub("_", name).strip()
