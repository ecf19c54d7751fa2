"""Load the weights and the optimizer state of a checkpoint; any mismatch is an error."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from pyskl.checkpoints.checkpoint import OpenedCheckpoint
from pyskl.errors import CheckpointError
from pyskl.logging.log import get_logger

_MAX_LISTED = 12  # mismatches in a message

# Entries of parameter groups that checkpoints of older torch lack; the defaults don't change the
# update.
_IMPLEMENTATION_OPTIONS = frozenset(
    {"capturable", "decoupled_weight_decay", "differentiable", "foreach", "fused", "maximize"}
)

Shapes = tuple[tuple[int, ...], tuple[int, ...]]


def load_weights(
    model: nn.Module, state_dict: Mapping[str, Tensor], source: str, *, new_head: bool = False
) -> None:
    """Copy the weights of a checkpoint into a model.

    Args:
        model: The model.
        state_dict: Its parameters and buffers by name.
        source: Where they came from; for messages.
        new_head: For fine-tuning: skip classifier weights of another shape, with a warning.

    Raises:
        CheckpointError: listing the keys and shapes that don't fit; the model is not changed.
    """
    skipped = check_weights_fit(model, state_dict, source, new_head=new_head)
    if skipped:
        get_logger().warning(
            "the classifier of %s has another size and starts untrained (%s)",
            source,
            "; ".join(f"{name}: {shapes}" for name, shapes in _describe_shapes(skipped)),
        )
    fitting = {name: value for name, value in state_dict.items() if name not in skipped}
    model.load_state_dict(fitting, strict=False)


def check_weights_fit(
    model: nn.Module, state_dict: Mapping[str, Tensor], source: str, *, new_head: bool = False
) -> dict[str, Shapes]:
    """Check the weights as :func:`load_weights` does, without changing the model.

    Returns:
        Name → shapes in the file and in the model, of the weights that ``new_head`` skips.

    Raises:
        CheckpointError: listing the keys and shapes that don't fit.
    """
    own = model.state_dict()
    mismatched: dict[str, Shapes] = {
        name: (tuple(value.shape), tuple(own[name].shape))
        for name, value in state_dict.items()
        if name in own and value.shape != own[name].shape
    }
    skipped = {
        name: mismatched.pop(name)
        for name in list(mismatched)
        if new_head and name.startswith("cls_head.")
    }
    missing = [name for name in own if name not in state_dict]
    unexpected = [name for name in state_dict if name not in own]
    mismatches = [
        *(f"{name}: missing in the file" for name in missing),
        *(f"{name}: not in the model" for name in unexpected),
        *(f"{name}: {shapes}" for name, shapes in _describe_shapes(mismatched)),
    ]
    if mismatches:
        shown = mismatches[:_MAX_LISTED]
        if len(mismatches) > _MAX_LISTED:
            shown.append(f"and {len(mismatches) - _MAX_LISTED} more")
        raise CheckpointError(
            f"does not fit the model that the config describes ({len(missing)} missing, "
            f"{len(unexpected)} not in the model, {len(mismatched)} of another shape):",
            file=source,
            errors=[CheckpointError(mismatch) for mismatch in shown],
        )
    return skipped


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


def _describe_shapes(mismatched: Mapping[str, Shapes]) -> list[tuple[str, str]]:
    return [
        (name, f"shape {found} for the model's {own}")
        for name, (found, own) in sorted(mismatched.items())
    ]
