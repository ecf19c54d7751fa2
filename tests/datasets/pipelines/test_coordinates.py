from __future__ import annotations

import numpy as np
import pytest

from pyskl.datasets.pipelines.coordinates import interleaved, with_score


@pytest.mark.parametrize("dtypes", [("f2", "f2"), ("f4", "f4"), ("f4", "f2"), ("f2", "f4")])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_scores_come_last(dtypes: tuple[str, str], channels: int) -> None:
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(2, 5, 7, channels)).astype(dtypes[0])
    score = rng.random((2, 5, 7)).astype(dtypes[1])
    expected = np.concatenate([keypoint, score[..., None]], axis=-1)
    merged = with_score(keypoint, score)
    assert merged.dtype == expected.dtype
    np.testing.assert_array_equal(merged, expected)


def test_columns_become_coordinates() -> None:
    columns = [np.full((1, 2, 3), value) for value in (1, 2)]
    points = interleaved(columns)
    assert points.shape == (1, 2, 3, 2)
    assert points.flags.c_contiguous
    np.testing.assert_array_equal(points, np.stack(columns, axis=-1))
