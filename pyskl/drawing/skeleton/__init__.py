"""Drawings of skeletons: a player for pages, pictures and videos, all from the same scene.

Shapes: M persons, T frames, V joints, C coordinates.
"""

from pyskl.drawing.skeleton.clip import Clip
from pyskl.drawing.skeleton.player import PlayerParts, player_html, player_tag

__all__ = ["Clip", "PlayerParts", "player_html", "player_tag"]
