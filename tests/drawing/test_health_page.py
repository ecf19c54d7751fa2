"""The page of a health report: complete, escaped, small, and alive in a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyskl.health.examine import examine
from pyskl.health.fix import Change
from pyskl.health.kinds import KINDS
from pyskl.health.page import health_page
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.health.report import Finding, HealthReport, Item, sorted_findings

EVIL = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>\"'&"


def small_report(name: str = "clip", label_name: str = "sit") -> HealthReport:
    """Return the report of a set with duplicates, shared frames, absent joints and odd names."""
    rng = np.random.default_rng(0)
    samples = []
    for index in range(12):
        T = 40 + index
        keypoint = np.cumsum(rng.normal(0, 0.01, (2, T, 25, 3)), axis=1).astype(np.float32)
        keypoint[:, :, 7] = 0
        keypoint[1, index:] = 0
        samples.append(
            dict(frame_dir=f"{name}{index}", label=index % 3, total_frames=T, keypoint=keypoint)
        )
    for to, of, cut in ((9, 0, slice(None)), (10, 1, slice(3, 30))):
        keypoint = samples[of]["keypoint"][:, cut]
        samples[to].update(keypoint=keypoint, total_frames=keypoint.shape[1])
    samples[2]["total_frames"] = 1
    ids = [sample["frame_dir"] for sample in samples]
    split = {"xsub_train": ids[:8], "xsub_val": ids[8:], label_name: ids[:2]}
    return examine(
        RawAnnotations(Path(f"{name[:40]}.pkl"), samples, split, {"label_names": [label_name]})
    )


def test_everything_of_a_report_is_on_the_page() -> None:
    report = small_report()
    text = unescape(health_page(report))
    kinds = [finding.kind for finding in report.findings]
    assert {"total_frames", "duplicate_across", "shared_across", "dead_joints"} <= set(kinds)
    for finding in report.findings:
        assert finding.about.title in text
        assert finding.about.meaning in text
        assert finding.about.remedy in text
        for item in finding.items:
            assert item.name in text
            assert item.detail in text
    for axis in report.statistics.axes:
        assert f"{axis.low:.4g}" in text
    for heading in ("Splits", "Classes", "Length and persons", "Coordinates", "Joints"):
        assert f'<h2 id="{heading.lower().replace(" ", "-")}-h">' in text
    assert "window" not in health_page(report).split("</script>", 1)[1]  # no script but the page's


def test_a_healthy_or_unreadable_set_has_a_page_too() -> None:
    empty = examine(RawAnnotations(Path("a.pkl"), ["nonsense"], None))
    text = health_page(empty)
    assert "1 error" in text
    assert "The file has no splits." in text
    assert "No sample has a label." in text
    healthy = replace(small_report(), findings=[])
    assert "healthy: no errors" in health_page(healthy)


def test_the_cleaned_copy_is_told_of() -> None:
    report = small_report()
    after = replace(report, path="fixed.pkl", findings=[])
    text = health_page(report, [Change("all_zero", "clip1", "dropped: all is zero")], after)
    assert "fixed.pkl: healthy" in text
    assert "dropped: all is zero" in text
    assert "Nothing was changed." in health_page(report, [], after)


def test_the_page_of_a_large_set_stays_small() -> None:
    report = small_report()
    items = [Item(f"S001C001P001R001A{n:03}" * 2, "a detail of some length") for n in range(60_000)]
    report.findings = sorted_findings(Finding(kind, items) for kind in KINDS)
    report.statistics.classes = {
        split: dict.fromkeys(range(120), 500)
        for split in ("", "xsub_train", "xsub_val", "xset_train", "xset_val")
    }
    report.statistics.splits = dict.fromkeys(list(report.statistics.classes)[1:], 30_000)
    report.statistics.overlap = [[1000] * 4] * 4
    changes = [Change("structure", item.name, item.detail) for item in items]
    assert len(health_page(report, changes, report)) < 1_000_000


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def open_report(open_page: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens a report; see ``open_page``."""
    return lambda report, **options: open_page(health_page(report), **options)


def test_names_of_samples_splits_and_classes_run_nothing(open_report: Callable[..., Any]) -> None:
    tab = open_report(small_report(EVIL, EVIL))
    assert tab.evaluate("window.hit") is None
    assert tab.locator("img").count() == 0
    assert tab.locator("#finding-total_frames ~ details td").first.text_content() == f"{EVIL}2"
    assert EVIL in tab.locator("#splits").text_content()


def test_findings_sort_by_severity_and_lead_to_their_part(open_report: Callable[..., Any]) -> None:
    report = small_report()
    tab = open_report(report)
    severities = "#findings table:first-of-type tbody td:first-child"
    overview = tab.locator("#findings table").first
    overview.locator("th button").first.click()
    first = overview.locator("tbody td:first-child").all_text_contents()
    assert first == [finding.severity for finding in report.findings], severities
    overview.locator("th button").first.click()
    assert overview.locator("tbody td:first-child").all_text_contents() == first[::-1]
    overview.locator("th button").nth(1).click()
    counts = [int(text) for text in overview.locator("tbody td:nth-child(2)").all_text_contents()]
    assert counts == sorted(len(finding.items) for finding in report.findings)
    for link in overview.locator("a").all():
        target = link.get_attribute("href")
        assert tab.locator(target).count() == 1
    tab.locator("#findings details summary").first.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_the_window_in_light_and_dark(
    open_report: Callable[..., Any], scheme: str, width: int
) -> None:
    tab = open_report(
        small_report("long" * 30), color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    for summary in tab.locator("details:not([open]) > summary").all():
        summary.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    outside = tab.evaluate(
        "[...document.querySelectorAll('svg.chart')].filter("
        "chart => chart.getBoundingClientRect().right > innerWidth).length"
    )
    assert outside == 0
    clipped = tab.evaluate(
        "[...document.querySelectorAll('svg.chart text')].filter(text => {"
        "  const [box, frame] = [text.getBoundingClientRect(),"
        "                        text.ownerSVGElement.getBoundingClientRect()];"
        "  return box.left < frame.left - 1 || box.right > frame.right + 1;"
        "}).map(text => text.textContent)"
    )
    assert clipped == []
