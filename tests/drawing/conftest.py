"""Pages in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder that need a browser as slow."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "browser" in item.fixturenames:  # type: ignore[attr-defined]
            item.add_marker("slow")


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens HTML (or the text of another kind of file) in a tab.

    Options are those of ``Browser.new_page``. The test fails if a script fails or writes to the
    console, or if the page requests anything.
    """
    troubles: list[str] = []
    tabs: list[Any] = []

    def open_page(text: str, suffix: str = ".html", **options: Any) -> Any:
        path = tmp_path / f"page{len(tabs)}{suffix}"
        path.write_text(text, encoding="utf-8")
        tab = browser.new_page(**options)
        tabs.append(tab)
        tab.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        tab.on("console", lambda line: troubles.append(line.text))
        allowed = (path.as_uri(), "data:")
        tab.on(
            "request",
            lambda request: (
                None if request.url.startswith(allowed) else troubles.append(request.url)
            ),
        )
        tab.goto(path.as_uri())
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert troubles == []
