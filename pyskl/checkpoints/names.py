"""The names of weights in checkpoints of other programs."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping

from torch import Tensor

from pyskl.errors import CheckpointError

# What torch inserts into names: torch.compile, FSDP and activation checkpointing.
_WRAPPERS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})

# The names of the first ST-GCN and of MMAction2 0.x (there below `backbone.`) → the names here.
# The last also holds for MMAction2 1.x.
_FIRST_STGCN = (
    (r"(?:backbone\.)?st_gcn_networks\.(\d+)\.gcn\.conv\.", r"backbone.gcn.\1.gcn.conv."),
    (r"(?:backbone\.)?st_gcn_networks\.(\d+)\.tcn\.0\.", r"backbone.gcn.\1.gcn.bn."),
    (r"(?:backbone\.)?st_gcn_networks\.(\d+)\.tcn\.2\.", r"backbone.gcn.\1.tcn.conv."),
    (r"(?:backbone\.)?st_gcn_networks\.(\d+)\.tcn\.3\.", r"backbone.gcn.\1.tcn.bn."),
    (r"(?:backbone\.)?st_gcn_networks\.(\d+)\.residual\.0\.", r"backbone.gcn.\1.residual.conv."),
    (r"(?:backbone\.)?st_gcn_networks\.(\d+)\.residual\.1\.", r"backbone.gcn.\1.residual.bn."),
    (r"(?:backbone\.)?edge_importance\.(\d+)$", r"backbone.gcn.\1.gcn.PA"),
    (r"(?:fcn|cls_head\.fc)\.", r"cls_head.fc_cls."),
    (r"", r"backbone."),  # a file of the backbone alone
)
# One matrix for all blocks; here each block has its own.
_FIRST_STGCN_GRAPH = re.compile(r"(?:backbone\.)?A")


def plain_name(name: str) -> str:
    """Return the name of a weight without the names of modules that wrap the model.

    These are ``module`` at the start (``DataParallel``, ``DistributedDataParallel``) and
    ``_orig_mod`` (``torch.compile``) anywhere, nested in any order.

    Example:
        >>> plain_name('module._orig_mod.module.backbone._orig_mod.data_bn.weight')
        'backbone.data_bn.weight'
    """
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    while len(parts) > 1 and parts[0] == "module":
        del parts[0]
    return ".".join(parts)


def plain_names(state_dict: Mapping[str, Tensor], source: str) -> OrderedDict[str, Tensor]:
    """Return weights by :func:`plain_name`.

    Args:
        state_dict: Tensors by name.
        source: Where they came from; for messages.

    Raises:
        CheckpointError: if two entries get one name.
    """
    found: OrderedDict[str, Tensor] = OrderedDict()
    for name, value in state_dict.items():
        plain = plain_name(str(name))
        if plain in found:
            raise CheckpointError(
                "has the weight twice, with and without the names of wrapping modules",
                file=source,
                key=plain,
            )
        found[plain] = value
    return found


def translated_names(
    state_dict: Mapping[str, Tensor], own: Collection[str]
) -> Iterator[tuple[str, Tensor]]:
    """Yield weights under the names here, if the first ST-GCN or MMAction2 named them.

    Args:
        state_dict: Tensors by name.
        own: The names in the model. Only names that the model lacks are translated, and only to
            names that it has and the file lacks.
    """

    def is_wanted(name: str) -> bool:
        return name in own and name not in state_dict

    for name, value in state_dict.items():
        if name in own:
            yield name, value
            continue
        targets = [
            target
            for pattern, replacement in _FIRST_STGCN
            if re.match(pattern, name)
            and is_wanted(target := re.sub(f"^{pattern}", replacement, name))
        ]
        if _FIRST_STGCN_GRAPH.fullmatch(name):
            targets = [
                target
                for target in own
                if re.fullmatch(r"backbone\.gcn\.\d+\.gcn\.A", target) and is_wanted(target)
            ]
        if targets and targets[0].startswith("cls_head.") and value.shape[2:] == (1, 1):
            value = value.flatten(1)  # there the classifier is a 1x1 convolution
        for target in targets or [name]:
            yield target, value
