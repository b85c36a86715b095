"""The catalogue of weights: data from `weights.yaml`. The rule: an entry without a SHA-256 does not load."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from labs.texts import Text

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=120)]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", max_length=120)]
Version = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*$")]
PartPath = Annotated[str, StringConstraints(pattern=r"^\w[\w-]*(/\w[\w.-]*)+$")]


class Part(BaseModel):
    """A piece of a weights file inside a package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: PackageName
    version: Version
    file: PartPath


class Weights(BaseModel):
    """One weights file: what it is, how to know it, and where it can be had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Text
    license: str
    file: FileName
    size_bytes: int = Field(gt=0)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    official: str | None
    parts: tuple[Part, ...]


class Catalogue(BaseModel):
    """All weights by name, and the name of the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: str
    models: dict[str, Weights]


@cache
def catalogue() -> Catalogue:
    """Read the catalogue that the package ships."""
    text = (Path(__file__).parent / "weights.yaml").read_text("utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))
