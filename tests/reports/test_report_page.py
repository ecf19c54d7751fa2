"""The page of a report, and its pictures."""

from __future__ import annotations

import io
import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_report import predictions, report
from PIL import Image

from pyskl.drawing.skeleton import Clip
from pyskl.reports.page.confusion import clustered, worst_pairs
from pyskl.reports.page.content import Missing, Predictions, ReportedRun
from pyskl.reports.page.curves import curve_charts
from pyskl.reports.page.gallery import choose_samples, frames_within
from pyskl.reports.page.pictures import report_pictures
from pyskl.reports.page.report_page import report_page
from pyskl.reports.runs import Run

# --- what is shown --------------------------------------------------------------------------------


def test_all_sections_are_on_the_page() -> None:
    found = predictions()
    text = unescape(report_page(report(found, runs=2)))
    for heading in (
        *("Summary", "Config", "Curves", "Classes", "Confusion", "Calibration", "Gallery"),
    ):
        assert f'id="{heading.lower()}-h"' in text
    wrong = int((~found.hits).sum())
    assert f"{300 - wrong} of 300 test samples right, {wrong} wrong" in text
    assert f"{100 * found.hits.mean():.1f} %" in text
    assert f"error {100 * found.reliability.expected_error:.1f} %" in text
    assert "optimizer.lr" in text
    for pair in worst_pairs(found.counts):
        assert f'data-true="{pair.true}" data-predicted="{pair.predicted}"' in text
    cells = json.loads(re.findall(r'id="data-confusion">(.*?)</script>', text)[0])["cells"]
    matrix = np.zeros((6, 6), dtype=int)
    for true, predicted, count in np.reshape(cells, (-1, 3)):
        matrix[true, predicted] = count
    assert np.array_equal(matrix, found.counts)


def test_an_untested_run_has_the_other_sections() -> None:
    missing = [Missing("What needs scores: there is no best_pred.pkl", "python tools/train.py <x>")]
    text = report_page(report(None, missing=missing, weights=""))
    assert "5 of 5 epochs, no scores of test samples" in text
    assert "there is no best_pred.pkl<pre>python tools/train.py &lt;x&gt;</pre>" in text
    assert 'id="curves-h"' in text
    for heading in ("classes", "confusion", "calibration", "gallery"):
        assert f'id="{heading}-h"' not in text


def test_a_run_without_curves_config_or_mistakes() -> None:
    found = predictions(3)
    sure = Predictions(np.eye(6)[found.labels], found.labels, found.sample_ids, found.class_names)
    text = report_page(report(sure, run=Run(Path("work/run"))))
    assert 'id="curves-h"' not in text
    assert 'id="config-h"' not in text
    assert "No class was predicted as another." in text
    assert f"and {6 - len(set(found.labels))} without test samples" in text


# --- which samples, which order -------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 120), st.integers(2, 8), st.integers(0, 60), st.integers(0, 9))
def test_the_gallery_has_mistakes_of_all_pairs_and_confident_hits(
    samples: int, classes: int, number: int, seed: int
) -> None:
    found = predictions(samples, classes, seed=seed)
    chosen = choose_samples(found, number)
    assert len(chosen) == min(number, samples)
    assert len({index for _, index in chosen}) == len(chosen)
    for kind in ("mistake", "hit"):
        indices = [index for one, index in chosen if one == kind]
        assert all(found.hits[index] == (kind == "hit") for index in indices)
        sure = found.confidence[indices]
        assert (np.diff(sure) <= 0).all()
    mistakes = [index for kind, index in chosen if kind == "mistake"]
    wrong = int((~found.hits).sum())
    assert len(mistakes) >= min(wrong, int(0.75 * number))
    assert set(found.mistakes[: len(mistakes) // 2].tolist()) <= set(mistakes)
    pairs = worst_pairs(found.counts)[: len(mistakes) // 2]
    shown = {(int(found.labels[index]), int(found.predicted[index])) for index in mistakes}
    assert {(pair.true, pair.predicted) for pair in pairs} <= shown


@given(st.integers(0, 1000))
def test_worst_pairs_are_the_matrix_without_its_diagonal(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 4, (5, 5))
    pairs = worst_pairs(counts)
    assert sum(pair.count for pair in pairs) == counts.sum() - np.trace(counts)
    assert [pair.count for pair in pairs] == sorted((pair.count for pair in pairs), reverse=True)
    for pair in pairs:
        assert pair.share == pytest.approx(
            counts[pair.true, pair.predicted] / counts[pair.true].sum()
        )


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(3, 30))
def test_clustering_puts_confused_classes_together(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(classes)
    counts = np.diag(np.full(classes, 20))
    for group in np.array_split(shuffled, max(classes // 3, 1)):
        for a in group:
            counts[a, group] += 5
    order = clustered(counts)
    assert sorted(order) == list(range(classes))
    places = np.argsort(order)
    for group in np.array_split(shuffled, max(classes // 3, 1)):
        assert np.ptp(places[group]) == len(group) - 1


def test_few_classes_can_be_clustered() -> None:
    for classes in (1, 2, 3):
        assert sorted(clustered(np.zeros((classes, classes), dtype=int))) == list(range(classes))


def test_long_curves_are_averaged() -> None:
    lines = [
        {"mode": "train", "epoch": epoch, "iter": step, "loss": 2 - epoch - step / 2}
        for epoch in range(1, 501)
        for step in (1, 2)
    ]
    (chart,) = curve_charts([ReportedRun("run", Run(Path("work"), lines=lines))])
    points = chart.lines["run"]
    assert 200 < len(points) <= 300
    assert points[-1][0] == 500
    mean = np.mean([line["loss"] for line in lines])
    assert np.mean([value for _, value in points]) == pytest.approx(mean, rel=0.01)


def test_many_clips_have_fewer_frames() -> None:
    clip = Clip(np.zeros((2, 100, 25, 3)))
    each = 2 * 25 * 3 * 2.7
    assert frames_within([clip] * 10, 10**7) == 64
    frames = frames_within([clip] * 1000, 10**7)
    assert 4 <= frames < 64
    assert 1000 * frames * each <= 10**7
    assert frames_within([Clip(np.zeros((1, 3, 25, 3)))] * 1000, 10**7) == 64


@pytest.mark.slow
def test_the_largest_gallery_fits() -> None:
    found = predictions(1200, 120)
    facts = report(found, gallery=1000, frames=100, persons=2)
    assert len(facts.gallery) == 1000
    assert len(report_page(facts).encode()) < 15_000_000


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "dark"), [("svg", False), ("png", False), ("png", True)])
def test_pictures_of_all_charts_and_samples(kind: Any, dark: bool) -> None:
    facts = report(predictions(name="a <b> & $x^$"), gallery=4, runs=2)
    pictures = dict(report_pictures(facts, kind, dark=dark))
    names = {"curves_loss", "classes", "confusion", "calibration", "gallery/mistake_01"}
    assert {f"{name}.{kind}" for name in (*names, "gallery/hit_01")} <= set(pictures)
    for content in pictures.values():
        if kind == "svg":
            ElementTree.fromstring(content.decode())
            continue
        with Image.open(io.BytesIO(content)) as picture:
            corner = picture.convert("RGB").getpixel((0, 0))
            assert max(corner) < 60 if dark else min(corner) > 240
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
    if kind == "svg":
        assert "a &lt;b&gt; &amp; $x^$ 3" in pictures["classes.svg"].decode()


def test_the_class_chart_has_bars_of_the_accuracies() -> None:
    found = predictions(60, 2)
    picture = dict(report_pictures(report(found, gallery=0), "png"))["classes.png"]
    with Image.open(io.BytesIO(picture)) as image:
        rows = np.asarray(image.convert("RGB")).astype(int)
    blue = (rows[..., 2] > 150) & (rows[..., 0] < 80)
    lengths = np.sort([np.count_nonzero(line) for line in blue if line.any()])
    ratio = np.percentile(lengths, 10) / lengths[-1]
    accuracies = np.sort(found.class_accuracy)
    assert ratio == pytest.approx(accuracies[0] / accuracies[-1], abs=0.02)
