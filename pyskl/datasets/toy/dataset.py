"""The default data set, which needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_cache import AnnotationFiles
from pyskl.datasets.pose import PoseDataset
from pyskl.errors import AnnotationError
from pyskl.registry import DATASETS


@DATASETS.register_module()
class ToyDataset(PoseDataset):
    """:class:`PoseDataset` over synthetic actions that are generated on first use.

    If ``ann_file`` does not exist, it is generated first, which takes a few seconds. See
    :mod:`pyskl.datasets.toy.generator` for the actions.
    """

    @classmethod
    def open_annotations(
        cls, ann_file: str | Path, files: AnnotationFiles, **options: Any
    ) -> AnnotationFile:
        """Generate the file if it is missing, and open it."""
        from pyskl.datasets.toy.generator import write_toy_annotations

        try:
            write_toy_annotations(ann_file)
        except OSError as error:
            raise AnnotationError(
                f"the synthetic data set can't be written ({error})",
                file=ann_file,
                hint="choose another ann_file",
            ) from error
        return super().open_annotations(ann_file, files, **options)
