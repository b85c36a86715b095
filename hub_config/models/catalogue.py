"""The catalogue of models: data from `weights.yaml`. The rule: a file without a SHA-256 does not load."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from labs.texts import Text

#: What a model does; the words are those of a lab's `ai.endpoints`.
Kind = Literal["chat", "embeddings", "transcriptions", "speech"]
#: A file, in the folder of weights itself or one folder below it.
FileName = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=120)
]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", max_length=120)]
Version = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*$")]
PartPath = Annotated[str, StringConstraints(pattern=r"^\w[\w-]*(/\w[\w.-]*)+$")]


class Part(BaseModel):
    """A piece of a weights file inside a package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: PackageName
    version: Version
    file: PartPath


class File(BaseModel):
    """One file of a model: how to know it, and where it can be had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: FileName
    size_bytes: int = Field(gt=0)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    official: str | None
    parts: tuple[Part, ...]


class Model(BaseModel):
    """One model: what it does, what it needs, and its files; the first is the one it is loaded from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    title: Text
    license: str
    memory_bytes: int = Field(gt=0, description="what its process takes when it works, measured")
    picked_from_bytes: int | None = Field(default=None, description="`auto` takes it from this much free memory on")
    program: str | None = Field(default=None, description="a program of the machine that it needs")
    files: tuple[File, ...] = ()

    @property
    def size_bytes(self) -> int:
        """The size of all its files."""
        return sum(file.size_bytes for file in self.files)

    def path(self, folder: Path) -> Path:
        """Give the path of the file that it is loaded from."""
        return folder / self.files[0].file


class Catalogue(BaseModel):
    """All models by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, Model]

    def of_kind(self, kind: Kind) -> list[str]:
        """Name the models of a kind, in the catalogue's order: the first is what is used where nobody chose."""
        return [name for name, model in self.models.items() if model.kind == kind]


@cache
def catalogue() -> Catalogue:
    """Read the catalogue that the package ships."""
    text = (Path(__file__).parent / "weights.yaml").read_text("utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))
