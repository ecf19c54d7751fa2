"""Defects to put into a healthy set: one for each kind of finding, which causes only that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from health_sets import Set

Spoil = Callable[[Set], None]
EVERYBODY = [f"clip{index:02}" for index in range(24)]


class Defect(NamedTuple):
    """The names that are found, what spoils a healthy set, and its number of coordinates."""

    names: list[str]
    spoil: Spoil
    dims: int = 3


def keypoints(*changes: tuple[int, Callable[[np.ndarray], np.ndarray]]) -> Spoil:
    """Return a function that replaces the keypoints of samples."""

    def spoil(data: Set) -> None:
        for index, change in changes:
            keypoint = change(data[index]["keypoint"].copy())
            data[index].update(keypoint=keypoint, total_frames=keypoint.shape[1])
            if "keypoint_score" in data[index]:
                data[index]["keypoint_score"] = np.ones(keypoint.shape[:3], np.float32)

    return spoil


def everywhere(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Return a function that replaces the keypoints of all samples, but not the scores."""

    def spoil(data: Set) -> None:
        for sample in data.samples:
            sample["keypoint"] = change(sample["keypoint"].copy())

    return spoil


def put(place: Any, value: float, *, add: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that sets (or changes) some values of keypoints."""

    def change(keypoint: np.ndarray) -> np.ndarray:
        keypoint[place] = keypoint[place] + value if add else value
        return keypoint

    return change


def copies(*pairs: tuple[int, int], cut: slice = slice(None)) -> Spoil:
    """Return a function that makes samples copies (or cuts) of others."""
    return lambda data: keypoints(
        *((to, lambda _, of=of: data[of]["keypoint"][:, cut].copy()) for to, of in pairs)  # type: ignore[misc]
    )(data)


def fields(key: str, values: Mapping[int, Any]) -> Spoil:
    """Return a function that sets a field of samples; None deletes it."""

    def spoil(data: Set) -> None:
        for index, value in values.items():
            data[index][key] = value
            if value is None:
                del data[index][key]

    return spoil


def listed(split: str, *names: str) -> Spoil:
    """Return a function that adds ids to a split, which may be new."""
    return lambda data: data.split.setdefault(split, []).extend(names)


def relabelled(label: Callable[[int, int], int]) -> Spoil:
    """Return a function that sets all labels by index and label."""

    def spoil(data: Set) -> None:
        for index, sample in enumerate(data.samples):
            sample["label"] = label(index, sample["label"])

    return spoil


def _structure(data: Set) -> None:
    data[1]["keypoint"] = [data[1]["keypoint"].tolist(), []]
    data[2]["keypoint"] = np.ones((1, 20, 25, 4), np.float32)
    data.samples[3] = "a string"
    data.split["train"].remove("clip03")


def _axes(data: Set) -> None:
    for index, order in ((1, (1, 0, 2, 3)), (2, (3, 1, 2, 0))):
        data[index]["keypoint"] = data[index]["keypoint"].transpose(order)


def _forms(data: Set) -> None:
    data[1]["keypoint"] = data[1]["keypoint"].tolist()
    data[2].update(keypoint_score=None, label=np.array(data[2]["label"]))
    data[3].update(img_shape="", total_frames=float(data[3]["total_frames"]))


def _coordinates(data: Set) -> None:
    keypoints((5, lambda k: 500 + 150 * k[..., :2]))(data)
    data[5]["img_shape"] = (1080, 1920)


def _swapped_image(data: Set) -> None:
    data[1]["keypoint"][..., 0] += 1000
    data[1]["img_shape"] = (1920, 1080)


def _percent_scores(data: Set) -> None:
    data[1]["keypoint_score"] *= 100


def _duplicate_id(data: Set) -> None:
    data[2]["frame_dir"] = "clip01"
    data.split["train"].remove("clip02")


def _long(keypoint: np.ndarray) -> np.ndarray:
    drift = np.random.default_rng(1).normal(0, 0.01, (1, 400, 25, 3))
    return (keypoint[:, :1] + drift).astype(np.float32)


def _normalised(keypoint: np.ndarray) -> np.ndarray:
    return ((keypoint - (960, 540)) / np.float32(960)).astype(np.float32)


ONE = slice(None)
DEFECTS: dict[str, Defect] = {
    "structure": Defect(["clip01", "clip02", "#3"], _structure),
    "axes": Defect(["clip01", "clip02"], _axes),
    "field_forms": Defect(["clip01", "clip02", "clip03"], _forms),
    "total_frames": Defect(["clip01", "clip02"], fields("total_frames", {1: 3, 2: "20"})),
    "nonfinite": Defect(
        ["clip01", "clip20"],
        keypoints((1, put((0, 3, 4), np.nan)), (20, put((0, 5, 6, 0), np.inf))),
    ),
    "label": Defect(["clip01", "clip02", "clip03"], fields("label", {1: -1, 2: "jump", 3: 1.5})),
    "duplicate_ids": Defect(["clip01"], _duplicate_id),
    "joints_differ": Defect(["clip05"], keypoints((5, lambda k: k[:, :, :17]))),
    "coordinates_differ": Defect(["clip05"], _coordinates),
    "scores_partial": Defect(["clip05"], fields("keypoint_score", {5: None}), dims=2),
    "split_unknown": Defect(["nobody"], listed("val", "nobody")),
    "split_empty": Defect(["test"], listed("test")),
    "split_overlap": Defect(["clip20"], listed("train", "clip20")),
    "duplicate_across": Defect(["clip20", "clip23"], copies((20, 2), (23, 5))),
    "shared_across": Defect(["clip20"], copies((20, 2), cut=slice(2, 19))),
    "duplicate_labels": Defect(["clip01"], copies((2, 1))),
    "class_untrained": Defect(["3"], fields("label", {23: 3})),
    "one_class": Defect(["train"], relabelled(lambda index, label: 0)),
    "all_zero": Defect(["clip01", "clip02"], keypoints((1, put(ONE, 0)), (2, put(ONE, 0)))),
    "constant": Defect(["clip01"], keypoints((1, lambda k: np.repeat(k[:, :1], len(k[0]), 1)))),
    "mostly_empty": Defect(
        ["clip01"], keypoints((1, lambda k: put((0, slice(3, 4 + len(k[0]) // 2)), 0)(k)))
    ),
    "short": Defect(["clip01"], keypoints((1, lambda k: k[:, :7]))),
    "person_jumps": Defect(["clip01"], keypoints((1, put((0, slice(10, None)), 3, add=True)))),
    "mixed_scale": Defect(["clip01"], keypoints((1, lambda k: k * 1000))),
    "score_range": Defect(["clip01"], _percent_scores, dims=2),
    "no_img_shape": Defect(["clip01"], fields("img_shape", {1: None}), dims=2),
    "outside_image": Defect(["clip01"], _swapped_image, dims=2),
    "normalised": Defect(EVERYBODY, everywhere(_normalised), dims=2),
    "image_shares": Defect(
        EVERYBODY, everywhere(lambda k: ((k - k.min()) / (np.ptp(k) or 1)).astype(np.float32))
    ),
    "dtype_differ": Defect(["clip01"], keypoints((1, lambda k: k.astype(np.float64)))),
    "dead_joints": Defect(["7"], everywhere(put((ONE, ONE, 7), 0))),
    "float16_coarse": Defect(["float16"], everywhere(lambda k: (k + 200).astype(np.float16))),
    "duplicate_training": Defect(["clip04"], copies((4, 1))),
    "split_repeats": Defect(["clip01"], listed("train", "clip01")),
    "label_gap": Defect(["2"], relabelled(lambda index, label: label + (label == 2))),
    "label_names": Defect(["2"], lambda data: data.extra.update(label_names=["sit", "stand"])),
    "duplicate_test": Defect(["clip21"], copies((21, 18))),
    "shared_frames": Defect(["clip05"], copies((5, 2), cut=slice(1, 18))),
    "empty_ends": Defect(
        ["clip01", "clip02"], keypoints((1, put((0, slice(2)), 0)), (2, put((0, -1), 0)))
    ),
    "empty_frames": Defect(["clip01"], keypoints((1, put((0, slice(5, 7)), 0)))),
    "empty_slots": Defect(["clip01"], keypoints((1, lambda k: np.concatenate([k, 0 * k])))),
    "zero_joints": Defect(["clip01"], keypoints((1, put((0, 4, 5), 0)))),
    "joint_jumps": Defect(["clip01"], keypoints((1, put((0, 4, 5), 4, add=True)))),
    "repeated_frames": Defect(["clip01"], keypoints((1, lambda k: np.repeat(k[:, :15], 2, 1)))),
    "length": Defect(["clip01"], keypoints((1, _long))),
    "no_scores": Defect(EVERYBODY, fields("keypoint_score", dict.fromkeys(range(24))), dims=2),
    "unlisted": Defect(["clip01"], lambda data: data.split["train"].remove("clip01")),
    "class_missing": Defect(["2"], fields("label", {20: 1, 23: 1})),
    "unbalanced": Defect(
        ["train"], relabelled(lambda index, label: 0 if index < 17 else index % 2)
    ),
}
