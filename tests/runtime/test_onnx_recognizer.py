"""An exported ``.onnx`` file: the same scores as its original, and no torch to compute them."""

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

pytest.importorskip("onnx", reason="needs the extra 'export'")
pytest.importorskip("onnxruntime", reason="needs the extra 'export'")

# torch can't be imported, however it is asked for.
WITHOUT_TORCH = """
import json, pickle, sys
sys.modules["torch"] = None
import numpy as np
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


def test_predictions_are_those_of_the_original(
    exported: Any, recognizer: OnnxRecognizer, tiny_samples: Callable[[], list[dict]]
) -> None:
    for sample in tiny_samples()[24:]:
        expected = inference_recognizer(exported.model, sample)
        found = recognizer.predict(sample)
        assert [label for label, _ in found] == [label for label, _ in expected]
        np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], atol=1e-5)


def test_it_runs_where_torch_can_not_be_imported(
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
    assert labels == ["rise", "swing", "rest"]
    assert layout == "nturgb+d"
    expected = [recognizer.predict(sample) for sample in samples]  # float16 converted by torch
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_the_file_says_of_itself(recognizer: OnnxRecognizer) -> None:
    metadata = recognizer.metadata
    assert metadata.input_shape == ("N", "M", "T", 25, 3)
    assert recognizer.num_classes == metadata.num_classes == 3
    assert recognizer.labels == ("rise", "swing", "rest")
    assert recognizer.layout is not None
    assert recognizer.layout.num_joints == 25
    assert metadata.streams == ("j",)
    assert [transform["type"] for transform in metadata.pipeline][-1] == "ToTensor"


def test_nothing_of_the_machine_that_exported_is_in_the_file(
    exported: Any, repo_root: Path
) -> None:
    content = exported.path.read_bytes()
    assert str(repo_root).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_other_files_are_refused(exported: Any, tmp_path: Path) -> None:
    import onnx

    with pytest.raises(InputError, match="there is no such model"):
        OnnxRecognizer(tmp_path / "absent.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(exported.path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"damaged\.onnx: onnxruntime can't load it"):
        OnnxRecognizer(damaged)
    model = onnx.load(exported.path)
    (entry,) = model.metadata_props
    text = entry.value

    def opened(change: Callable[[], None]) -> None:
        change()
        onnx.save(model, tmp_path / "changed.onnx")
        OnnxRecognizer(tmp_path / "changed.onnx")

    opened(lambda: None)
    with pytest.raises(InputError, match="it is not a model that"):
        opened(lambda: setattr(entry, "key", "other"))
    entry.key = "pyskl"
    with pytest.raises(InputError, match="its metadata can't be used"):
        opened(lambda: setattr(entry, "value", text[:-1]))
    joints = text.replace('["N", "M", "T", 25, 3]', '["N", "M", "T", 24, 3]')
    with pytest.raises(InputError, match="but by its graph"):
        opened(lambda: setattr(entry, "value", joints))


def test_a_graph_that_fails_is_told(exported: Any, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(exported.path)
    adjacency = next(one for one in model.graph.initializer if list(one.dims) == [3, 25, 25])
    adjacency.CopyFrom(
        onnx.numpy_helper.from_array(np.ones((3, 24, 25), np.float32), adjacency.name)
    )
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "wrong.onnx")
    with pytest.raises(InputError, match=r"wrong\.onnx: onnxruntime can't"):
        OnnxRecognizer(tmp_path / "wrong.onnx").scores(np.zeros((1, 1, 8, 25, 3)))


def test_a_provider_that_is_not_there_is_told(exported: Any) -> None:
    with pytest.raises(DeviceError, match=r"no NoSuchProvider here; it has .*CPUExecutionProvider"):
        OnnxRecognizer(exported.path, providers=["NoSuchProvider"])


def test_without_onnxruntime_it_is_told(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        OnnxRecognizer(exported.path)
