"""Pages in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens HTML in a tab, with options of ``Browser.new_page``.

    The test fails if a script fails or writes to the console, or if the page asks for anything.
    """
    troubles: list[str] = []
    tabs: list[Any] = []

    def open_page(text: str, **options: Any) -> Any:
        path = tmp_path / f"page{len(tabs)}.html"
        path.write_text(text, encoding="utf-8")
        tab = browser.new_page(**options)
        tabs.append(tab)
        tab.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        tab.on("console", lambda line: troubles.append(line.text))
        tab.on(
            "request",
            lambda request: troubles.append(request.url) if request.url != path.as_uri() else None,
        )
        tab.goto(path.as_uri())
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert troubles == []
