"""The batch forms of the transforms that give batches their final form.

Shapes: N batch, M persons, T frames of a clip, V joints, C coordinates.
"""

from __future__ import annotations

from pyskl.datasets.device.batch import Batch
from pyskl.datasets.device.frames import whole_sequences
from pyskl.datasets.device.outline import NoBatchForm, Operation, Outline, batch_form
from pyskl.datasets.device.streams import with_score
from pyskl.datasets.pipelines.formatting import Collect, FormatGCNInput, ToTensor


@batch_form(FormatGCNInput)
def _format_gcn_input(transform: FormatGCNInput, outline: Outline) -> Operation:
    if outline.pending is not None:
        raise NoBatchForm("frames were chosen, but PoseDecode, which gathers them, is missing")
    if outline.axis == "formatted":
        raise NoBatchForm("there is one already")
    on_source = outline.axis == "source"
    if on_source:
        outline.begin(whole_sequences(outline))
    outline.axis = "formatted"
    outline.arrays = {"keypoint"}
    outline.num_person = transform.num_person
    outline.loop_persons = transform.mode == "loop"
    clips = int(outline.sample.get("num_clips", 1))

    def format_batch(batch: Batch) -> None:
        if on_source:
            batch.settle()
        keypoint = with_score(batch)
        samples, persons, frames, *rest = keypoint.shape
        # (N, M, clips·T, V, C) → (N, clips, M, T, V, C)
        split = keypoint.reshape(samples, persons, clips, frames // clips, *rest)
        batch.arrays = {"keypoint": split.transpose(1, 2).contiguous()}

    return format_batch


@batch_form(Collect)
def _collect(transform: Collect, outline: Outline) -> None:
    others = sorted({*transform.keys, *transform.meta_keys} - {"keypoint", "label"})
    if others:
        raise NoBatchForm(
            f"it collects {', '.join(others)}, but a batch made on a device holds keypoint and "
            "label only"
        )
    if transform.nested or transform.meta_keys:
        raise NoBatchForm("it collects into lists (nested, meta_keys), which do not make batches")
    outline.keys = transform.keys


@batch_form(ToTensor)
def _to_tensor(transform: ToTensor, outline: Outline) -> None:
    others = sorted(set(transform.keys) - {"keypoint", "label"})
    if others:
        raise NoBatchForm(f"it converts {', '.join(others)}, which a batch does not hold")
    outline.label_column |= "label" in transform.keys
