"""Defects that tests put into a healthy set: one for each kind of finding, and only that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from health_sets import Set

Spoil = Callable[[Set], None]
DEFECTS: dict[str, tuple[int, list[str], Spoil]] = {}
"""By kind: number of coordinates, the names that are to be found, and what spoils the set."""


def defect(kind: str, *names: str, dims: int = 3) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        DEFECTS[kind] = (dims, list(names), spoil)
        return spoil

    return keep


def change(data: Set, index: int, keypoint: np.ndarray) -> None:
    data[index].update(keypoint=keypoint, total_frames=keypoint.shape[1])
    if "keypoint_score" in data[index]:
        data[index]["keypoint_score"] = np.ones(keypoint.shape[:3], np.float32)


@defect("structure", "clip01", "clip02", "#3")
def _(data: Set) -> None:
    data[1]["keypoint"] = data[1]["keypoint"].tolist()
    data[2]["keypoint"] = np.ones((1, 20, 25, 4), np.float32)
    data.samples[3] = "a string"
    data.split["train"].remove("clip03")


@defect("total_frames", "clip01", "clip02")
def _(data: Set) -> None:
    data[1]["total_frames"] += 1
    data[2]["total_frames"] = "20"


@defect("nonfinite", "clip01", "clip20")
def _(data: Set) -> None:
    data[1]["keypoint"][0, 3, 4] = np.nan
    data[20]["keypoint"][0, 5, 6, 0] = np.inf


@defect("label", "clip01", "clip02", "clip03")
def _(data: Set) -> None:
    data[1]["label"], data[2]["label"], data[3]["label"] = -1, "jump", 1.5


@defect("duplicate_ids", "clip01")
def _(data: Set) -> None:
    data[2]["frame_dir"] = "clip01"
    data.split["train"].remove("clip02")


@defect("joints_differ", "clip05")
def _(data: Set) -> None:
    change(data, 5, data[5]["keypoint"][:, :, :17])


@defect("coordinates_differ", "clip05")
def _(data: Set) -> None:
    change(data, 5, 500 + 150 * data[5]["keypoint"][..., :2])
    data[5]["img_shape"] = (1080, 1920)


@defect("scores_partial", "clip05", dims=2)
def _(data: Set) -> None:
    del data[5]["keypoint_score"]


@defect("split_unknown", "nobody")
def _(data: Set) -> None:
    data.split["val"].append("nobody")


@defect("split_empty", "test")
def _(data: Set) -> None:
    data.split["test"] = []


@defect("split_overlap", "clip20")
def _(data: Set) -> None:
    data.split["train"].append("clip20")


@defect("duplicate_across", "clip20", "clip23")
def _(data: Set) -> None:
    change(data, 20, data[2]["keypoint"].copy())
    change(data, 23, data[5]["keypoint"].copy())


@defect("shared_across", "clip20")
def _(data: Set) -> None:
    change(data, 20, data[2]["keypoint"][:, 2:19].copy())


@defect("duplicate_labels", "clip01")
def _(data: Set) -> None:
    change(data, 2, data[1]["keypoint"].copy())


@defect("class_untrained", "3")
def _(data: Set) -> None:
    data[23]["label"] = 3


@defect("one_class", "train")
def _(data: Set) -> None:
    for sample in data.samples:
        sample["label"] = 0


@defect("all_zero", "clip01", "clip02")
def _(data: Set) -> None:
    data[1]["keypoint"][:] = 0
    data[2]["keypoint"][:] = 0


@defect("constant", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"][:] = data[1]["keypoint"][:, :1]


@defect("mostly_empty", "clip01")
def _(data: Set) -> None:
    T = data[1]["total_frames"]
    data[1]["keypoint"][:, 3 : 4 + T // 2] = 0


@defect("short", "clip01")
def _(data: Set) -> None:
    change(data, 1, data[1]["keypoint"][:, :7])


@defect("person_jumps", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"][:, 10:] += 3


@defect("mixed_scale", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"] *= 1000


@defect("score_range", "clip01", dims=2)
def _(data: Set) -> None:
    data[1]["keypoint_score"] *= 100


@defect("no_img_shape", "clip01", dims=2)
def _(data: Set) -> None:
    del data[1]["img_shape"]


@defect("outside_image", "clip01", dims=2)
def _(data: Set) -> None:
    data[1]["keypoint"][..., 0] += 1000
    data[1]["img_shape"] = (1920, 1080)


@defect("normalised", *(f"clip{i:02}" for i in range(24)), dims=2)
def _(data: Set) -> None:
    for sample in data.samples:
        sample["keypoint"] = (sample["keypoint"] - (960, 540)) / np.float32(960)
        sample["keypoint"] = sample["keypoint"].astype(np.float32)


@defect("dtype_differ", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"] = data[1]["keypoint"].astype(np.float64)


@defect("dead_joints", "7")
def _(data: Set) -> None:
    for sample in data.samples:
        sample["keypoint"][:, :, 7] = 0


@defect("float16_coarse", "float16")
def _(data: Set) -> None:
    for sample in data.samples:
        sample["keypoint"] = (sample["keypoint"] + 200).astype(np.float16)


@defect("duplicate_training", "clip04")
def _(data: Set) -> None:
    change(data, 4, data[1]["keypoint"].copy())


@defect("split_repeats", "clip01")
def _(data: Set) -> None:
    data.split["train"].append("clip01")


@defect("label_gap", "2")
def _(data: Set) -> None:
    for sample in data.samples:
        sample["label"] += sample["label"] == 2


@defect("label_names", "2")
def _(data: Set) -> None:
    data.extra["label_names"] = ["sit", "stand"]


@defect("duplicate_test", "clip21")
def _(data: Set) -> None:
    change(data, 21, data[18]["keypoint"].copy())


@defect("shared_frames", "clip05")
def _(data: Set) -> None:
    change(data, 5, data[2]["keypoint"][:, 1:18].copy())


@defect("empty_ends", "clip01", "clip02")
def _(data: Set) -> None:
    data[1]["keypoint"][:, :2] = 0
    data[2]["keypoint"][:, -1:] = 0


@defect("empty_frames", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"][:, 5:7] = 0


@defect("empty_slots", "clip01")
def _(data: Set) -> None:
    keypoint = data[1]["keypoint"]
    change(data, 1, np.concatenate([keypoint, np.zeros_like(keypoint)]))


@defect("zero_joints", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"][0, 4, 5] = 0


@defect("joint_jumps", "clip01")
def _(data: Set) -> None:
    data[1]["keypoint"][0, 4, 5] += 4


@defect("repeated_frames", "clip01")
def _(data: Set) -> None:
    change(data, 1, np.repeat(data[1]["keypoint"][:, :15], 2, axis=1))


@defect("length", "clip01")
def _(data: Set) -> None:
    rng = np.random.default_rng(1)
    drift = rng.normal(0, 0.01, (1, 400, 25, 3)).astype(np.float32)
    change(data, 1, data[1]["keypoint"][:, :1] + drift)


@defect("no_scores", *(f"clip{i:02}" for i in range(24)), dims=2)
def _(data: Set) -> None:
    for sample in data.samples:
        del sample["keypoint_score"]


@defect("unlisted", "clip01")
def _(data: Set) -> None:
    data.split["train"].remove("clip01")


@defect("class_missing", "2")
def _(data: Set) -> None:
    data[20]["label"] = data[23]["label"] = 1


@defect("unbalanced", "train")
def _(data: Set) -> None:
    for index in range(17):
        data[index]["label"] = 0
    for index in range(17, 24):
        data[index]["label"] = index % 2
