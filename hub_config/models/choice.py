"""Which models an installation has on its disk before anybody asks for them.

The rule: `auto` is settled once, when Practicum starts; what runs afterwards knows a name.
"""

from __future__ import annotations

from hub_config.ai import built_in_models
from hub_config.models.catalogue import catalogue
from hub_config.models.memory import picked
from hub_config.settings import Settings
from labs.catalog import packs


def settled(settings: Settings) -> Settings:
    """Give the settings with a model's name in the place of `auto`."""
    return settings.model_copy(update={"model": picked(settings.model)})


def wanted(settings: Settings) -> list[str]:
    """Name the built-in models that are fetched at the start: for chat, and for what the labs' `ai.endpoints` name."""
    models = catalogue().models
    kinds = {"chat", *(endpoint for pack in packs().values() for lab in pack.labs for endpoint in lab.lab.ai.endpoints)}
    return [name for name in built_in_models(settings) if name not in models or models[name].kind in kinds]
