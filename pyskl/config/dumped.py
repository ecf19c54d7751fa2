"""Read the config that a run left in its work dir, without running it.

Such a file is Python, but says no more than ``key = value`` with plain values. Reading it as that
lets whoever looks at many runs, or at a stranger's, look without running anything.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from pyskl.errors import ConfigError

_NAMES = {"inf": math.inf, "nan": math.nan}

# Would let another file run programs, which only the command line may allow.
_NOT_TAKEN = ("trusted",)


def read_dumped_config(text: str, source: str) -> dict[str, Any]:
    """Return what a dumped config says, but for ``trusted``: to trust files is up to who reads it.

    Args:
        text: ``key = value`` a statement, of literals and ``dict(key=value)``, as
            :func:`pyskl.config.config_text` and the family's tools write it.
        source: Where it came from, for messages.

    Raises:
        ConfigError: if it says anything else; what a person wrote has to be loaded, which runs it
            (:func:`pyskl.config.load_config`).
    """
    try:
        tree = ast.parse(text)
        found = {}
        for statement in tree.body:
            name, value = _assignment(statement)
            found[name] = _value(value)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{source}: it is no config that a run wrote down ({error})") from error
    return found


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            return target.id, statement.value
    raise ValueError(f"line {statement.lineno} is not 'key = value'")


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        pairs = [(_value(k), _value(v)) for k, v in zip(node.keys, node.values) if k is not None]
        return {key: value for key, value in pairs if key not in _NOT_TAKEN}
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "dict"
        and not node.args
        and all(keyword.arg is not None for keyword in node.keywords)
    ):
        return {
            str(keyword.arg): _value(keyword.value)
            for keyword in node.keywords
            if keyword.arg not in _NOT_TAKEN
        }
    raise ValueError(f"line {node.lineno} has something else than plain values")
