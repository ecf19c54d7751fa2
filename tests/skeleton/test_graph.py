from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pyskl.errors import ConfigError
from pyskl.skeleton import LAYOUTS, Graph, SkeletonLayout

MODES = ("stgcn_spatial", "spatial", "binary_adj")
FAMILY = ("nturgb+d", "coco", "openpose", "handmp")  # the layouts that the original has, too


@pytest.mark.shared_data
@pytest.mark.parametrize(("layout", "mode"), list(product(FAMILY, MODES)))
def test_matrices_are_the_original_s(golden: Path, layout: str, mode: str) -> None:
    with np.load(golden / "graphs.npz", allow_pickle=False) as arrays:
        expected, hop_dis = arrays[f"{layout}/{mode}"], arrays[f"{layout}/hop_dis"]
    graph = Graph(layout, mode=mode)
    assert graph.A.dtype == np.float64
    assert_allclose(graph.A, expected, rtol=0, atol=1e-9)
    assert_array_equal(graph.hop_dis, hop_dis)


@st.composite
def chains_with_branches(draw: st.DrawFn) -> SkeletonLayout:
    size = draw(st.integers(1, 15))
    edges = [(joint, draw(st.integers(0, joint - 1))) for joint in range(1, size)]
    return SkeletonLayout("tree", size, edges, center=0)


@given(chains_with_branches(), st.integers(0, 16))
def test_hops_are_shortest_paths(layout: SkeletonLayout, max_hop: int) -> None:
    hop = Graph(layout, "stgcn_spatial", max_hop=max_hop).hop_dis
    far = np.full((layout.num_joints, layout.num_joints), np.inf)  # Floyd and Warshall's way
    np.fill_diagonal(far, 0)
    for a, b in layout.edges:
        far[a, b] = far[b, a] = 1
    for joint in range(layout.num_joints):
        far = np.minimum(far, far[:, [joint]] + far[[joint]])
    assert_array_equal(hop, np.where(far <= max_hop, far, np.inf))


@given(chains_with_branches(), st.integers(0, 4))
def test_stgcn_spatial_parts_the_normalised_neighbourhood(
    layout: SkeletonLayout, max_hop: int
) -> None:
    graph = Graph(layout, "stgcn_spatial", max_hop=max_hop)
    assert len(graph.A) == 1 + 2 * max_hop
    assert ((graph.A > 0).sum(axis=0) <= 1).all(), "an entry is in one subset"
    assert_array_equal((graph.A > 0).any(axis=0), np.isfinite(graph.hop_dis))
    assert_allclose(graph.A.sum(axis=(0, 1)), 1)


@given(chains_with_branches())
def test_spatial_and_binary_hold_each_edge_both_ways(layout: SkeletonLayout) -> None:
    identity, inward, outward = Graph(layout, "spatial").A
    assert_array_equal(identity, np.eye(layout.num_joints))
    assert {(child, parent) for parent, child in np.argwhere(inward)} == set(layout.edges)
    assert {(child, parent) for child, parent in np.argwhere(outward)} == set(layout.edges)
    for matrix in (inward, outward):
        assert set(matrix.sum(axis=0).round(12)) <= {0.0, 1.0}
    binary = Graph(layout, "binary_adj").A[0]
    assert_array_equal(binary, (inward > 0) | (outward > 0))


def test_random_weights_follow_the_seed_and_the_moments() -> None:
    graph = Graph("nturgb+d", "random", num_filter=64, init_std=0.5, init_off=3, seed=1)
    assert graph.A.shape == (64, 25, 25)
    assert abs(graph.A.mean() - 3) < 0.02
    assert abs(graph.A.std() - 0.5) < 0.02
    again = Graph("nturgb+d", "random", num_filter=64, init_std=0.5, init_off=3, seed=1)
    assert_array_equal(again.A, graph.A)
    assert (Graph("coco", "random", seed=2).A != Graph("coco", "random", seed=1).A).all()


def test_random_weights_without_a_seed_follow_numpy_s() -> None:
    np.random.seed(5)
    first = Graph("coco", "random").A
    assert (first != Graph("coco", "random").A).all()
    np.random.seed(5)
    assert_array_equal(Graph("coco", "random").A, first)


def test_attributes() -> None:
    from pyskl.utils import Graph as FamilyGraph

    assert FamilyGraph is Graph
    graph = Graph()
    assert (graph.layout, graph.num_node, graph.center) == (LAYOUTS["coco"], 17, 0)
    assert (15, 13) in graph.inward
    assert (13, 15) in graph.outward
    assert repr(graph) == "Graph(layout='coco', mode='spatial', A=(3, 17, 17))"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "stgcn_spacial"}, "did you mean 'stgcn_spatial'"),
        ({"layout": "openpos"}, "did you mean 'openpose'"),
        ({"max_hop": -1}, "max_hop"),
        ({"num_filter": 0}, "num_filter"),
        ({"init_std": -1.0}, "init_std"),
    ],
)
def test_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Graph(**arguments)  # type: ignore[arg-type]
