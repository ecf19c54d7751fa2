"""What networks of PYSKL and its forks import, by the family's names.

``docs/models.md``, "Bring a network from a fork of PYSKL", shows how such a network is used here.
"""

from __future__ import annotations

from pyskl.models.backbones.aagcn import UnitAAGCN as unit_aagcn
from pyskl.models.backbones.ctrgcn import UnitCTRGCN as unit_ctrgcn
from pyskl.models.backbones.dgstgcn import DynamicGCN as dggcn
from pyskl.models.backbones.dgstgcn import DynamicTCN as dgmstcn
from pyskl.models.backbones.stgcn import UnitGCN as unit_gcn
from pyskl.models.backbones.temporal import MultiScaleTCN as mstcn
from pyskl.models.backbones.temporal import UnitTCN as unit_tcn
from pyskl.registry import BACKBONES
from pyskl.skeleton import Graph

__all__ = [
    "BACKBONES",
    "Graph",
    "dggcn",
    "dgmstcn",
    "mstcn",
    "unit_aagcn",
    "unit_ctrgcn",
    "unit_gcn",
    "unit_tcn",
]
