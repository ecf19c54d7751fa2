"""Configs: read them, check their keys and types, fill in defaults, write them out.

:func:`pyskl.apis.prepare.prepare` builds what they describe.
"""

from pyskl.config.check import read_config
from pyskl.config.load import load_config, parse_option
from pyskl.config.schema import RunConfig
from pyskl.config.text import config_text, known_part

__all__ = ["RunConfig", "config_text", "known_part", "load_config", "parse_option", "read_config"]
