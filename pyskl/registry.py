"""The registries: names in a config → classes.

Each registry imports the modules that register into it on the first look-up, so importing this
module is cheap. Classes can also be used directly: a registry only lets configs name them::

    from pyskl.datasets import PIPELINES

    @PIPELINES.register_module()
    class MyTransform: ...

Built on :class:`mmengine.registry.Registry`, without mmengine's root registry as parent: with it, a
misspelt name would import every installed OpenMMLab package.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

from mmengine.registry import Registry as _Registry

from pyskl.errors import ConfigError, did_you_mean
from pyskl.family_arguments import family_argument


class Registry(_Registry):
    """A table of classes that are built from ``dict(type=NAME, **arguments)``.

    Args:
        name: What is registered, in the singular ("backbone"); used in messages.
        locations: Modules whose import registers the built-in classes.
    """

    def __init__(self, name: str, locations: list[str]) -> None:
        super().__init__(name, scope="pyskl", locations=locations)

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        self.import_from_location()
        return sorted(self.module_dict)

    def get(self, key: str) -> type:
        """Return the class registered as ``key`` (an optional ``pyskl.`` prefix is dropped).

        Raises:
            ConfigError: for an unknown name; the message suggests the nearest one.
        """
        self.import_from_location()
        name = key.removeprefix("pyskl.")
        if name not in self.module_dict:
            raise ConfigError(f"there is no {self.name} {key!r}{did_you_mean(name, self.names())}")
        return self.module_dict[name]

    def class_of(self, cfg: Mapping[str, Any]) -> type:
        """Return the class given by the ``type`` of a config: a registered name or a class.

        Raises:
            ConfigError: if ``type`` is missing or unknown.
        """
        if "type" not in cfg:
            raise ConfigError(f"is missing; it names the {self.name}", key="type")
        kind = cfg["type"]
        return self.get(kind) if isinstance(kind, str) else kind

    def build(self, cfg: Any, **default_args: Any) -> Any:
        """Build the object that ``cfg`` names.

        Args:
            cfg: ``dict(type=NAME or class, **arguments)``, or an instance, which is returned.
            default_args: Defaults for arguments that ``cfg`` leaves out.

        Raises:
            ConfigError: for an unknown type, or arguments that the class does not take.
        """
        if not isinstance(cfg, Mapping):
            if inspect.isclass(cfg) or isinstance(cfg, (str, int, float, list, tuple, type(None))):
                raise ConfigError(
                    f"this is not a {self.name} config",
                    found=f"{type(cfg).__name__} {cfg!r}",
                    expected="dict(type=..., ...)",
                )
            return cfg
        arguments = {**default_args, **cfg}
        cls = self.class_of(arguments)
        del arguments["type"]
        parameters = inspect.signature(cls).parameters
        for name, value in list(arguments.items()):
            known = family_argument(cls, name, tuple(parameters))
            if known is not None:
                if not known.accepts(value):
                    raise ConfigError(known.otherwise, key=name, found=value)
                del arguments[name]
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            for name in arguments.keys() - parameters.keys():
                raise ConfigError(
                    f"{cls.__name__} takes no {name!r}{did_you_mean(name, parameters)}", key=name
                )
        try:
            inspect.signature(cls).bind(**arguments)
        except TypeError as error:
            raise ConfigError(f"{self.name} {cls.__name__}: {error}") from error
        return cls(**arguments)


BACKBONES = Registry("backbone", locations=["pyskl.models.backbones"])
HEADS = Registry("head", locations=["pyskl.models.heads"])
LOSSES = Registry("loss", locations=["pyskl.models.losses"])
RECOGNIZERS = Registry("recognizer", locations=["pyskl.models.recognizers"])
DATASETS = Registry("dataset", locations=["pyskl.datasets.wrappers", "pyskl.datasets.toy.dataset"])
PIPELINES = Registry("transform", locations=["pyskl.datasets.pipelines"])
LOGGER_HOOKS = Registry("logger hook", locations=["pyskl.logging.trackers"])

# Annotations of arguments that are configs, with the registry for their 'type'. The config check
# reads them from signatures, so that nested configs are checked too.
BackboneConfig = Annotated[Mapping[str, Any], BACKBONES]
HeadConfig = Annotated[Mapping[str, Any], HEADS]
LossConfig = Annotated[Mapping[str, Any], LOSSES]
RecognizerConfig = Annotated[Mapping[str, Any], RECOGNIZERS]
DatasetConfig = Annotated[Mapping[str, Any], DATASETS]
TransformConfig = Annotated[Mapping[str, Any], PIPELINES]
LoggerHookConfig = Annotated[Mapping[str, Any], LOGGER_HOOKS]
