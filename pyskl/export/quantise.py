"""int8: weights and activations of convolutions as whole numbers of 8 bits.

Weights are scaled by channel, activations by the range that they take on clips of real data
(calibration). What is between the convolutions stays in float32, and so does the head: it takes no
time, and its product is where rounding would cost classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pyskl.export.source import exporting
from pyskl.runtime.metadata import INPUT

_QUANTISED = ["Conv"]


def quantised(model: Any, clips: Sequence[Tensor], folder: Path) -> Any:
    """Return an ONNX model with weights and activations of 8 bits.

    Args:
        model: The model, an ``onnx.ModelProto`` in float32.
        clips: Keypoints (N, M, T, V, C) to calibrate with.
        folder: For temporary files.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with exporting():
        quantize_static(
            model,
            folder / "int8.onnx",
            _Clips(clips),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # What comes out of a ReLU uses the range of an unsigned number in full.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # 7 bits of them: x86 processors without VNNI add products in 16 bits, which 8 overflow.
            reduce_range=True,
            op_types_to_quantize=_QUANTISED,
        )
    return onnx.load(folder / "int8.onnx")


class _Clips:
    """Hands out clips as onnxruntime's calibration asks for them."""

    def __init__(self, clips: Sequence[Tensor]) -> None:
        self._clips: Iterator[Tensor] = iter(clips)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input, or None at the end."""
        clip = next(self._clips, None)
        return None if clip is None else {INPUT: clip.numpy()}
