"""Raw ``.skeleton`` files that nobody recorded, in the format of NTU RGB+D.

As a script it writes a folder of them to measure with:
``python tests/recordings/ntu/synthetic_skeletons.py FOLDER --files 2000``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# As Kinect gives them: beyond what float64 tells apart.
FIRST_ID = 72057594037931101

# A body of so many joints that stands upright: metres from its middle.
_RNG = np.random.default_rng(0)
POSE = _RNG.uniform(-1, 1, (25, 3)) * (0.25, 0.85, 0.15)

Frames = Sequence[Sequence[tuple[int, np.ndarray]]]


def moving_body(frames: int, rng: np.random.Generator, *, at: float = 0.0) -> np.ndarray:
    """Return a body (T, V, C) that moves a little, ``at`` metres to the side."""
    drift = rng.normal(0, 0.01, (frames, 1, 3)).cumsum(axis=0)
    return POSE + drift + rng.normal(0, 0.01, (frames, 25, 3)) + (at, 0.1, 3.2)


def number(value: float) -> str:
    """Spell a number as the recorder did: seven digits."""
    return f"{value:.7g}".replace("e", "E")


def skeleton_text(frames: Frames, *, end: str = "\r\n", seed: int = 0) -> bytes:
    """Spell frames, each a list of (id, joints (V, C)), as the content of a file."""
    rng = np.random.default_rng(seed)
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        others = rng.normal(size=(max(1, len(bodies)), 25, 8)) * (100, 100, 300, 300, 1, 1, 1, 1)
        for (identity, joints), rest in zip(bodies, others):
            lean = " ".join(map(number, rest[0, 4:6]))
            lines += [f"{identity} 0 1 1 0 0 0 {lean} 2", str(len(joints))]
            for joint, more in zip(joints, rest):
                lines.append(" ".join(map(number, (*joint, *more))) + " 2")
    return (end.join(lines) + end).encode()


def sample_text(rng: np.random.Generator, *, frames: int = 80, bodies: int = 1) -> bytes:
    """Return a file in which the same bodies are there all the time."""
    tracks = [moving_body(frames, rng, at=index) for index in range(bodies)]
    together = [
        [(FIRST_ID + index, track[frame]) for index, track in enumerate(tracks)]
        for frame in range(frames)
    ]
    return skeleton_text(together, seed=int(rng.integers(2**31)))


def sample_names(count: int) -> list[str]:
    """Return names of samples, of all cameras, subjects and actions from the first on."""
    return [
        f"S{1 + i % 32:03}C{1 + i % 3:03}P{1 + i % 106:03}R{1 + i // 120 % 999:03}A{1 + i % 120:03}"
        for i in range(count)
    ]


def write_folder(folder: Path, names: Sequence[str], *, frames: int = 80) -> None:
    """Write a file for each name: of one body, every other one of two."""
    folder.mkdir(parents=True, exist_ok=True)
    # Spelling numbers takes longer than reading them: a few files, written many times.
    rng = np.random.default_rng(0)
    lengths = [max(2, round(frames * share)) for share in (0.6, 0.8, 0.9, 1.0, 1.2, 1.5)]
    texts = [
        sample_text(rng, frames=length, bodies=1 + index % 2)
        for index, length in enumerate(lengths)
    ]
    for index, name in enumerate(names):
        (folder / f"{name}.skeleton").write_bytes(texts[index % len(texts)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    args = parser.parse_args()
    write_folder(args.folder, sample_names(args.files))
