"""Exported ``.onnx`` files: the scores of the original, computed without torch."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyskl.apis import inference_recognizer
from pyskl.errors import DeviceError, InputError
from pyskl.runtime import OnnxRecognizer

onnx = pytest.importorskip("onnx", reason="needs the extra 'export'")
pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
pytestmark = pytest.mark.slow  # an export takes several seconds

WITHOUT_TORCH = """
import json, pickle, sys
sys.modules["torch"] = None
from pyskl.runtime import OnnxRecognizer
recognizer = OnnxRecognizer(sys.argv[1], threads=1)
with open(sys.argv[2], "rb") as file:
    samples = pickle.load(file)
found = [recognizer.predict(sample) for sample in samples]
assert not any(name.split(".")[0] == "torch" for name in sys.modules if sys.modules[name])
print(json.dumps([found, recognizer.labels, recognizer.layout.name]))
"""


@pytest.fixture(scope="session")
def recognizer(exported: Any) -> OnnxRecognizer:
    """The exported model, opened."""
    return OnnxRecognizer(exported.path, threads=1)


def test_scores_are_those_of_the_original(exported: Any, recognizer: OnnxRecognizer) -> None:
    rng = np.random.default_rng(0)
    for size in ((1, 1, 1, 8), (3, 2, 1, 37), (2, 4, 2, 100), (1, 1, 3, 300), (1, 2, 1, 1)):
        batch = rng.normal(size=(*size, 25, 3)).astype(np.float32)  # N, clips, M, T, V, C
        expected = exported.model.predict(torch.from_numpy(batch)).numpy()
        np.testing.assert_allclose(recognizer.scores(batch), expected, atol=1e-5)
    many = rng.normal(size=(7, 5, 1, 8, 25, 3)).astype(np.float32)  # 35 clips: several calls
    one_by_one = [recognizer.scores(one[None])[0] for one in many]
    np.testing.assert_allclose(recognizer.scores(many), one_by_one, rtol=1e-5)


def test_it_runs_without_torch(
    exported: Any,
    recognizer: OnnxRecognizer,
    tiny_samples: Callable[[], list[dict]],
    tmp_path: Path,
    repo_root: Path,
) -> None:
    samples = tiny_samples()[24:27]
    for sample in samples:
        sample["keypoint"] = sample["keypoint"].astype(np.float16)
    (tmp_path / "samples.pkl").write_bytes(pickle.dumps(samples))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(exported.path), str(tmp_path / "samples.pkl")],
        cwd=repo_root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, labels, layout = json.loads(done.stdout)
    assert (labels, layout) == (["rise", "swing", "rest"], "nturgb+d")
    for one, sample in zip(found, samples):
        original = inference_recognizer(exported.model, sample)
        assert [label for label, _ in one] == [label for label, _ in original]
        np.testing.assert_allclose(one, original, atol=1e-5)
        np.testing.assert_allclose(one, recognizer.predict(sample), rtol=1e-6)


def test_the_file_describes_itself(exported: Any, recognizer: OnnxRecognizer) -> None:
    metadata = recognizer.metadata
    assert metadata.input_shape == recognizer.input_shape == ("N", "M", "T", 25, 3)
    assert recognizer.num_classes == metadata.num_classes == 3
    assert recognizer.labels == ("rise", "swing", "rest")
    assert recognizer.layout == metadata.layout
    assert (metadata.streams, recognizer.stream) == (("j",), "j")
    assert metadata.pipeline[-1]["type"] == "ToTensor"


def test_the_file_has_no_paths_of_the_machine(exported: Any, repo_root: Path) -> None:
    content = exported.path.read_bytes()
    assert str(repo_root).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_other_files_are_refused(exported: Any, tmp_path: Path) -> None:
    def refused(path: Path) -> None:
        with pytest.raises(InputError) as caught:
            OnnxRecognizer(path)
        assert caught.value.file == str(path)

    changed = tmp_path / "changed.onnx"
    refused(changed)
    changed.write_bytes(exported.path.read_bytes()[:1000])
    refused(changed)
    model = onnx.load(exported.path)
    (entry,) = model.metadata_props
    text = entry.value
    joints = text.replace('["N", "M", "T", 25, 3]', '["N", "M", "T", 24, 3]')
    assert joints != text
    for key, value in (("other", text), ("pyskl", text[:-1]), ("pyskl", joints)):
        entry.key, entry.value = key, value
        onnx.save(model, changed)
        refused(changed)
    entry.value = text
    onnx.save(model, changed)
    OnnxRecognizer(changed)


def test_a_graph_that_fails_is_reported(exported: Any, tmp_path: Path) -> None:
    model = onnx.load(exported.path)
    adjacency = next(one for one in model.graph.initializer if list(one.dims) == [3, 25, 25])
    adjacency.CopyFrom(
        onnx.numpy_helper.from_array(np.ones((3, 24, 25), np.float32), adjacency.name)
    )
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "wrong.onnx")
    with pytest.raises(InputError) as caught:
        OnnxRecognizer(tmp_path / "wrong.onnx").scores(np.zeros((1, 1, 8, 25, 3)))
    assert caught.value.file == str(tmp_path / "wrong.onnx")


def test_missing_devices_and_packages(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError) as caught:
        OnnxRecognizer(exported.path, "abacus")
    assert (caught.value.key, caught.value.found) == ("--device", "abacus")
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    OnnxRecognizer(exported.path, "auto")
    with pytest.raises(DeviceError):
        OnnxRecognizer(exported.path, "cuda")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError) as missing:
        OnnxRecognizer(exported.path)
    assert missing.value.hint == "pip install onnxruntime"
