"""Find the layout that a config names or describes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyskl.errors import ConfigError, did_you_mean
from pyskl.skeleton.builtin import ALIASES, LAYOUTS
from pyskl.skeleton.checks import LayoutError
from pyskl.skeleton.files import SUFFIX, read_layout_file
from pyskl.skeleton.layout import SkeletonLayout

_FIELDS = tuple(SkeletonLayout.__dataclass_fields__)
_REQUIRED = ("num_joints", "edges", "center")
# Keys of PYSKL → ours.
_PYSKL_KEYS = {"num_node": "num_joints", "inward": "edges", "joints": "joint_names"}
_BASE = "base"


def resolve_layout(
    layout: str | os.PathLike[str] | Mapping[str, Any] | SkeletonLayout,
) -> SkeletonLayout:
    """Return the layout that a config names or describes.

    Args:
        layout: The name of a built-in layout, the path of a ``.json`` file (relative to the working
            directory), a layout, or a mapping of the arguments of :class:`SkeletonLayout`. A
            mapping or file may use PYSKL's ``num_node``, ``inward`` and ``joints`` for
            ``num_joints``, ``edges`` and ``joint_names``; ``name`` is optional. ``base``, the name
            of a built-in layout, supplies the other keys; ``edges`` without ``bones`` set both.

    Raises:
        ConfigError: for an unknown name, or for an invalid mapping or file
            (:class:`LayoutError`, with the list of problems).

    Example:
        >>> resolve_layout('coco').num_joints
        17
        >>> resolve_layout(dict(num_node=2, inward=[(1, 0)], center=0)).name
        'custom'
        >>> resolve_layout(dict(base='mediapipe', dim=2)).num_joints
        33
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, (str, os.PathLike)):
        name = os.fspath(layout)
        if str(name).lower().endswith(SUFFIX):
            path = Path(name)
            return _from_mapping(read_layout_file(path), path.stem, file=str(path))
        return _built_in(str(name))
    if not isinstance(layout, Mapping):
        raise ConfigError(
            "a skeleton layout is a name, the path of a .json file, a dict or a SkeletonLayout, "
            f"found {type(layout).__name__}: {layout!r}"
        )
    return _from_mapping(layout, "custom")


def inlined(layout: Any) -> Any:
    """Return a config's layout with the path of a file replaced by the file's content.

    Packs store the result, so they are made again when the file changes.

    Raises:
        ConfigError: if the file can't be read.

    Example:
        >>> inlined('coco')
        'coco'
    """
    if isinstance(layout, (str, os.PathLike)) and str(layout).lower().endswith(SUFFIX):
        return {"name": Path(layout).stem, **read_layout_file(Path(layout))}
    return layout


def find_problems(
    layout: str | os.PathLike[str] | Mapping[str, Any] | SkeletonLayout,
) -> list[str]:
    """Return all problems of a layout, which is given as for :func:`resolve_layout`.

    Raises:
        ConfigError: for a name or file that does not exist, or a file that is not valid JSON.

    Example:
        >>> find_problems(dict(num_joints=3, edges=[(1, 0)], center=0))[0]
        'edges does not link the joints 2 to the centre'
    """
    try:
        resolve_layout(layout)
    except LayoutError as error:
        return list(error.problems)
    return []


def _built_in(name: str) -> SkeletonLayout:
    found = LAYOUTS.get(ALIASES.get(name, name))
    if found is None:
        raise ConfigError(
            f"there is no skeleton layout {name!r}{did_you_mean(name, (*LAYOUTS, *ALIASES))}; a "
            "layout of your own is given as a dict with num_joints, edges and center, or as the "
            "path of a .json file that holds one"
        )
    return found


def _from_mapping(layout: Mapping[str, Any], name: str, *, file: str = "") -> SkeletonLayout:
    """Return the layout that a mapping describes.

    Args:
        layout: The mapping.
        name: The default name.
        file: The file that it was read from, for messages.
    """
    values: dict[str, Any] = {}
    problems = []
    for key, value in layout.items():
        field = _PYSKL_KEYS.get(key, key)
        if field not in (*_FIELDS, _BASE):
            problems.append(
                f"unknown key {key!r}{did_you_mean(str(key), (*_FIELDS, _BASE, *_PYSKL_KEYS))}"
            )
        elif field in values:
            problems.append(f"{field} is given twice (also as {key!r})")
        else:
            values[field] = value
    if _BASE in values:
        values = _over_base(values, file)
    name = str(values.setdefault("name", name))
    missing = [field for field in _REQUIRED if field not in values]
    if missing:
        problems.append(f"needs {', '.join(missing)}")
    if problems:
        raise LayoutError.of(name, problems, file=file)
    try:
        return SkeletonLayout(**values)
    except LayoutError as error:
        raise LayoutError.of(name, error.problems, file=file) from error


def _over_base(values: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return the fields of the base, overridden by those of the mapping."""
    base = values[_BASE]
    where = f"{file}: " if file else ""
    if not isinstance(base, str) or base.lower().endswith(SUFFIX):
        raise ConfigError(
            f"{where}base of a skeleton layout is the name of a built-in one, found {base!r}"
        )
    try:
        below = _built_in(base)
    except ConfigError as error:
        raise ConfigError(f"{where}base: {error}") from error
    fields = {field: getattr(below, field) for field in _FIELDS}
    if "edges" in values:
        del fields["bones"]
    return {**fields, **{key: value for key, value in values.items() if key != _BASE}}
