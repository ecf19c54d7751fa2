"""What a config file's text says about its names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{\{\s*_base_\.(\w+)")


def unread_names(path: str | Path) -> set[str]:
    """Return the top-level names that a config file and its bases assign but never read.

    Helper variables (``ann_file``, ``train_pipeline``) are read somewhere; a misspelt key is not.
    Files other than Python have no helper variables: their names are all returned by the caller's
    comparison with the known keys, so this returns an empty set for them.
    """
    assigned: set[str] = set()
    read: set[str] = set()
    _scan(Path(path), assigned, read, seen=set())
    return assigned - read


def _scan(path: Path, assigned: set[str], read: set[str], seen: set[Path]) -> None:
    path = path.resolve()
    if path in seen or path.suffix != ".py" or not path.is_file():
        return
    seen.add(path)
    text = path.read_text(encoding="utf-8")
    read.update(_PLACEHOLDER.findall(text))
    try:
        tree = ast.parse(text)
    except SyntaxError:  # placeholders such as {{ fileDirname }}; nothing can be said of the names
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            read.add(node.id)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "_base_"
        ):
            read.add(node.attr)
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
                assigned.update(name for name in names if name != "_base_")
                if names == ["_base_"]:
                    for base in _base_files(statement.value):
                        _scan(path.parent / base, assigned, read, seen)


def _base_files(node: ast.expr) -> list[str]:
    try:
        bases = ast.literal_eval(node)
    except ValueError:
        return []
    return [bases] if isinstance(bases, str) else list(bases)
