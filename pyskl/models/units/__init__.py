"""The units that blocks are made of: graph convolutions and temporal convolutions.

``GCN_UNITS`` and ``TCN_UNITS`` hold what a config's ``gcn_type`` and ``tcn_type`` name.
"""

from __future__ import annotations

from torch import nn

from pyskl.models.units.gcn import UnitGCN
from pyskl.models.units.tcn import MultiScaleTCN, UnitTCN

GCN_UNITS: dict[str, type[nn.Module]] = {"unit_gcn": UnitGCN}
TCN_UNITS: dict[str, type[nn.Module]] = {"unit_tcn": UnitTCN, "mstcn": MultiScaleTCN}

__all__ = ["GCN_UNITS", "TCN_UNITS", "MultiScaleTCN", "UnitGCN", "UnitTCN"]
