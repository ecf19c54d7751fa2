"""From files, streams of frames or videos to recognised actions, one line of JSON for each.

Nothing here imports torch but :mod:`pyskl.inference.model`, which is for recognizers that a config
describes; with an exported model all of it runs without.

Example::

    from pyskl.inference import Ensemble, InferSettings, infer_files, open_onnx

    ensemble = Ensemble([open_onnx('stgcn.onnx')])
    infer_files(['clips/'], ensemble, InferSettings(topk=3), write=print)

:func:`pyskl.apis.inference.open_recognizer` opens config and checkpoint in place of ``open_onnx``.
"""

from pyskl.inference.ensemble import Ensemble, Member, Recognizer
from pyskl.inference.exported import open_onnx
from pyskl.inference.live import LiveReport, LiveSettings, run_live
from pyskl.inference.run import InferReport, InferSettings, infer_files
from pyskl.inference.sources import Item, ReadSettings, Unread, read_items
from pyskl.inference.windows import Segment, Span, WindowSettings, find_segments

__all__ = [
    "Ensemble",
    "InferReport",
    "InferSettings",
    "Item",
    "LiveReport",
    "LiveSettings",
    "Member",
    "ReadSettings",
    "Recognizer",
    "Segment",
    "Span",
    "Unread",
    "WindowSettings",
    "find_segments",
    "infer_files",
    "open_onnx",
    "read_items",
    "run_live",
]
