"""Every format gives the scores of the original, for every kind of graph and temporal unit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pyskl.apis import inference_recognizer, init_recognizer
from pyskl.errors import CheckpointError, InputError, UntrustedFileError
from pyskl.export import FORMATS, ExportReport, ExportSettings, export_model, open_exported
from pyskl.export.export import sample_clips
from pyskl.inference import TorchRecognizer
from pyskl.runtime import OnnxRecognizer

pytest.importorskip("onnxscript", reason="needs the extra 'export'")
pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
pytest.importorskip("safetensors", reason="needs the extra 'export'")

MakeCheckpoint = Callable[..., tuple[dict[str, Any], Path]]

PLUSPLUS = dict(
    gcn_adaptive="init",
    gcn_with_res=True,
    tcn_type="mstcn",
    base_channels=6,
    graph_cfg=dict(layout="nturgb+d", mode="spatial"),
)
VARIANTS = {
    "importance": {},
    "init": dict(gcn_adaptive="init"),
    "offset": dict(gcn_adaptive="offset"),
    "fixed": dict(gcn_adaptive=None),
    "post": dict(gcn_conv_pos="post", gcn_with_res=True),
    "plusplus": PLUSPLUS,
    "MVC": dict(data_bn_type="MVC", num_person=1),
    "no data_bn": dict(data_bn_type=None),
    "coco": dict(graph_cfg=dict(layout="coco", mode="stgcn_spatial")),
}


def _check(config: Any, checkpoint: Path, out: Path, **settings: Any) -> ExportReport:
    """Export, and check that nothing but the file is left."""
    report = export_model(config, checkpoint, out, ExportSettings(**settings))
    assert report.path == out
    assert out.is_file()
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return report


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "format",
    [  # torch.export takes seconds for each
        pytest.param("onnx", marks=pytest.mark.slow),
        "torchscript",
        pytest.param("exported_program", marks=pytest.mark.slow),
    ],
)
def test_every_variant_in_every_format(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, variant: str, format: str
) -> None:
    config, checkpoint = tiny_checkpoint(**VARIANTS[variant])
    out = (tmp_path / "model").with_suffix(FORMATS[format].suffix)
    found = _check(config, checkpoint, out, format=format).comparison
    assert found.difference < 1e-5
    assert found.largest > 0.05
    assert found.agreement == 1
    clips, persons, frames = (set(sizes) for sizes in zip(*found.inputs))
    assert {37, 100, 300} <= frames
    assert (1 in frames) == (format != "exported_program")
    assert persons == ({1} if variant == "MVC" else {1, 2, 3})
    assert len(clips) > 1


@pytest.mark.parametrize("fuse", [True, False])
def test_folding_batchnorm_is_a_choice(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, fuse: bool
) -> None:
    config, checkpoint = tiny_checkpoint()
    path = tmp_path / "model.pt"
    _check(config, checkpoint, path, format="torchscript", fuse=fuse)
    with pytest.warns(DeprecationWarning, match="torch.jit.load"):
        parts = [module.original_name for module in torch.jit.load(str(path)).modules()]
    # data_bn, and those after the three graph products, stay; not those of the three temporal
    # convolutions and of the two residuals that change the width or the stride.
    assert parts.count("BatchNorm2d") == (3 if fuse else 3 + 3 + 2)
    assert parts.count("BatchNorm1d") == 1


@pytest.mark.parametrize("suffix", [".pt", pytest.param(".pt2", marks=pytest.mark.slow)])
def test_programs_need_trust_and_recognise(
    tiny_checkpoint: MakeCheckpoint,
    tiny_samples: Callable[[], list[dict[str, Any]]],
    tmp_path: Path,
    suffix: str,
) -> None:
    config, checkpoint = tiny_checkpoint()
    path = tmp_path / f"model{suffix}"
    format = next(name for name, one in FORMATS.items() if one.suffix == suffix)
    report = _check(config, checkpoint, path, format=format)
    with pytest.raises(UntrustedFileError):
        open_exported(path)
    recognizer = open_exported(path, trusted=True)
    assert isinstance(recognizer, TorchRecognizer)
    assert recognizer.input_shape == report.metadata.input_shape
    model = init_recognizer(config, checkpoint)
    sample = tiny_samples()[24]
    expected, found = inference_recognizer(model, sample), recognizer.predict(sample)
    assert [label for label, _ in found] == [label for label, _ in expected]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], atol=1e-5)
    with pytest.raises(InputError):
        recognizer.logits(np.zeros((1, 1, 8, 17, 3), np.float32))


def test_weights_of_safetensors_take_the_place_of_a_checkpoint(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    config, checkpoint = tiny_checkpoint()
    path = tmp_path / "weights.safetensors"
    found = _check(config, checkpoint, path, format="safetensors").comparison
    assert found.difference == 0
    expected = init_recognizer(config, checkpoint).state_dict()
    loaded = init_recognizer(config, path).state_dict()
    assert loaded.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(loaded[name], value), name
    assert oct(path.stat().st_mode & 0o077) == oct(checkpoint.stat().st_mode & 0o077)
    with pytest.raises(InputError):
        open_exported(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError):
        init_recognizer(config, path)


@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".pt2", ".other"])
def test_other_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    for content in (None, b"nonsense"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            open_exported(path, trusted=True)
        assert caught.value.file == str(path)


@pytest.mark.parametrize(
    "format",
    [
        pytest.param("onnx", marks=pytest.mark.slow),
        "torchscript",
        pytest.param("exported_program", marks=pytest.mark.slow),
        "safetensors",
    ],
)
def test_half_precision_differs_a_little(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, format: str
) -> None:
    config, checkpoint = tiny_checkpoint(**PLUSPLUS)
    out = (tmp_path / "model").with_suffix(FORMATS[format].suffix)
    report = _check(config, checkpoint, out, format=format, precision="fp16")
    assert 1e-6 < report.comparison.difference < 1e-2
    assert report.metadata.precision == "fp16"


def test_weights_beyond_half_precision_are_refused(
    tiny_recognizer: Callable[..., tuple[dict[str, Any], nn.Module]], tmp_path: Path
) -> None:
    config, model = tiny_recognizer()
    model.backbone.gcn[1].gcn.conv.weight.data[0, 0] = 1e6
    torch.save({"state_dict": model.state_dict()}, tmp_path / "large.pth")
    settings = ExportSettings(format="torchscript", precision="fp16")
    with pytest.raises(InputError) as caught:
        export_model(config, tmp_path / "large.pth", tmp_path / "large.pt", settings)
    assert caught.value.key == "backbone.gcn.1.gcn.conv.weight"
    assert not (tmp_path / "large.pt").exists()


@pytest.mark.slow
@pytest.mark.shared_data
def test_weights_of_the_original_implementation(
    golden: Path, tiny_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    config = tiny_config(
        model__backbone=dict(
            type="STGCN",
            base_channels=8,
            graph_cfg=dict(layout="nturgb+d", mode="stgcn_spatial"),
        ),
        model__cls_head=dict(type="GCNHead", num_classes=60, in_channels=32),
    )
    path = tmp_path / "small8.onnx"
    found = _check(config, golden / "small8_nturgbd.pth", path).comparison
    assert found.difference < 1e-4
    with np.load(golden / "small_models.npz", allow_pickle=False) as arrays:
        for frames in (100, 300):
            keypoint = np.random.RandomState(0).randn(2, 2, frames, 25, 3).astype(np.float32)
            expected = arrays[f"nturgbd/T{frames}/logits"]
            np.testing.assert_allclose(
                open_exported(path).logits(keypoint), expected, rtol=1e-4, atol=1e-4
            )


@pytest.mark.slow
def test_weights_of_eight_bits(
    tiny_checkpoint: MakeCheckpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    onnx = pytest.importorskip("onnx")
    config, checkpoint = tiny_checkpoint()
    path = tmp_path / "int8.onnx"
    report = _check(config, checkpoint, path, precision="int8", samples=12, evaluate=True)
    found = report.comparison
    assert len(found.inputs) == 12  # the other half of the 24 training samples
    assert 0 < found.difference < 0.1 * max(1, found.largest)
    assert found.agreement > 0.7
    assert report.accuracies.keys() == {"top1_acc", "top5_acc"}
    assert OnnxRecognizer(path).metadata.precision == "int8"
    weights = [one.data_type for one in onnx.load(path).graph.initializer if len(one.dims) == 4]
    assert set(weights) == {onnx.TensorProto.INT8}  # those of all convolutions
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    noise = _check(config, checkpoint, path, precision="int8", samples=2, calibrate="random")
    assert noise.comparison.difference > 0
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1  # that the clips are random


def test_calibration_needs_data(tiny_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    config, checkpoint = tiny_checkpoint()
    config["data"]["train"]["ann_file"] = str(tmp_path / "absent.pkl")
    with pytest.raises(InputError) as caught:
        export_model(config, checkpoint, tmp_path / "a.onnx", ExportSettings(precision="int8"))
    assert "--calibrate random" in caught.value.hint


def test_calibration_clips_are_spread_over_the_training_set(
    tiny_config: Callable[..., dict[str, Any]],
) -> None:
    config = tiny_config()
    few = sample_clips(config, 5)
    assert len(few) == 5
    assert {tuple(clip.shape) for clip in few} == {(1, 1, 8, 25, 3)}  # one of the two clips
    assert len(sample_clips(config, 1000)) == 24
    assert all((a == b).all() for a, b in zip(few, sample_clips(config, 5)))  # no augmentation
    nested = tiny_config(
        data__train=dict(type="RepeatDataset", times=3, dataset=config["data"]["train"])
    )
    assert len(sample_clips(nested, 1000)) == 24
    assert len(sample_clips(tiny_config(data__train=None), 1000)) == 10
