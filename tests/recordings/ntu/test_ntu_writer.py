"""Annotation pickles that are written sample by sample."""

from __future__ import annotations

import io
import pickle
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.recordings.ntu.annotation_writer import write_annotations
from pyskl.unpickling.load import load_plain_pickle


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 230), ids=st.lists(st.text(), max_size=3))
def test_a_pickle_written_sample_by_sample_is_the_same_data(
    count: int, ids: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    samples = [
        {"frame_dir": f"s{i}", "keypoint": np.full((1, 1, 2, 3), i, np.float16)}
        for i in range(count)
    ]
    file = io.BytesIO()
    write_annotations(file, {"train": ids}, iter(samples))
    path = tmp_path_factory.getbasetemp() / "written.pkl"
    path.write_bytes(file.getvalue())
    for loaded in (pickle.loads(file.getvalue()), load_plain_pickle(path)):
        assert list(loaded) == ["split", "annotations"]
        assert loaded["split"] == {"train": ids}
        assert len(loaded["annotations"]) == count
        for sample, other in zip(samples, loaded["annotations"], strict=True):
            assert sample["frame_dir"] == other["frame_dir"]
            np.testing.assert_array_equal(sample["keypoint"], other["keypoint"], strict=True)


def test_nothing_of_the_samples_is_kept() -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def samples(count: int) -> Iterator[dict[str, Any]]:
        for _ in range(count):
            keypoint = np.zeros((1, 1000, 25, 3), np.float16)
            alive.append(weakref.ref(keypoint))
            assert sum(reference() is not None for reference in alive) <= 3
            yield {"keypoint": keypoint}

    class Nowhere(io.RawIOBase):
        longest = 0

        def write(self, data: Any) -> int:
            self.longest = max(self.longest, len(data))
            return len(data)

    file = Nowhere()
    write_annotations(file, {}, samples(1000))
    assert len(alive) == 1000
    assert file.longest < 20e6
