"""Find unused names in a Python config: they may be misspelt keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{\{\s*_base_\.(\w+)")


def unread_names(path: str | Path) -> set[str]:
    """Return the top-level names that a Python config and its bases assign but never read."""
    assigned: set[str] = set()
    read = {"_base_"}
    for file in config_files(path):
        tree = _parse(file)
        read.update(_PLACEHOLDER.findall(file.read_text(encoding="utf-8")))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                read.add(node.id)
            elif isinstance(node, (ast.Attribute, ast.Subscript)) and (
                isinstance(node.value, ast.Name) and node.value.id == "_base_"
            ):  # _base_.name, _base_['name']
                if isinstance(node, ast.Attribute):
                    read.add(node.attr)
                elif isinstance(node.slice, ast.Constant):
                    read.add(str(node.slice.value))
        for names, _ in _assignments(tree):
            assigned.update(names)
    return assigned - read


def config_files(path: str | Path) -> list[Path]:
    """Return the path of a Python config, then those of its Python bases."""
    found: list[Path] = []
    waiting = [Path(path)]
    while waiting:
        file = waiting.pop(0).resolve()
        if file in found or file.suffix != ".py" or not file.is_file():
            continue
        found.append(file)
        for names, value in _assignments(_parse(file)):
            if names == ["_base_"]:
                try:
                    bases = ast.literal_eval(value)
                except ValueError:
                    continue
                bases = [bases] if isinstance(bases, str) else list(bases)
                waiting += [file.parent / base for base in bases]
    return found


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except SyntaxError:  # reported when the file is run
        return ast.Module(body=[], type_ignores=[])


def _assignments(tree: ast.Module) -> Iterator[tuple[list[str], ast.expr]]:
    """Yield the names and the value of each assignment at the top level."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            names = [
                node.id
                for node in ast.walk(target)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
            yield names, statement.value  # type: ignore[misc]
