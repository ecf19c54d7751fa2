"""Layouts that several test modules make up."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from pyskl.skeleton import SkeletonLayout


@st.composite
def trees(draw: st.DrawFn) -> SkeletonLayout:
    """A layout whose edges are a random tree with randomly numbered joints."""
    size = draw(st.integers(1, 30))
    numbers = draw(st.permutations(range(size)))
    edges = [(numbers[joint], numbers[draw(st.integers(0, joint - 1))]) for joint in range(1, size)]
    random.Random(draw(st.integers())).shuffle(edges)
    return SkeletonLayout("tree", size, edges, center=numbers[0])


@st.composite
def bodies(draw: st.DrawFn) -> SkeletonLayout:
    """A layout of two sides: a random trunk, and random limbs that hang on it on both sides."""
    trunk = draw(st.integers(1, 6))
    edges = [(joint, draw(st.integers(0, joint - 1))) for joint in range(1, trunk)]
    parents = {joint: joint for joint in range(trunk)}  # of a joint, on its own side
    left: list[int] = []
    right: list[int] = []
    for number in range(draw(st.integers(1, 8))):
        one, other = trunk + 2 * number, trunk + 2 * number + 1
        parent = draw(st.sampled_from([*range(trunk), *left]))
        mirrored = right[left.index(parent)] if parent in left else parents[parent]
        edges += [(one, parent), (other, mirrored)]
        left.append(one)
        right.append(other)
    size = trunk + 2 * len(left)
    numbers = draw(st.permutations(range(size)))
    return SkeletonLayout(
        "body",
        size,
        [(numbers[child], numbers[parent]) for child, parent in edges],
        center=numbers[0],
        left=[numbers[joint] for joint in left],
        right=[numbers[joint] for joint in right],
    )
