"""Whether the joints of a recording are those of the model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pyskl.inference.joints import fitted, same_skeleton
from pyskl.recordings import Recording, RecordingError
from pyskl.skeleton import LAYOUTS, resolve_layout


def recording(joints: int, **known: object) -> Recording:
    """Return a recording whose joint number v is at x = v + 1."""
    keypoint = np.zeros((1, 2, joints, 2), np.float32)
    keypoint[..., 0] = np.arange(joints) + 1
    return Recording("r", keypoint, keypoint[..., 0] / 100, **known)  # type: ignore[arg-type]


def test_named_joints_are_put_in_order() -> None:
    coco = LAYOUTS["coco"]
    names = tuple(reversed(coco.joint_names))
    found = fitted(recording(17, joint_names=names), coco)
    assert found.joint_names == coco.joint_names
    np.testing.assert_array_equal(found.keypoint[0, 0, :, 0], np.arange(17, 0, -1))
    np.testing.assert_allclose(found.score[0, 0], np.arange(17, 0, -1) / 100)
    same = recording(17, joint_names=coco.joint_names)
    assert fitted(same, coco) is same


def test_other_skeletons_of_as_many_joints_are_not_taken() -> None:
    openpose = recording(25, layout="body_25")
    ntu = LAYOUTS["nturgb+d"]
    with pytest.raises(RecordingError, match=r"'body_25', the model takes 'nturgb\+d'.*--layout"):
        fitted(openpose, ntu)
    assert fitted(openpose, ntu, given=ntu) is openpose
    assert fitted(openpose, LAYOUTS["body_25"]) is openpose
    assert fitted(openpose, None) is openpose
    unknown = recording(25)
    assert fitted(unknown, ntu) is unknown


def test_the_number_of_joints_is_told() -> None:
    with pytest.raises(RecordingError, match=r"17 joints \(coco\), the model takes 25"):
        fitted(recording(17, layout="coco"), LAYOUTS["nturgb+d"])


def test_a_skeleton_of_the_file_is_known_by_its_edges() -> None:
    own = resolve_layout(dict(num_joints=3, edges=[(1, 0), (2, 1)], center=0))
    named = dataclasses.replace(own, name="mine")
    other = resolve_layout(dict(num_joints=3, edges=[(1, 0), (2, 0)], center=0, name="other"))
    assert same_skeleton(own, named)
    assert not same_skeleton(other, own)
    fitted(recording(3, own_layout=own), named)
    with pytest.raises(RecordingError, match="'custom', the model takes 'other'"):
        fitted(recording(3, own_layout=own), other)
