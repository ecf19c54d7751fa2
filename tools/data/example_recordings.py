"""Write example recordings: python tools/data/example_recordings.py FOLDER

docs/custom_dataset.md starts from these files, which look like the output of a depth camera: eight
persons perform five actions four times each, with one table per recording and one folder per
action. The joints are those of a Kinect v2 in alphabetical order. Some recordings lack frames or
joints, some show a second person standing by, and one was stopped before its first frame. A
recording of a ninth person is stored separately. The performers are those of the toy data set
(pyskl/datasets/toy/body.py), but the actions differ.

Shapes: M persons, T frames, V = 25 joints, C = 3 coordinates.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _command import Parser, add_debug, end_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyskl.datasets.toy.body import Performer

PERSONS, REPETITIONS, SEED = 8, 4, 7
STOPPED = ("kick", 3, 2)  # action, person and repetition of the recording without frames
NEW = ("kick", PERSONS + 1)  # action and person of the separate recording


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Write 160 recordings of five synthetic actions as tables, FOLDER/recordings/"
        "ACTION/PERSON_NUMBER.csv, and one more, FOLDER/new.csv. docs/custom_dataset.md trains on "
        "them."
    )
    parser.add_argument("folder", help="where to write")
    add_debug(parser)
    return parser.parse_args()


def actions() -> dict[str, Callable[[Performer], None]]:
    """Return functions by action that animate a performer who stands at ease."""
    import numpy as np

    from pyskl.datasets.toy.body import SIDES, ramp

    def there_and_back(p: Performer) -> Any:
        start, length = p.between(0.0, 0.15), p.between(0.3, 0.4)
        end = start + length + p.between(0.05, 0.2)
        return ramp(p.u, start, start + length) * (1 - ramp(p.u, end, end + length))

    def bow(p: Performer) -> None:
        p.lean(p.degrees(35, 70) * there_and_back(p))

    def squat(p: Performer) -> None:
        down = there_and_back(p)
        p.crouch(p.degrees(30, 50) * down)
        p.lean(p.degrees(15, 40) * down)

    def kick(p: Performer) -> None:
        start = p.between(0.1, 0.5)
        swing = ramp(p.u, start, start + 0.2) * (1 - ramp(p.u, start + 0.2, start + 0.45))
        bend = 4 * swing * (1 - swing)  # the knee bends on the way up, and is straight at the top
        p.move(p.arm.hip, swing, flexion=p.degrees(45, 80))
        p.angles[:, p.arm.knee, 0] += p.degrees(40, 70) * bend
        p.move(p.other_arm.shoulder, swing, flexion=p.degrees(10, 40))

    def raise_arms(p: Performer) -> None:
        up = there_and_back(p)
        flexion, abduction = p.degrees(0, 60), p.degrees(90, 165)
        for side in SIDES:
            p.move(side.shoulder, up, flexion=flexion, abduction=abduction)
            p.move(side.elbow, up, flexion=p.degrees(0, 25))

    def turn_around(p: Performer) -> None:
        start = p.between(0.05, 0.25)
        way = 1 if p.rng.random() < 0.5 else -1
        turned = ramp(p.u, start, start + p.between(0.5, 0.7))
        p.heading = p.heading + way * p.degrees(150, 200) * turned
        step = 4 * np.pi * turned
        for side in SIDES:
            lift = np.clip(side.sign * np.sin(step), 0, None)
            p.move(side.hip, flexion=p.degrees(15, 30) * lift)
            p.move(side.knee, flexion=p.degrees(25, 45) * lift)

    return {
        "bow": bow,
        "kick": kick,
        "raise_arms": raise_arms,
        "squat": squat,
        "turn_around": turn_around,
    }


def record(action: Callable[[Performer], None], person: int, rng: Any) -> Any:
    """Return positions (M, T, V, C) in metres as a depth camera sees them; NaN: not seen.

    x points to the camera's left, y up, z away from it.
    """
    import numpy as np

    from pyskl.datasets.toy.body import LEFT, RIGHT, Performer, style_of, turn_about_y

    frames = int(rng.integers(32, 64))
    performers = [Performer(style_of(SEED, person), rng, frames)]
    action(performers[0])
    if rng.random() < 0.15:  # somebody stands by
        performers.append(Performer(style_of(SEED, int(rng.integers(100, 200))), rng, frames))
        performers[1].place += [0.9, 0, 0.6]
    for performer in performers:
        performer.heading = performer.heading + np.pi  # toward the camera
    scene = np.stack([performer.joints() for performer in performers])
    scene = scene @ turn_about_y(np.deg2rad(rng.uniform(-40, 40))).T + [0, -1.1, 3.0]
    scene += rng.normal(0, 0.012, scene.shape)
    if rng.random() < 0.2:  # a hand is lost for a while
        side, first = (LEFT, RIGHT)[rng.integers(2)], int(rng.integers(frames - 8))
        scene[0, first : first + 8, [side.wrist, side.hand, side.tip, side.thumb]] = np.nan
    if rng.random() < 0.2:  # the camera was late
        scene[:, rng.integers(1, frames - 1, 3)] = np.nan
    return scene


def write_table(path: Path, keypoint: Any) -> None:
    """Write positions (M, T, V, C) as a table with a row for each frame and person."""
    import numpy as np

    from pyskl.files.atomic import write_text
    from pyskl.skeleton import resolve_layout

    names = resolve_layout("nturgb+d").joint_names
    order = np.argsort(names)
    head = [f"{names[joint]}_{axis}" for joint in order for axis in "xyz"]
    lines = [",".join(["frame", "person", *head])]
    for frame in range(keypoint.shape[1]):
        for person in range(len(keypoint)):
            values = keypoint[person, frame, order].ravel()
            if not np.isnan(values).all():
                cells = ("" if np.isnan(value) else f"{value:.3f}" for value in values)
                lines.append(",".join([str(frame), str(person), *cells]))
    write_text(path, "\n".join(lines) + "\n")


def main(args: argparse.Namespace) -> None:
    """Write the recordings."""
    import numpy as np

    from pyskl.errors import InputError

    folder = Path(args.folder)
    count = 0
    try:
        for number, (name, action) in enumerate(actions().items()):
            for person in range(1, PERSONS + 1):
                for repetition in range(1, REPETITIONS + 1):
                    rng = np.random.default_rng([SEED, number, person, repetition])
                    keypoint = record(action, person, rng)
                    if (name, person, repetition) == STOPPED:
                        keypoint = keypoint[:, :0]
                    path = folder / "recordings" / name / f"p{person}_{repetition}.csv"
                    write_table(path, keypoint)
                    count += 1
        name, person = NEW
        rng = np.random.default_rng([SEED, person])
        write_table(folder / "new.csv", record(actions()[name], person, rng))
    except OSError as error:
        raise InputError(f"{folder} can't be written to ({error})") from error
    print(f"{folder / 'recordings'}: {count} recordings of {len(actions())} actions")
    print(f"{folder / 'new.csv'}: one more, of a person who is in none of them")


if __name__ == "__main__":
    end_with(main, parse_args())
