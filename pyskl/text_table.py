"""Tables of text: rows of words whose columns line up."""

from __future__ import annotations

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Return a line for each row, its columns as wide as their widest word, two blanks between.

    Args:
        rows: All of one length.
        left: How many columns stand to the left; the others, of numbers, to the right.
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
    """Return the lines of :func:`table_lines` as one text.

    Example:
        >>> print(text_table([['joint', '0.9697'], ['all', '1.0000']]))
        joint  0.9697
        all    1.0000
    """
    return "\n".join(table_lines(rows, left=left))
