"""The default data set, which needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.packed.folder import PackedAnnotations
from pyskl.datasets.pose import PoseDataset
from pyskl.errors import AnnotationError
from pyskl.registry import DATASETS


@DATASETS.register_module()
class ToyDataset(PoseDataset):
    """:class:`PoseDataset` over synthetic actions that are generated on first use.

    Takes the same arguments; where ``ann_file`` does not exist it is written first, which takes a
    few seconds. See :mod:`pyskl.datasets.toy.generator` for what it holds.
    """

    @classmethod
    def read_annotations(
        cls, ann_file: str | Path, **options: Any
    ) -> AnnotationFile | PackedAnnotations:
        """Generate the file where it is absent, and read it."""
        from pyskl.datasets.toy.generator import write_toy_annotations

        try:
            write_toy_annotations(ann_file)
        except OSError as error:
            raise AnnotationError(
                f"{ann_file}: the synthetic data set could not be written there ({error}); "
                "choose another ann_file"
            ) from error
        return super().read_annotations(ann_file, **options)
