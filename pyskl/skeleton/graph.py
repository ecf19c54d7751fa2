"""Adjacency matrices of skeleton layouts, for graph convolutions.

Shapes: K subsets, V joints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.sparse.csgraph import shortest_path

from pyskl.errors import ConfigError, did_you_mean
from pyskl.skeleton.layout import Pair, SkeletonLayout
from pyskl.skeleton.resolve import resolve_layout


class Graph:
    """The graph of a skeleton, split into K subsets of weighted edges.

    The modes:

    - ``'stgcn_spatial'``: for each distance up to ``max_hop``, the neighbours nearer to the centre
      and the others (Yan et al., "Spatial temporal graph convolutional
      networks", AAAI 2018, section 3.3); K = 1 + 2 · max_hop.
    - ``'spatial'``: self, inward and outward edges; K = 3.
    - ``'binary_adj'``: all edges both ways, not normalised; K = 1.
    - ``'random'``: normally distributed weights between all joints; K = ``num_filter``.

    Args:
        layout: A layout, the name of a built-in one, a mapping, or the path of a ``.json`` file
            (:func:`pyskl.skeleton.resolve_layout`).
        mode: One of the modes above.
        max_hop: The largest distance between neighbours, in edges; for ``'stgcn_spatial'``.
        num_filter: Number of subsets of ``'random'``.
        init_std: Standard deviation of the weights of ``'random'``.
        init_off: Mean of the weights of ``'random'``.
        seed: Seed of the weights of ``'random'``; None draws from NumPy's global generator.

    Attributes:
        A: float64 (K, V, V); entry [k, v, w] is the weight from joint v to joint w.
        hop_dis: float64 (V, V); number of edges between two joints, infinite beyond ``max_hop``.
        layout, num_node, center: The layout, its number of joints, its centre.
        inward, outward: The edges as (child, parent) and as (parent, child).

    Raises:
        ConfigError: for an unknown layout or mode, or a number out of range.

    Example:
        >>> Graph('nturgb+d', mode='stgcn_spatial').A.shape
        (3, 25, 25)
    """

    layout: SkeletonLayout
    num_node: int
    center: int
    inward: list[Pair]
    outward: list[Pair]
    hop_dis: np.ndarray
    A: np.ndarray

    def __init__(
        self,
        layout: str | Mapping[str, Any] | SkeletonLayout = "coco",
        mode: str = "spatial",
        max_hop: int = 1,
        num_filter: int = 3,
        init_std: float = 0.02,
        init_off: float = 0.04,
        seed: int | None = None,
    ) -> None:
        if max_hop < 0:
            raise ConfigError(f"max_hop of a graph is 0 or more, found {max_hop}")
        if num_filter < 1:
            raise ConfigError(f"num_filter of a graph is 1 or more, found {num_filter}")
        if init_std < 0:
            raise ConfigError(f"init_std of a graph is 0 or more, found {init_std}")
        self.layout = resolve_layout(layout)
        self.mode = mode
        self.max_hop = max_hop
        self.num_filter = num_filter
        self.init_std = init_std
        self.init_off = init_off
        self.seed = seed

        self.num_node = self.layout.num_joints
        self.center = self.layout.center
        self.inward = list(self.layout.edges)
        self.outward = [(parent, child) for child, parent in self.inward]
        self.hop_dis = hop_distance(self.num_node, self.inward, max_hop)

        modes: dict[str, Callable[[], np.ndarray]] = {
            "stgcn_spatial": self._stgcn_spatial,
            "spatial": self._spatial,
            "binary_adj": self._binary_adj,
            "random": self._random,
        }
        if mode not in modes:
            raise ConfigError(f"there is no graph mode {mode!r}{did_you_mean(str(mode), modes)}")
        self.A = modes[mode]()

    def __repr__(self) -> str:
        return f"Graph(layout={self.layout.name!r}, mode={self.mode!r}, A={self.A.shape})"

    def _stgcn_spatial(self) -> np.ndarray:
        hop = self.hop_dis
        weights = normalize_columns((hop <= self.max_hop).astype(np.float64))
        to_center = hop[:, self.center]
        # Joints farther than max_hop from the centre all have distance inf, so they tie, as in the
        # code that published weights were trained with.
        no_nearer = to_center[:, None] >= to_center[None, :]
        subsets = []
        for distance in range(self.max_hop + 1):
            ring = np.where(hop == distance, weights, 0.0)
            subsets.append(np.where(no_nearer, ring, 0.0))
            if distance > 0:
                subsets.append(np.where(no_nearer, 0.0, ring))
        return np.stack(subsets)

    def _spatial(self) -> np.ndarray:
        # Entry [parent, child] of the inward matrix: edges are (child, parent).
        inward = _edge_matrix(self.outward, self.num_node)
        outward = _edge_matrix(self.inward, self.num_node)
        return np.stack(
            [np.eye(self.num_node), normalize_columns(inward), normalize_columns(outward)]
        )

    def _binary_adj(self) -> np.ndarray:
        return _edge_matrix(self.inward + self.outward, self.num_node)[None]

    def _random(self) -> np.ndarray:
        normal = np.random.normal if self.seed is None else np.random.RandomState(self.seed).normal
        return normal(self.init_off, self.init_std, (self.num_filter, self.num_node, self.num_node))


def hop_distance(num_joints: int, edges: list[Pair], max_hop: int) -> np.ndarray:
    """Return the lengths of the shortest paths: float64 (V, V), infinite above ``max_hop``."""
    links = _edge_matrix(edges, num_joints)
    hop = shortest_path(links, directed=False, unweighted=True)
    return np.where(hop <= max_hop, hop, np.inf)


def normalize_columns(matrix: np.ndarray) -> np.ndarray:
    """Divide each column of a matrix by its sum; columns that sum to zero stay as they are."""
    sums = matrix.sum(axis=0, keepdims=True)
    return matrix / np.where(sums == 0, 1.0, sums)


def _edge_matrix(edges: list[Pair], num_joints: int) -> np.ndarray:
    """Return the matrix (V, V) with 1 at [a, b] for each pair (a, b)."""
    matrix = np.zeros((num_joints, num_joints))
    for first, second in edges:
        matrix[first, second] = 1.0
    return matrix
