"""Whatever the fields of a sample hold, it is read right or refused by sample and key.

The same samples go through training, check, repair and inference, which have to agree.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyskl.datasets import PoseDataset
from pyskl.errors import AnnotationError, InputError
from pyskl.health.examine import examine
from pyskl.health.fix import fix
from pyskl.health.raw_annotations import read_raw_annotations
from pyskl.inference.sources import ReadSettings, read_sequences
from pyskl.runtime import Recognizer

M, T, V = 2, 9, 17
FIELD_KINDS = ("structure", "axes", "total_frames", "nonfinite", "label")


def pipeline(C: int) -> list[dict[str, Any]]:
    return [
        dict(type=f"PreNormalize{C}D"),
        dict(type="GenSkeFeat", dataset=dict(base="coco", dim=C), feats=["j"]),
        dict(type="UniformSample", clip_len=4),
        dict(type="PoseDecode"),
        dict(type="FormatGCNInput", num_person=2),
        dict(type="Collect", keys=["keypoint", "label"]),
    ]


class _Zeros(Recognizer):
    """Gives each class the score zero."""

    def logits(self, clips: np.ndarray) -> np.ndarray:
        return np.zeros((len(clips), self.num_classes), np.float32)


def sound(name: str, C: int) -> dict[str, Any]:
    rng = np.random.default_rng(len(name))
    keypoint = rng.uniform(10, 400, (M, T, V, C)).astype(np.float32)
    sample = dict(frame_dir=name, label=1, total_frames=T, keypoint=keypoint)
    if C == 2:
        sample.update(keypoint_score=np.ones((M, T, V), np.float32), img_shape=(480, 640))
    return sample


plain = st.sampled_from(
    [
        *(None, "", "x", "9", b"", b"x", True, 0, 1, T, -1, 10**20, 2.0, 1.5, np.nan, np.inf),
        *([], [1], (), {}, set(), [[]], [[1, 2], [3]], T * 1j, np.int64(1), np.float32(9)),
        *((480, 640), [480, 640, 3], (480, 640, 1), (3, 480, 640), ("480", "640"), [None, 1]),
        *(np.bool_(True), np.str_("9"), np.array(T), np.array([T]), np.array("x"), np.zeros(0)),
        *(np.array([1, 2]), np.array(None), np.array([480, 640, 3])),
    ]
)
shapes = st.permutations([M, T, V, 3]) | st.lists(st.integers(0, 4), max_size=5)
arrays = st.builds(
    lambda shape, dtype, value: np.full(shape, value).astype(dtype),
    shapes,
    st.sampled_from(["f2", "f4", "f8", ">f4", "g", "i4", "u1", "?", "O", "U3", "S3", "c8"]),
    st.sampled_from([0, 1, 50.0]),
)
# Changes of what a sound sample holds: the same in other words, or broken.
changes = st.sampled_from(
    [
        lambda x: np.asarray(x).tolist(),
        lambda x: np.asarray(x).astype(object),
        lambda x: np.asarray(x).astype(int),
        lambda x: np.asarray(x).astype(bool),
        lambda x: np.asarray(x).astype(">f8"),
        lambda x: np.asarray(x).astype(str),
        lambda x: np.asarray(x)[..., None],
        lambda x: np.asarray(x)[None],
        lambda x: np.asarray(x).T,
        lambda x: np.asarray(x) * np.nan,
        lambda x: np.asarray(x) * 1e6,
        lambda x: np.asarray(x) / 1e6,
        lambda x: np.moveaxis(np.asarray(x), 0, -1) if np.ndim(x) else x,
        lambda x: np.swapaxes(np.asarray(x), 0, 1) if np.ndim(x) > 1 else x,
        lambda x: np.asarray(x)[0] if np.ndim(x) else x,
        lambda x: list(np.asarray(x)) if np.ndim(x) else [x],
    ]
)
KEYS = ("keypoint", "keypoint_score", "total_frames", "label", "img_shape", "original_shape")
odd = st.lists(
    st.tuples(st.sampled_from(KEYS), plain | arrays | changes)
    | st.tuples(
        st.sampled_from(["frame_dir", "filename", "scored", "num_clips", 7]), plain | arrays
    ),
    min_size=1,
    max_size=3,
).map(dict)


def refused(error: InputError) -> None:
    """Check that an error names a sample and a key."""
    for one in error.errors or (error,):
        assert one.sample is not None, error
        assert one.key is not None, error


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(C=st.sampled_from([2, 3]), fields=odd)
@example(C=2, fields=dict(keypoint_score=None, img_shape=""))
@example(C=3, fields=dict(img_shape=""))
@example(C=3, fields=dict(keypoint=np.ones((T, M, V, 3), "f4")))
@example(C=2, fields=dict(keypoint=np.ones((40, 1, V, 2), "f4"), total_frames=1))
def test_every_field(tmp_path: Path, C: int, fields: dict[str, Any]) -> None:
    samples = [sound(name, C) for name in ("a", "bb", "odd")]
    for key, value in fields.items():
        if key == "keypoint_score" and C == 3 and value is not None:
            continue  # scores of 3D joints are the business of the config
        value = value(samples[2].get(key, 1)) if callable(value) else copy.deepcopy(value)
        samples[2][key] = value
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(samples))

    trained = None
    try:
        data = PoseDataset(path, pipeline(C), num_classes=4, test_mode=True)
        trained = [data[position] for position in range(len(data))]
    except InputError as error:
        refused(error)
    if trained is not None:
        joints = np.stack([np.asarray(one["keypoint"]) for one in trained])
        assert joints.shape[:4] == (3, 1, 2, 4)
        assert np.isfinite(joints).all()
        np.testing.assert_array_equal(joints[:2, ..., :2], expected(C)[..., :2])

    checked = read_raw_annotations(path)
    found = {finding.kind for finding in examine(checked).findings if finding.severity == "error"}
    if trained is not None:
        assert not found & set(FIELD_KINDS)
    try:
        cleaned, _ = fix(checked)
    except AnnotationError:
        cleaned = None
    if cleaned is not None:
        assert fix(cleaned)[1] == []
        fixed = tmp_path / "fixed.pkl"
        fixed.write_bytes(pickle.dumps(cleaned.content()))
        kinds = {finding.kind for finding in examine(read_raw_annotations(fixed)).findings}
        assert not kinds & {*FIELD_KINDS, "field_forms"}

    recognizer = _Zeros("zeros", pipeline(C)[:-1], 4)
    for sequence in read_sequences([path], ReadSettings()):
        error = sequence.error or prepare_error(recognizer, sequence.sample)
        if error is not None:
            seen = np.any(sequence.sample.get("keypoint", 1))  # training takes empty samples
            assert trained is None or not seen
            assert sequence.name not in ("a", "bb")
            refused(error)


def prepare_error(recognizer: Recognizer, sample: Any) -> InputError | None:
    """Return why a sample is refused; check its clips if it is not."""
    try:
        clips = recognizer.prepare(sample)
    except InputError as error:
        return error
    assert np.isfinite(clips).all()
    return None


_EXPECTED: dict[int, np.ndarray] = {}


def expected(C: int) -> np.ndarray:
    """Return the clips of the sound samples."""
    if C not in _EXPECTED:
        recognizer = _Zeros("zeros", pipeline(C)[:-1], 4)
        both = [recognizer.prepare(sound(name, C)) for name in ("a", "bb")]
        _EXPECTED[C] = np.stack(both)
    return _EXPECTED[C]


@pytest.mark.parametrize("value", ["x", None, np.ones((T, M, V, 3), np.float32)])
def test_one_sample_alone_is_refused_by_key(tmp_path: Path, value: Any) -> None:
    sample = {**sound("one", 3), "keypoint": value}
    path = tmp_path / "one.pkl"
    path.write_bytes(pickle.dumps([sample]))
    with pytest.raises(AnnotationError) as trained:
        PoseDataset(path, [], num_classes=4)
    error = prepare_error(_Zeros("zeros", pipeline(3)[:-1], 4), sample)
    for one in (*(trained.value.errors or [trained.value]), error):
        assert one is not None
        assert (one.sample, one.key) == ("one", "keypoint")
