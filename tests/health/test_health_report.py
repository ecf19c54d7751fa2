"""The report: figures, JSON, text for a terminal; and what real sets are known to hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from health_defects import DEFECTS
from health_sets import CLASSES, EACH, found, healthy_set

from pyskl.health.examine import examine
from pyskl.health.fix import Change
from pyskl.health.kinds import KINDS
from pyskl.health.raw_annotations import read_raw_annotations
from pyskl.health.report import HealthReport
from pyskl.health.text import MAX_LINES, changes_text, report_text, short_name


def spoilt_report() -> HealthReport:
    """Return a report with many kinds of findings."""
    data = healthy_set()
    for kind, (_, spoil, dims) in DEFECTS.items():
        if dims == 3 and kind not in ("field_forms", "one_class", "structure", "unbalanced"):
            try:
                spoil(data)
            except (ValueError, IndexError, TypeError):
                continue
    report = data.report()
    assert len(report.findings) > 15
    return report


def test_the_figures_of_a_set() -> None:
    data = healthy_set(persons=2)
    data[1]["keypoint"][1] = 0
    data[2]["keypoint"][:, :, 3] = 0
    facts = data.report().statistics
    frames = [sample["total_frames"] for sample in data.samples]
    assert facts.samples == CLASSES * EACH
    assert (facts.joints, facts.coordinates) == (25, 3)
    assert facts.frames == (min(frames), float(np.median(frames)), max(frames))
    assert sum(facts.length_counts) == len(frames)
    assert facts.slots == {2: 24}
    assert facts.persons == {1: 1, 2: 23}
    assert facts.splits == {"train": 18, "val": 6}
    assert facts.overlap == [[18, 0], [0, 6]]
    assert facts.classes["train"] == {0: 6, 1: 6, 2: 6}
    assert facts.classes[""] == {0: 8, 1: 8, 2: 8}
    assert facts.unit.startswith("probably metres")
    rows = sum(2 * count for count in frames) - frames[1]
    assert facts.presence[3] == pytest.approx(1 - 2 * frames[2] / rows)
    assert facts.presence[4] == 1
    there = np.concatenate(
        [sample["keypoint"][sample["keypoint"].any(axis=-1)] for sample in data.samples]
    )
    assert [axis.low for axis in facts.axes] == there.min(axis=0).tolist()
    assert [axis.high for axis in facts.axes] == there.max(axis=0).tolist()


def test_samples_may_have_several_classes() -> None:
    data = healthy_set()
    for index, sample in enumerate(data.samples):
        sample["label"] = [index % 3, 3] if index % 2 else np.array([index % 3])
    report = data.report()
    assert found(report) == {}
    assert report.statistics.classes[""] == {0: 8, 1: 8, 2: 8, 3: 12}


def test_json_holds_every_item() -> None:
    report = spoilt_report()
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert {entry["kind"]: entry["count"] for entry in content["findings"]} == {
        kind: len(names) for kind, names in found(report).items()
    }
    for entry in content["findings"]:
        assert entry["count"] == len(entry["items"])
        assert entry["severity"] == KINDS[entry["kind"]].severity
    assert content["facts"]["joints"] == 25


def test_findings_come_worst_first_and_once() -> None:
    report = spoilt_report()
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    kinds = [finding.kind for finding in report.findings]
    assert len(set(kinds)) == len(kinds)
    assert report.reaches("error")
    assert not healthy_set().report().reaches("note")


def test_text_is_short_and_names_every_kind() -> None:
    report = spoilt_report()
    text = report_text(report)
    assert len(text.splitlines()) <= MAX_LINES
    for finding in report.findings[:10]:
        assert finding.about.title[:30] in text
    healthy = report_text(healthy_set().report())
    assert "healthy: no errors, no warnings, no notes" in healthy


def test_text_obeys_no_name() -> None:
    evil = "\x1b[2J\x07clip\n\u202e" + 200 * "x"
    assert short_name(evil).isprintable()
    assert len(short_name(evil)) <= 60
    data = healthy_set()
    data[1]["frame_dir"] = evil
    data[1]["total_frames"] = 99
    data.extra["label_names"] = [evil]
    data.split["\x1b[31m"] = [evil]
    text = report_text(data.report())
    assert text.replace("\n", "").isprintable()
    assert changes_text([Change("structure", evil, evil)]).replace("\n", "").isprintable()


def test_the_document_lists_every_kind_under_its_severity(repo_root: Path) -> None:
    text = (repo_root / "docs" / "check.md").read_text(encoding="utf-8")
    parts = re.split(r"^### ", text, flags=re.MULTILINE)
    headings = {"error": "Errors", "warning": "Warnings", "note": "Notes"}
    for severity, heading in headings.items():
        (part,) = (part for part in parts if part.startswith(heading))
        rows = [
            f"| `{kind.key}` | {kind.title} | {'yes' if kind.fixed else ''} |"
            for kind in KINDS.values()
            if kind.severity == severity
        ]
        assert [line for line in part.splitlines() if line.startswith("| `")] == rows


# --- real sets ------------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_what_is_known_of_nwucla(shared: Path) -> None:
    report = examine(read_raw_annotations(shared / "data" / "nwucla" / "nwucla.pkl"))
    names = found(report)
    assert len(names["duplicate_across"]) == 95
    assert all(name.startswith(("a02_", "a03_")) for name in names["duplicate_across"])
    assert sorted(names["duplicate_across"]) == sorted(
        read_raw_annotations(shared / "data" / "nwucla" / "nwucla.pkl").split["xview_val_twins"]
    )
    assert len(names["short"]) == 4
    joints = report.find("zero_joints")
    assert joints is not None
    assert {item.name: item.detail[:7] for item in joints.items} == {
        "a04_s01_e01_v01": "6 times",
        "a04_s04_e02_v01": "6 times",
    }
    assert "mixed_scale" not in names
    assert report.statistics.unit.startswith("probably metres")
    assert report.statistics.up == "probably along y: persons are longest there"
    assert report.count("error") == 1


@pytest.mark.shared_data
def test_what_is_known_of_hdm05(shared: Path) -> None:
    report = examine(read_raw_annotations(shared / "data" / "hdm05_11" / "hdm05_11.pkl"))
    assert report.findings == []
    assert report.statistics.unit.startswith("probably inches")
    assert report.statistics.frames == (14, 52.0, 226)
