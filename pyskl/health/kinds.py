"""The kinds of findings: severity, title, what a finding means and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast, get_args

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Worst first."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        key: Its name in JSON.
        severity: ``error``: training refuses the file, or learns or measures something wrong;
            ``warning``: worth a look before training; ``note``: for information.
        title: What is counted, in the plural.
        meaning: The consequence.
        remedy: What to do.
        fixed: Whether ``--fix`` removes all findings of this kind.
    """

    key: str
    severity: Severity
    title: str
    meaning: str
    remedy: str
    fixed: bool = False


# Each block is "key | severity | title", with "| fixed" where --fix removes the finding; then the
# meaning, and after ">" the remedy. Reports list the kinds of a severity in this order.
_TABLE = """
structure | error | malformed samples | fixed
Training refuses the file because of them.
> Write them as docs/data.md says; --fix repairs the unambiguous ones and drops the rest.

total_frames | error | samples whose total_frames is not their number of frames | fixed
Training refuses the file because of them.
> --fix sets the number.

nonfinite | error | samples with values that are NaN or infinite | fixed
One of them makes all weights NaN; training refuses the file.
> --fix sets such joints to zero, and drops samples with too few others.

label | error | samples whose label is not a class | fixed
Training refuses the file because of them.
> A label is a whole number from 0; --fix drops samples without one.

axes | error | samples whose axes are not (M, T, V, C) | fixed
Another axis has the number of frames or the coordinates, so persons would be taken for frames.
Training refuses the file because of them.
> --fix reorders the axes where exactly one order fits, and drops the rest.

joints_differ | error | samples with another number of joints than most | fixed
All samples of a batch need the same number of joints.
> They have another skeleton: keep them in a separate file; --fix drops them.

coordinates_differ | error | samples with another number of coordinates than most | fixed
A batch is either 2D or 3D.
> Keep them in a separate file; --fix drops them.

scores_partial | error | samples without keypoint_score among samples with it
Their joints have one channel fewer, and all samples of a batch need the same number.
> Give them scores (1 for every joint that was detected), or drop them.

split_unknown | error | ids in splits that no sample has | fixed
Training refuses such a split.
> --fix removes them from the lists.

split_empty | error | splits without a sample | fixed
Training refuses such a split.
> Check that the splits list the ids of the samples; --fix removes such splits.

split_overlap | error | samples in both a training split and its test split | fixed
Results on them say nothing about new samples.
> --fix removes them from the training list.

duplicate_across | error | test samples that repeat a training sample | fixed
Their keypoints are identical bit for bit, so results on them say nothing about new samples.
> --fix removes the training copies from the list; mention it when you compare results with others.

shared_across | error | test samples that share frames with a training sample
A run of frames is identical bit for bit: both were cut from one recording.
> Split by recording (or by person), not by clip.

duplicate_labels | error | groups of identical samples with different labels
At least one label of each group is wrong.
> Find out which is right; --fix removes them all from the training lists.

class_untrained | error | classes of a test split without a training sample
They can't be learned.
> Check the splits and the labels, unless the protocol is meant to be like this.

one_class | error | training splits with a single class
There is nothing to distinguish; training refuses them.
> Check the labels.

all_zero | warning | samples with nothing but zeros | fixed
They have a label, but no skeleton.
> --fix drops them.

constant | warning | samples without any motion
All frames are the same; motion streams are zero.
> Check how they were recorded or converted.

mostly_empty | warning | samples with no person in at least half of their frames
Most of the clip is zeros.
> Cut them to the frames with persons; --fix cuts the ends.

short | warning | samples with fewer than 8 frames
Their frames are repeated to fill a clip.
> Look at some of them. A clip of a quarter of a second is often a mistake in cutting.

person_jumps | warning | samples in which a person jumps
At least half of a person's joints move by more than the person's size between two frames, as when
two persons swap their slots in the array.
> Look at some of them. Track the persons before writing them.

mixed_scale | warning | samples of another scale than most
Their skeletons are more than eight times larger or smaller than the median: another unit, or a
detection error.
> Convert all samples to one unit.

score_range | warning | samples with scores outside 0 to 1
Score thresholds do not fit them.
> Scale the scores of that detector to 0 to 1.

no_img_shape | warning | 2D samples without img_shape
PreNormalize2D then uses its own argument; without it, 1080 x 1920 is assumed.
> Write img_shape=(height, width), or set it in the config.

outside_image | warning | samples with more than a tenth of their joints outside the image
img_shape is not that of the video, or height and width are swapped.
> img_shape is (height, width).

normalised | warning | 2D samples whose coordinates are not pixels
They lie within -2 to 2, as after a normalisation; PreNormalize2D would normalise them again.
> Leave PreNormalize2D out of the pipeline.

image_shares | warning | samples of three coordinates whose x and y are all within 0 to 1
They may be shares of an image, as MediaPipe's landmarks are: a body is then stretched by the width
over the height.
> Multiply x (and z) by the width and y by the height, or store world coordinates.

dtype_differ | warning | samples of another float type than most | fixed
The file can't be packed for fast, shared reading.
> --fix converts them.

dead_joints | warning | joints that are zero in every frame
The joint was not recorded, or all joints were centred on it. PreNormalize3D treats zeros as missing
joints and leaves them where they are.
> If it is the centre, add a constant to all joints that were detected.

float16_coarse | warning | float types too coarse for these coordinates
Far from zero the steps of float16 exceed a hundredth of a person's size.
> Store float32, or subtract the first frame's centre before storing.

duplicate_training | warning | samples that repeat another one of their training split | fixed
They count twice.
> --fix keeps the first of each.

split_repeats | warning | ids that a split lists twice | fixed
They are used once.
> --fix lists them once.

label_gap | warning | labels between 0 and the greatest that no sample has
The model has an output for them that is never right.
> Number the classes from 0 without gaps, or add the missing samples.

label_names | warning | labels without a name
The file names its classes, but has fewer names than labels.
> Add the names, in the order of the labels.

field_forms | note | samples with fields in another form than the usual one | fixed
They have one meaning and are read, such as scores in nested lists; other programs may refuse them.
> --fix writes the usual form.

duplicate_ids | note | ids of more than one sample
All samples of an id belong to the splits that list it; lists of predictions name them alike.
> Nothing, if they are clips of one recording; rename them to tell them apart.

duplicate_test | note | samples that repeat another one of their test split
They count twice in the results.
> --fix keeps them, so that results stay comparable.

shared_frames | note | samples that share a run of frames with another one
A run of frames is identical bit for bit: one was cut from the other, or both overlap.
> Keep all clips of a recording in one split.

empty_ends | note | samples that begin or end with frames without persons | fixed
Frames are sampled from the whole length, so they include zeros, unless PreNormalize3D is in the
pipeline.
> --fix cuts them off.

empty_frames | note | samples with frames without persons in between
Those frames are zeros, unless PreNormalize3D is in the pipeline, which leaves them out.
> Check the detector if there are many.

empty_slots | note | samples with empty person slots
They take memory and time.
> Leave all-zero persons out; FormatGCNInput pads.

zero_joints | note | samples with single joints at zero
Zero means missing; bones to such joints are long.
> Look at some of them.

joint_jumps | note | samples in which a joint jumps
A joint moves by more than the person's size between two frames.
> Look at some of them. A median over three frames removes single outliers.

repeated_frames | note | samples in which half of the frames repeat the previous one
The video has fewer frames than the file, or the clip was padded.
> Store what was recorded; pipelines bring clips to one length.

length | note | samples much shorter or longer than most
They are at least four times longer or shorter than the median, and outliers.
> Look at some of them.

no_scores | note | 2D samples without keypoint_score
Networks on 2D joints read x, y and the score; without scores they get x and y only.
> Set in_channels=2 in the backbone, or store the detector's scores.

unlisted | note | samples that no split lists
They are never used.
> Nothing, unless a split should list them.

class_missing | note | classes that a test split lacks
Its mean class accuracy does not include them.
> Nothing, unless the split should have them.

unbalanced | note | training splits with ten times more samples of one class than of another
The accuracy of rare classes suffers.
> class_prob of PoseDataset draws rare classes more often.

config_errors | error | errors in the config itself
Training refuses the config.
> Change the config as each message says.

config_refused | error | what training refuses in these data
Training with this config ends with this message before its first step.
> Change the config, or the data, as the message says.

config_split | error | splits that the config names and the file lacks
Training refuses the config.
> Change the config, or the data.

config_joints | error | joints that differ between config and data
The layout is not that of the data.
> Change the config, or the data.

config_coordinates | error | coordinates that differ between config and data
The layout is 3D and the data are 2D.
> Change the config, or the data.

config_classes | error | samples whose label the model has no class for
Training refuses the file.
> Count labels from 0 and correct stray ones; else set model.cls_head.num_classes to one more than
the greatest label.

config_long | error | samples longer than PadTo's length
PadTo refuses them in the middle of an epoch.
> Raise the length, or sample frames with UniformSample.

config_unused_classes | warning | classes of the model that no sample has
Their outputs are never right.
> Set model.cls_head.num_classes to the number of classes.

config_persons | warning | samples with more persons than num_person
FormatGCNInput drops the last ones.
> Raise num_person, or make sure that the main persons come first.

config_mirror | warning | mirror pairs whose bones differ in length
A body's left and right are alike, so the layout's pairs are probably not those of the data.
> Compare left and right of the layout with the order of the joints.

config_spare_persons | note | person slots that no sample fills
The network computes zeros for them.
> Lower num_person.

config_short | note | samples shorter than the clips sampled from them
Their frames are repeated to fill a clip.
> If most samples are so short, a shorter clip_len saves time.
"""


def _parse(table: str) -> Mapping[str, Kind]:
    kinds = {}
    for block in table.strip().split("\n\n"):
        head, text = block.split("\n", 1)
        key, severity, title, *fixed = head.split(" | ")
        meaning, remedy = re.split(r"\s+> ", text)
        kinds[key] = Kind(
            key,
            cast(Severity, severity),
            title,
            meaning=meaning.replace("\n", " "),
            remedy=remedy.replace("\n", " "),
            fixed=fixed == ["fixed"],
        )
    return MappingProxyType(kinds)


KINDS: Mapping[str, Kind] = _parse(_TABLE)
"""All kinds by key."""
