"""Arguments that the family spells out: neutral values change nothing, others are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyskl.apis.prepare import prepare
from pyskl.config import config_text, load_config, read_config
from pyskl.errors import ConfigError
from pyskl.family_arguments import FAMILY_ARGUMENTS, FamilyArgument

MakeConfig = Callable[..., dict[str, Any]]

# Where a config has the arguments of these classes.
PLACES = {
    "PoseDataset": "data.train",
    "LoaderConfig": "data.test_dataloader",
    "DataConfig": "data",
    "UniformSample": "data.train.pipeline.2",
    "PoseDecode": "data.train.pipeline.3",
    "RecognizerGCN": "model",
    "GCNHead": "model.cls_head",
    "OptimizerHookConfig": "optimizer_config",
    "CheckpointConfig": "checkpoint_config",
    "EvaluationConfig": "evaluation",
    "ScaleLrConfig": "auto_scale_lr",
    "DistConfig": "dist_params",
}
ARGUMENTS = [
    (f"{place}.{name}", argument)
    for cls, place in PLACES.items()
    for name, argument in FAMILY_ARGUMENTS[cls].items()
    if name != "type"
]


def placed(config: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key of a config, whose sections may be missing."""
    *parents, name = key.split(".")
    section: Any = config
    for part in parents:
        section = section[int(part)] if part.isdigit() else section.setdefault(part, {})
    section[name] = value


def value_of(argument: FamilyArgument, draw: Callable[[Any], Any]) -> Any:
    """Draw a neutral value."""
    anything = (None, True, 3, "x", [1, 2])
    return draw(st.sampled_from(anything if argument.neutral is None else argument.neutral))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_neutral_arguments_change_nothing(tiny_config: MakeConfig, data: st.DataObject) -> None:
    config = tiny_config()
    for key, argument in data.draw(st.lists(st.sampled_from(ARGUMENTS), max_size=12)):
        placed(config, key, value_of(argument, data.draw))
    prepared = prepare(config, ("train", "val", "test"))
    plain = read_config(tiny_config(), ())
    for name in ("evaluation", "checkpoint_config", "optimizer_config", "auto_scale_lr"):
        assert getattr(prepared.cfg, name) == getattr(plain, name)
    assert prepared.datasets["train"][0]["keypoint"].shape[-1] == 3


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_other_values_are_refused_with_the_reason(
    tiny_config: MakeConfig, data: st.DataObject
) -> None:
    strict = [one for one in ARGUMENTS if one[1].neutral is not None]
    key, argument = data.draw(st.sampled_from(strict))
    config = tiny_config()
    placed(config, key, "something else")
    with pytest.raises(ConfigError) as caught:
        prepare(config, ("train", "val", "test"))
    shown = key.replace(".pipeline.2", ".pipeline[2]").replace(".pipeline.3", ".pipeline[3]")
    (error,) = (one for one in caught.value.errors if one.key == shown)
    assert argument.otherwise in str(error)


@pytest.mark.parametrize("policy", ["Step", "step", "STEP"])
def test_the_case_of_a_policy_does_not_matter(tiny_config: MakeConfig, policy: str) -> None:
    prepare(tiny_config(lr_config=dict(policy=policy, step=[1])), ("train",))


def test_metric_options_are_honoured(tiny_config: MakeConfig) -> None:
    options = dict(top_k_accuracy=dict(topk=(1, 2)))
    assert read_config(tiny_config(evaluation__metric_options=options), ()).evaluation.ks == (1, 2)
    with pytest.raises(ConfigError) as caught:
        read_config(tiny_config(evaluation=dict(topk=(1, 5), metric_options=options)), ())
    assert [one.key for one in caught.value.errors] == [
        "evaluation.metric_options.top_k_accuracy.topk"
    ]


def test_the_runner_says_how_many_epochs(tiny_config: MakeConfig) -> None:
    config = tiny_config(total_epochs=None, runner=dict(type="EpochBasedRunner", max_epochs=7))
    found = read_config(config, ("train",))
    assert found.total_epochs == 7
    assert "total_epochs = 7" in config_text(found)
    with pytest.raises(ConfigError) as caught:
        read_config({**config, "total_epochs": 3}, ("train",))
    assert [one.key for one in caught.value.errors] == ["runner.max_epochs"]


def test_keys_without_effect_stay_in_the_config(tiny_config: MakeConfig) -> None:
    hooks = [dict(type="EMAHook", momentum=0.1)]
    found = read_config(tiny_config(custom_hooks=hooks, momentum_config=None), ())
    assert "custom_hooks = [dict(type='EMAHook', momentum=0.1)]" in config_text(found)
    assert "momentum_config" not in config_text(load_config(tiny_config(momentum_config=None)))


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0] * 4, [[1.0, 1.0, 1.0]], [1.0, -1.0, 1.0]])
@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "BCELossWithLogits"])
def test_class_weights_that_do_not_fit_are_an_error_of_the_config(
    tiny_config: MakeConfig, weights: list[Any], loss: str
) -> None:
    config = tiny_config(model__cls_head__loss_cls=dict(type=loss, class_weight=weights))
    with pytest.raises(ConfigError) as caught:
        prepare(config, ())
    assert any("class_weight" in str(one) for one in caught.value.errors)
