"""Where a data set is not what a config expects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from health_sets import CLASSES, Set, found, healthy_set

from pyskl.health.examine import examine
from pyskl.health.expectations import ConfigExpectations, DatasetUse
from pyskl.health.kinds import KINDS
from pyskl.health.raw_annotations import RawAnnotations
from pyskl.skeleton import LAYOUTS, SkeletonLayout

TRAIN = DatasetUse("data.train.dataset", split="train", clip_len=8, num_person=1)
VAL = DatasetUse("data.val", split="val", clip_len=8, num_person=1)

# The bodies of the healthy set are a bag of joints: no two bones of it are alike.
LAYOUT = SkeletonLayout("bag", 25, edges=[(joint, 0) for joint in range(1, 25)], center=0)
FITTING = ConfigExpectations("config.py", layout=LAYOUT, num_classes=CLASSES, uses=(TRAIN, VAL))


def against(expected: ConfigExpectations, data: Set | None = None) -> dict[str, list[str]]:
    return found((data or healthy_set()).report(expected))


def test_a_set_as_expected_has_no_findings() -> None:
    assert against(FITTING) == {}


def test_every_difference_is_found_by_its_kind() -> None:
    findings = {
        "config_errors": against(replace(FITTING, config_errors=("model: is missing",))),
        "config_refused": against(replace(FITTING, config={"data": {"train": {"ann_file": "x"}}})),
        "config_split": against(replace(FITTING, uses=(TRAIN, replace(VAL, split="vol")))),
        "config_joints": against(replace(FITTING, layout=LAYOUTS["openpose"])),
        "config_coordinates": against(replace(FITTING, layout=_of(17)), healthy_set(dims=2)),
        "config_classes": against(replace(FITTING, num_classes=2)),
        "config_long": against(replace(FITTING, uses=(replace(TRAIN, pad_to=30), VAL))),
        "config_unused_classes": against(replace(FITTING, num_classes=4)),
        "config_persons": against(FITTING, healthy_set(persons=2)),
        "config_spare_persons": against(replace(FITTING, uses=(replace(TRAIN, num_person=2), VAL))),
        "config_short": against(replace(FITTING, uses=(TRAIN, replace(VAL, clip_len=30)))),
        "config_mirror": against(replace(FITTING, layout=_mirrored())),
    }
    assert set(findings) == {kind for kind in KINDS if kind.startswith("config_")}
    data = healthy_set()
    frames = {sample["frame_dir"]: sample["total_frames"] for sample in data.samples}
    train, val = data.split["train"], data.split["val"]
    labels = {sample["frame_dir"]: sample["label"] for sample in data.samples}
    assert findings == {
        "config_errors": {"config_errors": ["model: is missing"]},
        "config_refused": {"config_refused": ["data.train.type: is missing; it names the dataset"]},
        "config_split": {"config_split": ["vol"]},
        "config_joints": {"config_joints": ["openpose"]},
        "config_coordinates": {"config_coordinates": ["some"]},
        "config_classes": {"config_classes": [name for name in frames if labels[name] == 2]},
        "config_long": {"config_long": [name for name in train if frames[name] > 30]},
        "config_unused_classes": {"config_unused_classes": ["3"]},
        "config_persons": {"config_persons": list(frames)},
        "config_spare_persons": {"config_spare_persons": [TRAIN.key]},
        "config_short": {"config_short": [name for name in val if frames[name] < 30]},
        "config_mirror": {"config_mirror": ["1 and 24"]},
    }


def _of(joints: int) -> SkeletonLayout:
    edges = [(joint, 0) for joint in range(1, joints)]
    return SkeletonLayout("some", joints, edges=edges, center=0)


def _mirrored() -> SkeletonLayout:
    """Return a layout that takes a joint near the feet and one at the head for mirror images."""
    return SkeletonLayout("bag", 25, LAYOUT.edges, center=0, left=[1], right=[24])


def test_joints_in_another_order_are_found_by_their_names() -> None:
    expected = replace(FITTING, layout=LAYOUTS["nturgb+d"])
    names = LAYOUTS["nturgb+d"].joint_names
    for stated, differ in ((names, False), (names[::-1], True), ((), False)):
        data = healthy_set()
        file = RawAnnotations(
            Path("a.pkl"), data.samples, data.split, {"joint_names": list(stated)}
        )
        finding = examine(file, expected).find("config_joints")
        assert (finding is not None and "another order" in finding.items[0].detail) == differ


def test_joints_of_flip_are_those_of_the_data() -> None:
    expected = replace(FITTING, uses=(replace(TRAIN, flipped=(3, 25)), VAL))
    assert against(expected) == {"config_joints": [TRAIN.key]}


def test_splits_of_any_name_belong_together_if_the_config_says_so() -> None:
    data = healthy_set()
    data.split = {"one": data.split["train"], "two": data.split["val"]}
    data[20]["keypoint"] = data[2]["keypoint"]
    data[20]["total_frames"] = data[2]["total_frames"]
    assert found(data.report()) == {}
    expected = replace(FITTING, uses=(replace(TRAIN, split="one"), replace(VAL, split="two")))
    assert against(expected, data) == {"duplicate_across": ["clip20"]}


def test_labels_are_counted_in_the_splits_that_the_config_reads() -> None:
    data = healthy_set()
    for sample in data.samples:
        sample["label"] += 3 * (sample["frame_dir"] in data.split["val"])
    data.split["other"] = data.split.pop("val")
    expected = replace(FITTING, uses=(TRAIN,))
    assert "config_classes" not in against(expected, data)
    assert "config_classes" in against(replace(FITTING, uses=(replace(TRAIN, split=None),)), data)


def test_the_layout_names_the_joints_of_findings() -> None:
    data = healthy_set()
    for sample in data.samples:
        sample["keypoint"][:, :, 20] = 0
    expected = replace(FITTING, layout=LAYOUTS["nturgb+d"])
    report = data.report(expected)
    assert report.statistics.joint_names == list(LAYOUTS["nturgb+d"].joint_names)
    finding = report.find("dead_joints")
    assert finding is not None
    assert (finding.items[0].name, finding.items[0].detail) == ("20", "spine_shoulder")


def test_the_layout_tells_which_way_is_up() -> None:
    data = healthy_set()
    for sample in data.samples:
        sample["keypoint"] = np.ascontiguousarray(sample["keypoint"][..., [0, 2, 1]])
        sample["keypoint"][..., 2] *= -1
    report = data.report(replace(FITTING, layout=SkeletonLayout(
        "bag", 25, LAYOUT.edges, center=0, spine=(0, 24))))  # fmt: skip
    assert report.statistics.up.startswith("probably -z")
