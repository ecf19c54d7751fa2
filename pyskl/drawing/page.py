"""Self-contained HTML pages: one file, no network requests, light and dark themes.

A ``Content-Security-Policy`` forbids all requests, also those of text from a data set or a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Section:
    """A section of a page, with an entry in the menu.

    Attributes:
        heading: Plain text.
        body: HTML.
        anchor: The fragment of links to it, by default made from the heading.
    """

    heading: str
    body: str
    anchor: str = ""

    @property
    def identity(self) -> str:
        """The id of the section's element."""
        return self.anchor or "".join(
            letter if letter.isalnum() else "-" for letter in self.heading.lower()
        ).strip("-")


@dataclass(frozen=True)
class Cell:
    """A table cell with HTML content.

    Attributes:
        html: The content, already escaped.
        value: The value to sort by.
    """

    html: str
    value: str | float


def page(
    title: str,
    sections: Sequence[Section],
    *,
    styles: Iterable[str] = (),
    scripts: Iterable[str] = (),
    data: Mapping[str, Any] | None = None,
) -> str:
    """Return a self-contained HTML page.

    Args:
        title: Plain text.
        sections: The sections, in order.
        styles: Additional CSS.
        scripts: Additional JavaScript, run after the page has been parsed.
        data: Values by name, which scripts read with
            ``JSON.parse(document.getElementById('data-NAME').textContent)``.

    Example:
        >>> page('Runs', [Section('Summary', '<p>One.</p>')]).startswith('<!doctype html>')
        True
    """
    menu = "".join(
        f'<li><a href="#{section.identity}">{escape(section.heading)}</a></li>'
        for section in sections
    )
    body = "\n".join(
        f'<section id="{section.identity}" aria-labelledby="{section.identity}-h">'
        f'<h2 id="{section.identity}-h">{escape(section.heading)}</h2>\n{section.body}\n</section>'
        for section in sections
    )
    style = "\n".join((asset("page.css"), *styles))
    blocks = "".join(
        f'<script type="application/json" id="data-{name}">{script_json(value)}</script>\n'
        for name, value in (data or {}).items()
    )
    code = "".join(f"<script>{script}</script>\n" for script in scripts)
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n"
        f"<script>{asset('page.js')}</script>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n"
        f'<nav aria-label="Sections"><ul>{menu}</ul></nav>\n'
        '<button id="theme" type="button">Light or dark</button></header>\n'
        f"<main>\n{body}\n</main>\n{blocks}{code}</body>\n</html>\n"
    )


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    sortable: bool = False,
) -> str:
    """Return an HTML table; columns of numbers are right-aligned.

    Args:
        headers: One for each column.
        rows: Plain values, which are escaped, or cells. Floats are shown with four digits, None as
            a dash.
        caption: Shown above the table.
        sortable: Whether a click on a header sorts by that column.
    """
    listed = [list(row) for row in rows]
    numeric = [
        bool(listed) and all(isinstance(row[column], (int, float, type(None))) for row in listed)
        for column in range(len(headers))
    ]
    head = "".join(
        f'<th scope="col"{" class=number" if number else ""}>'
        + (f'<button type="button">{escape(header)}</button>' if sortable else escape(header))
        + "</th>"
        for header, number in zip(headers, numeric)
    )
    body = "\n".join(
        "<tr>" + "".join(_cell(value, number) for value, number in zip(row, numeric)) + "</tr>"
        for row in listed
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<div class="scroll"><table{kind}>{title}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: object, number: bool) -> str:
    kind = "number" if number else "text"
    if value is None:
        return f'<td class="{kind}">&ndash;</td>'
    if isinstance(value, Cell):
        return f'<td class="{kind}" data-value="{escape(str(value.value))}">{value.html}</td>'
    if isinstance(value, float):
        return f'<td class="{kind}" data-value="{value!r}">{value:.4g}</td>'
    return f'<td class="{kind}">{escape(str(value))}</td>'


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a ``<script>`` element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


@cache
def asset(name: str) -> str:
    """Return the text of a file of this package, such as ``'page.css'``."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@cache
def palette(*, dark: bool = False) -> dict[str, str]:
    """Return the colours of pages as ``#rrggbb`` by role, read from ``page.css``.

    Example:
        >>> palette()['ground'], palette(dark=True)['ground']
        ('#ffffff', '#15181c')
    """
    selector = ":root[data-theme='dark'] {" if dark else ":root {"
    block = asset("page.css").partition(selector)[2].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
