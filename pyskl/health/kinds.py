"""The kinds of findings: how severe each is, what it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the worst on."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        key: Its name in JSON.
        severity: ``error``: training would refuse the file, or learn or measure something wrong;
            ``warning``: worth a look before training; ``note``: good to know.
        title: What is counted, in the plural.
        meaning: What follows from it.
        remedy: What to do.
        fixed: Whether the cleaned copy has none of them.
    """

    key: str
    severity: Severity
    title: str
    meaning: str
    remedy: str
    fixed: bool = False


_FIX = "--fix"
_LOOK = "Look at some of them."
_CONFIG = "Change the config, or the data."

_KINDS = (
    # --- single samples: what training refuses ---
    Kind(
        "structure",
        "error",
        "malformed samples",
        "Training refuses the file because of them.",
        f"Write them as docs/data.md says; {_FIX} repairs what has one meaning and drops the rest.",
        fixed=True,
    ),
    Kind(
        "total_frames",
        "error",
        "samples whose total_frames is not their number of frames",
        "Training refuses the file because of them.",
        f"{_FIX} sets the number.",
        fixed=True,
    ),
    Kind(
        "nonfinite",
        "error",
        "samples with values that are NaN or infinite",
        "One of them makes all weights NaN; training refuses the file.",
        f"{_FIX} makes such joints absent, and drops samples that have too few others.",
        fixed=True,
    ),
    Kind(
        "label",
        "error",
        "samples whose label is no class",
        "Training refuses the file because of them.",
        f"A label is a whole number from 0; {_FIX} drops those without one.",
        fixed=True,
    ),
    # --- the set as a whole: what training refuses or learns wrong ---
    Kind(
        "duplicate_ids",
        "error",
        "ids that several samples have",
        "A split that lists such an id is refused, as it may mean either.",
        f"Name the samples differently; {_FIX} keeps the first of each.",
        fixed=True,
    ),
    Kind(
        "joints_differ",
        "error",
        "samples with another number of joints than most",
        "A batch takes one number of joints.",
        f"They are of another skeleton: keep them in a file of their own; {_FIX} drops them.",
        fixed=True,
    ),
    Kind(
        "coordinates_differ",
        "error",
        "samples with another number of coordinates than most",
        "A batch takes either 2D or 3D.",
        f"Keep them in a file of their own; {_FIX} drops them.",
        fixed=True,
    ),
    Kind(
        "scores_partial",
        "error",
        "samples without keypoint_score among samples with it",
        "Their joints have one channel less, and a batch takes one number.",
        "Give them scores (1 for every joint that is there), or drop them.",
    ),
    Kind(
        "split_unknown",
        "error",
        "ids of splits that have no sample",
        "Training refuses such a split.",
        f"{_FIX} takes them off the lists.",
        fixed=True,
    ),
    Kind(
        "split_empty",
        "error",
        "splits without a sample",
        "Training refuses such a split.",
        f"Look whether ids are spelt alike in splits and samples; {_FIX} leaves such splits out.",
        fixed=True,
    ),
    Kind(
        "split_overlap",
        "error",
        "samples that are both in a training split and in one to measure on",
        "What is measured on them tells nothing of other samples.",
        f"{_FIX} takes them off the training list.",
        fixed=True,
    ),
    Kind(
        "duplicate_across",
        "error",
        "samples to measure on that repeat a training sample",
        "Their keypoints are the same to the last bit, so what is measured on them tells nothing "
        "of other samples.",
        f"{_FIX} takes the training copies off the list; say so beside figures that are compared "
        "with others'.",
        fixed=True,
    ),
    Kind(
        "shared_across",
        "error",
        "samples to measure on that share frames with a training sample",
        "A run of frames is the same to the last bit: both were cut from one recording.",
        "Split by recording (or by person), not by clip.",
    ),
    Kind(
        "duplicate_labels",
        "error",
        "groups of identical samples with different labels",
        "At least one label of each group is wrong.",
        f"Find out which is right; {_FIX} takes them all off the training lists.",
    ),
    Kind(
        "class_untrained",
        "error",
        "classes to measure on that have no training sample",
        "They can't be learned.",
        "Look at the splits and the labels; where that is what the protocol wants, all is well.",
    ),
    Kind(
        "one_class",
        "error",
        "training splits of one class",
        "There is nothing to tell apart; training refuses them.",
        "Look at the labels.",
    ),
    # --- single samples: what is worth a look ---
    Kind(
        "all_zero",
        "warning",
        "samples in which all is zero",
        "There is no skeleton in them, but a label.",
        f"{_FIX} drops them.",
        fixed=True,
    ),
    Kind(
        "constant",
        "warning",
        "samples in which nothing moves",
        "All frames are the same; motion streams are zero.",
        "Look at how they were recorded or converted.",
    ),
    Kind(
        "mostly_empty",
        "warning",
        "samples with no person in half of their frames or more",
        "Most of the clip is zeros.",
        f"Cut them to where somebody is seen; {_FIX} cuts the ends.",
    ),
    Kind(
        "short",
        "warning",
        "samples of fewer than 8 frames",
        "A clip is made of them by repeating frames.",
        f"{_LOOK} An action of a quarter of a second is often a fault of cutting.",
    ),
    Kind(
        "person_jumps",
        "warning",
        "samples in which a person jumps",
        "At least half of a person's joints move by more than the person's size from one frame to "
        "the next, as when two persons swap their places in the array.",
        f"{_LOOK} Track the persons before writing them.",
    ),
    Kind(
        "mixed_scale",
        "warning",
        "samples of another scale than most",
        "Their skeletons are more than eight times larger or smaller than the median: another "
        "unit, or a fault of detection.",
        "Bring all to one unit.",
    ),
    Kind(
        "score_range",
        "warning",
        "samples with scores outside of 0 to 1",
        "Thresholds on scores mean something else there.",
        "Scale the scores of that detector to 0 to 1.",
    ),
    Kind(
        "no_img_shape",
        "warning",
        "2D samples without img_shape",
        "PreNormalize2D then takes its own argument, 1080 x 1920 by default.",
        "Write img_shape=(height, width), or set it in the config.",
    ),
    Kind(
        "outside_image",
        "warning",
        "samples with more than a tenth of their joints outside of the image",
        "img_shape is not that of the video, or height and width are swapped.",
        "img_shape is (height, width).",
    ),
    Kind(
        "normalised",
        "warning",
        "2D samples whose coordinates are no pixels",
        "They lie within -2 to 2, as after a normalisation; PreNormalize2D would do it again.",
        "Leave PreNormalize2D out of the pipeline.",
    ),
    # --- the set as a whole: what is worth a look ---
    Kind(
        "dtype_differ",
        "warning",
        "samples of another float type than most",
        "The file can't be packed for fast and shared reading.",
        f"{_FIX} converts them.",
        fixed=True,
    ),
    Kind(
        "dead_joints",
        "warning",
        "joints that are zero in every frame",
        "The joint was not recorded, or all was centred on it. PreNormalize3D takes zeros for "
        "absent joints and leaves them where they are.",
        "Where it is the centre, add any constant to all joints that are there.",
    ),
    Kind(
        "float16_coarse",
        "warning",
        "float types that are coarse for these coordinates",
        "Far from zero the steps of float16 are larger than a hundredth of a person.",
        "Store float32, or subtract the first frame's centre before storing.",
    ),
    Kind(
        "duplicate_training",
        "warning",
        "samples that repeat another one of their training split",
        "They count twice.",
        f"{_FIX} keeps the first of each.",
        fixed=True,
    ),
    Kind(
        "split_repeats",
        "warning",
        "ids that a split lists twice",
        "They are used once.",
        f"{_FIX} lists them once.",
        fixed=True,
    ),
    Kind(
        "label_gap",
        "warning",
        "labels between 0 and the greatest that no sample has",
        "The model has an output for them that is never right.",
        "Number the classes from 0 without gaps, or add the missing samples.",
    ),
    Kind(
        "label_names",
        "warning",
        "labels without a name",
        "The file has names of classes, but fewer than labels.",
        "Add the names, in the order of the labels.",
    ),
    # --- good to know ---
    Kind(
        "duplicate_test",
        "note",
        "samples that repeat another one of a split to measure on",
        "They count twice in what is measured.",
        "Kept as they are by --fix, so that figures stay comparable.",
    ),
    Kind(
        "shared_frames",
        "note",
        "samples that share a run of frames with another one",
        "A run of frames is the same to the last bit: one is a cut of the other, or both overlap.",
        "Keep all cuts of a recording in one split.",
    ),
    Kind(
        "empty_ends",
        "note",
        "samples that begin or end with frames without persons",
        "Frames are drawn from the whole length, so zeros are among them, unless PreNormalize3D "
        "is in the pipeline.",
        f"{_FIX} cuts them off.",
        fixed=True,
    ),
    Kind(
        "empty_frames",
        "note",
        "samples with frames without persons in between",
        "Those frames are zeros, unless PreNormalize3D is in the pipeline, which leaves them out.",
        "Look at the detector, where they are many.",
    ),
    Kind(
        "empty_slots",
        "note",
        "samples with places for persons in which nobody is",
        "They take memory and time.",
        "Leave all-zero persons out; FormatGCNInput pads.",
    ),
    Kind(
        "zero_joints",
        "note",
        "samples with single joints at zero beside others that are there",
        "Zero means absent; bones to such joints are long.",
        _LOOK,
    ),
    Kind(
        "joint_jumps",
        "note",
        "samples in which a joint jumps",
        "A joint moves by more than the person's size from one frame to the next.",
        f"{_LOOK} A median over three frames takes out single outliers.",
    ),
    Kind(
        "repeated_frames",
        "note",
        "samples in which half of the frames repeat the one before",
        "The video has fewer frames than the file, or the clip was padded.",
        "Store what was recorded; pipelines bring clips to one length.",
    ),
    Kind(
        "length",
        "note",
        "samples much shorter or longer than most",
        "They are more than four times as long as the median, or as short, and far from the bulk.",
        _LOOK,
    ),
    Kind(
        "no_scores",
        "note",
        "2D samples without keypoint_score",
        "Networks on 2D joints read x, y and the score; without scores they get x and y.",
        "Set in_channels=2 in the backbone, or store the detector's scores.",
    ),
    Kind(
        "unlisted",
        "note",
        "samples that no split lists",
        "They are never used.",
        "Nothing, unless a split should list them.",
    ),
    Kind(
        "class_missing",
        "note",
        "classes that a split to measure on lacks",
        "Its mean class accuracy says nothing of them.",
        "Nothing, unless the split should have them.",
    ),
    Kind(
        "unbalanced",
        "note",
        "training splits with ten times as many samples of one class as of another",
        "The accuracy of rare classes suffers.",
        "class_prob of PoseDataset draws rare classes more often.",
    ),
    # --- against a config ---
    Kind(
        "config_faults",
        "error",
        "faults of the config itself",
        "Training refuses the config.",
        "Change the config as each says.",
    ),
    Kind(
        "config_split",
        "error",
        "splits that the config names and the file lacks",
        "Training refuses the config.",
        _CONFIG,
    ),
    Kind(
        "config_joints",
        "error",
        "joints in which config and data differ",
        "The layout is not that of the data.",
        _CONFIG,
    ),
    Kind(
        "config_coordinates",
        "error",
        "coordinates in which config and data differ",
        "The layout is for 3D and the data are 2D.",
        _CONFIG,
    ),
    Kind(
        "config_classes",
        "error",
        "samples whose label the model has no class for",
        "Training refuses the file.",
        "Set model.cls_head.num_classes to one more than the greatest label.",
    ),
    Kind(
        "config_long",
        "error",
        "samples longer than PadTo's length",
        "PadTo refuses them in the middle of an epoch.",
        "Raise the length, or draw frames with UniformSample.",
    ),
    Kind(
        "config_unused_classes",
        "warning",
        "classes of the model that no sample has",
        "Their outputs are never right.",
        "Set model.cls_head.num_classes to the number of classes.",
    ),
    Kind(
        "config_persons",
        "warning",
        "samples with more persons than num_person",
        "FormatGCNInput leaves out the last ones.",
        "Raise num_person, or see that the main persons come first.",
    ),
    Kind(
        "config_mirror",
        "warning",
        "mirror pairs whose bones differ in length",
        "Left and right of a body are alike: the layout's pairs are hardly those of the data.",
        "Compare left and right of the layout with the order of the joints.",
    ),
    Kind(
        "config_spare_persons",
        "note",
        "places for persons that no sample fills",
        "The network computes zeros for them.",
        "Lower num_person.",
    ),
    Kind(
        "config_short",
        "note",
        "samples shorter than the clips drawn from them",
        "Their frames are repeated to fill a clip.",
        "A shorter clip_len computes less, where that is most of the samples.",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.key: kind for kind in _KINDS})
"""All kinds by key, within a severity in the order of a report."""
