"""Text tables with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return one line per row, with columns of equal width, separated by two spaces.

    Args:
        rows: Rows of equal length.
        left: How many columns are left-aligned; the others are right-aligned.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) if column < left else word.rjust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def text_table(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return the lines of :func:`table_lines` as one string.

    Example:
        >>> print(text_table([['joint', '0.9697'], ['all', '1.0000']]))
        joint  0.9697
        all    1.0000
    """
    return "\n".join(table_lines(rows, left=left))
