"""Load the weights and the optimizer state of a checkpoint."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.checkpoints.names import plain_name, plain_names, translated_names
from pyskl.errors import CheckpointError
from pyskl.logging.log import get_logger

_MAX_LISTED = 12  # mismatches in a message
_COUNTER = ".num_batches_tracked"  # BatchNorm does not use it with a momentum

# Entries of parameter groups that checkpoints of older torch lack; the defaults don't change the
# update.
_IMPLEMENTATION_OPTIONS = frozenset(
    {"capturable", "decoupled_weight_decay", "differentiable", "foreach", "fused", "maximize"}
)


def load_weights(
    model: nn.Module, state_dict: Mapping[str, Tensor], source: str, *, new_head: bool = False
) -> None:
    """Copy the weights of a checkpoint into a model.

    The counters ``num_batches_tracked`` of BatchNorm may be missing, as in torch itself.

    Args:
        model: The model.
        state_dict: Its parameters and buffers by name; modules that wrap the model (see
            :func:`pyskl.checkpoints.names.plain_name`) may be part of the names.
        source: Where they came from; for messages.
        new_head: For fine-tuning, usually with a new head: take what fits, also under the names of
            MMAction2 and the first ST-GCN, and list the rest in a warning.

    Raises:
        CheckpointError: listing the keys and shapes that don't fit; the model is not changed. With
            ``new_head`` only if no parameter fits.
    """
    fitting, mismatches = _fit(model, state_dict, source, new_head=new_head)
    if mismatches:
        total = len(model.state_dict())
        get_logger().warning(
            "%s does not fit exactly: %d of the model's %d weights are taken%s (%s)",
            *(source, len(fitting), total),
            ", the rest starts untrained" if len(fitting) < total else "",
            "; ".join(_listed(mismatches)),
        )
    model.load_state_dict(fitting, strict=False)


def check_weights_fit(
    model: nn.Module, state_dict: Mapping[str, Tensor], source: str, *, new_head: bool = False
) -> None:
    """Check the weights as :func:`load_weights` does, without changing the model.

    Raises:
        CheckpointError: listing the keys and shapes that don't fit.
    """
    _fit(model, state_dict, source, new_head=new_head)


def _fit(
    model: nn.Module, state_dict: Mapping[str, Tensor], source: str, *, new_head: bool
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights that fit, by their names in the model, and a line for each that doesn't.

    Raises:
        CheckpointError: if some don't fit; with ``new_head`` only if no parameter does.
    """
    own = {plain_name(name): (name, value) for name, value in model.state_dict().items()}
    given = plain_names(state_dict, source)
    if new_head:
        given = OrderedDict(translated_names(given, own))
    shapes = {
        name: (tuple(value.shape), tuple(own[name][1].shape))
        for name, value in given.items()
        if name in own and value.shape != own[name][1].shape
    }
    missing = [name for name in own if name not in given and not name.endswith(_COUNTER)]
    unexpected = [name for name in given if name not in own]
    mismatches = [
        *(f"{name}: missing in the file" for name in missing),
        *(f"{name}: not in the model" for name in unexpected),
        *(f"{name}: shape {a} for the model's {b}" for name, (a, b) in sorted(shapes.items())),
    ]
    fitting = {
        own[name][0]: value for name, value in given.items() if name in own and name not in shapes
    }
    parameters = {name for name, _ in model.named_parameters()}
    if mismatches and not (new_head and parameters & fitting.keys()):
        raise CheckpointError(
            f"does not fit the model that the config describes ({len(missing)} missing, "
            f"{len(unexpected)} not in the model, {len(shapes)} of another shape):",
            file=source,
            errors=list(map(CheckpointError, _listed(mismatches))),
        )
    return fitting, mismatches


def _listed(mismatches: list[str]) -> list[str]:
    more = len(mismatches) - _MAX_LISTED
    return mismatches[:_MAX_LISTED] + ([f"and {more} more"] if more > 0 else [])


def load_optimizer(optimizer: Optimizer, checkpoint: OpenedCheckpoint) -> None:
    """Load the optimizer state of a checkpoint.

    Raises:
        CheckpointError: if it is the state of another optimizer, or of other parameters.
    """
    state = checkpoint.optimizer
    try:
        known = set.intersection(*(set(group) for group in state["param_groups"]))
        missing = sorted(set(optimizer.defaults) - known - _IMPLEMENTATION_OPTIONS)
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        optimizer.load_state_dict(state)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"does not fit {type(optimizer).__name__} ({error})",
            file=checkpoint.source,
            key="optimizer",
            hint="to start from its weights only, use load_from",
        ) from error
