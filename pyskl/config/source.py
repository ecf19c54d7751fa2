"""What a config file's text says about its names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{\{\s*_base_\.(\w+)")


def unread_names(path: str | Path) -> set[str]:
    """Return the top-level names that a config file and its bases assign but never read.

    Helper variables (``ann_file``, ``train_pipeline``) are read somewhere; a misspelt key is not.
    Files other than Python can't be said anything of: for them the set is empty.
    """
    assigned: set[str] = set()
    read: set[str] = set()
    for file in config_files(path):
        tree = _parsed(file)
        read.update(_PLACEHOLDER.findall(file.read_text(encoding="utf-8")))
        read.update(_names_read(tree))
        for names, _ in _assignments(tree):
            assigned.update(names)
    return assigned - read - {"_base_"}


def config_files(path: str | Path) -> list[Path]:
    """Return a Python config and the Python files that it is based on, itself first."""
    found: list[Path] = []
    waiting = [Path(path)]
    while waiting:
        file = waiting.pop(0).resolve()
        if file in found or file.suffix != ".py" or not file.is_file():
            continue
        found.append(file)
        for names, value in _assignments(_parsed(file)):
            if names == ["_base_"]:
                waiting += [file.parent / base for base in _base_files(value)]
    return found


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except SyntaxError:  # whoever runs the file will say so; here there are no names in it
        return ast.Module(body=[], type_ignores=[])


def _names_read(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and _is_base(node.value):
            yield node.attr
        elif (
            isinstance(node, ast.Subscript)
            and _is_base(node.value)
            and isinstance(node.slice, ast.Constant)
        ):
            yield str(node.slice.value)


def _is_base(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "_base_"


def _assignments(tree: ast.Module) -> Iterator[tuple[list[str], ast.expr]]:
    """Yield the names and the value of each assignment at the top level."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield _names_of(target), statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield _names_of(statement.target), statement.value


def _names_of(target: ast.expr) -> list[str]:
    """Return the names that an assignment to ``target`` makes, not those it reads."""
    return [
        node.id
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _base_files(node: ast.expr) -> list[str]:
    try:
        bases = ast.literal_eval(node)
    except ValueError:
        return []
    return [bases] if isinstance(bases, str) else list(bases)
