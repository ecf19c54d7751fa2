"""Arguments that configs of the PYSKL family (PYSKL, MMAction2 0.x, MMCV 1.x) spell out.

Some say what happens here anyway, or concern only what does not exist here, such as video files.
:data:`FAMILY_ARGUMENTS` is the table of them: such values are accepted and left out, all others are
refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FamilyArgument:
    """An argument that a class here does not take.

    Attributes:
        neutral: The values that change nothing; None if all do.
        otherwise: Why other values are refused, or what to use instead.
    """

    neutral: tuple[Any, ...] | None
    otherwise: str = ""

    def accepts(self, value: Any) -> bool:
        """Return whether a value changes nothing."""
        return self.neutral is None or any(
            value == one and isinstance(value, bool) == isinstance(one, bool)
            for one in self.neutral
        )


_ANY = FamilyArgument(None)


def _only(*neutral: Any, otherwise: str) -> FamilyArgument:
    return FamilyArgument(neutral, otherwise)


_FALSE, _TRUE = _only(False, otherwise="not supported"), _only(True, otherwise="not supported")
_VIDEOS = "not supported: videos and images are not read here"
_KINETICS = "not supported: samples are not chosen by the score of a person detector here"
_SHUFFLE = "not supported: training draws in random order, tests in the order of the file"

# Class → argument → what is accepted. An argument of a class holds for its subclasses, too.
FAMILY_ARGUMENTS: Mapping[str, Mapping[str, FamilyArgument]] = {
    # --- data ---
    "PoseDataset": {
        "data_prefix": _only("", None, otherwise=_VIDEOS),
        "modality": _only("Pose", otherwise=_VIDEOS),
        "memcached": _only(False, otherwise="not supported; packs take its place (pack=True)"),
        "mc_cfg": _ANY,  # the address of memcached
        "valid_ratio": _only(None, otherwise=_KINETICS),
        "box_thr": _only(None, otherwise=_KINETICS),
        "sample_by_class": _only(False, otherwise="not supported; class_prob draws by class"),
        "power": _only(0, None, otherwise="not supported; class_prob draws by class"),
        "dynamic_length": _FALSE,
    },
    "LoaderConfig": {
        "pin_memory": _ANY,  # memory is pinned if there is a GPU
        "prefetch_factor": _ANY,
        "shuffle": _only(None, otherwise=_SHUFFLE),
    },
    "DataConfig": {"pin_memory": _ANY, "prefetch_factor": _ANY},
    # --- transforms ---
    "UniformSample": {"test_mode": _only(None, False, otherwise="the data set says it")},
    "UniformSampleDecode": {"test_mode": _only(None, False, otherwise="the data set says it")},
    "SampleFrames": {
        "twice_sample": _FALSE,
        "test_mode": _only(None, False, otherwise="the data set says it"),
        "start_index": _only(None, otherwise="the data set says it"),
        "keep_tail_frames": _FALSE,
        "frame_uniform": _FALSE,
    },
    "PoseDecode": {
        "random_drop": _FALSE,
        "random_seed": _ANY,  # of random_drop
        "drop_prob": _ANY,
        "manipulate_joints": _ANY,
    },
    "Flip": {"flip_label_map": _only(None, otherwise="not supported: labels are not mirrored")},
    # --- model ---
    "RecognizerGCN": {"neck": _only(None, otherwise="not supported: graph networks have no neck")},
    "GCNHead": {
        # Whether samples have several classes is seen from the labels.
        "multi_class": _only(False, True, otherwise="True or False"),
        "label_smooth_eps": _only(0, otherwise="not supported: labels are not smoothed"),
        "topk": _ANY,  # of the accuracies in the log
    },
    # --- training ---
    "OptimizerHookConfig": {
        "type": _only("OptimizerHook", "DistOptimizerHook", otherwise="not supported"),
        "coalesce": _ANY,  # how gradients are exchanged
        "bucket_size_mb": _ANY,
        "cumulative_iters": _only(1, otherwise="not supported; raise data.videos_per_gpu"),
        "update_interval": _only(1, otherwise="not supported; raise data.videos_per_gpu"),
        "use_fp16": _only(False, otherwise="say fp16=dict() instead"),
        "detect_anomalous_params": _only(False, otherwise="on_nonfinite is here instead"),
    },
    "CheckpointConfig": {
        "type": _only("CheckpointHook", otherwise="not supported"),
        "save_optimizer": _only(True, otherwise="not supported: runs are always resumable"),
        "save_last": _only(True, otherwise="not supported: the last checkpoint is always written"),
        "create_symlink": _only(True, otherwise="not supported: latest.pth is always written"),
        "out_dir": _only(None, otherwise="not supported; checkpoints go to work_dir"),
        "filename_tmpl": _only(
            "epoch_{}.pth", None, otherwise="not supported: resuming needs these names"
        ),
        "sync_buffer": _ANY,  # running statistics are averaged over the processes
    },
    "EvaluationConfig": {
        "by_epoch": _only(True, otherwise="not supported: validation takes place between epochs"),
        "rule": _only(None, "greater", otherwise="not supported: all metrics here rise"),
        "greater_keys": _ANY,
        "less_keys": _only(None, [], otherwise="not supported: all metrics here rise"),
        "out_dir": _only(None, otherwise="not supported; checkpoints go to work_dir"),
        "tmpdir": _ANY,  # how scores are gathered from the processes
        "gpu_collect": _ANY,
        "broadcast_bn_buffer": _ANY,  # running statistics are averaged over the processes
        "dynamic_intervals": _only(None, otherwise="not supported; use interval and start"),
        "test_fn": _only(None, otherwise="not supported"),
    },
    "ScaleLrConfig": {"enable": _only(False, otherwise="--auto-scale-lr does that")},
    "DistConfig": {"port": _ANY},  # a free port is found, or PORT in the environment
}


def family_argument(cls: Any, name: str, own: Sequence[str] = ()) -> FamilyArgument | None:
    """Return what is known about an argument that a class does not take itself.

    Args:
        cls: The class.
        name: The argument.
        own: The arguments that the class takes.
    """
    if name in own:
        return None
    for base in getattr(cls, "__mro__", ()):
        found = FAMILY_ARGUMENTS.get(base.__name__, {}).get(name)
        if found is not None and base.__module__.startswith("pyskl."):
            return found
    return None
