"""The settings of people's servers in a Kubernetes cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: A name in a cluster.
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Cluster(BaseModel):
    """Where and from what pods are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str = Field(min_length=1, description="The image of people's servers, best by its digest.")
    address: str = Field(
        pattern=r"^[A-Za-z0-9.-]+$", description="The host name or address under which pods reach this Practicum."
    )
    namespace: Label = Field(default="practicum", description="The namespace of the pods.")
    home_gb: int = Field(default=10, ge=1, description="The size of a new person's home, a volume of their own.")
    storage_class: Label | None = Field(
        default=None, description="The class of the homes' volumes; default: the cluster's."
    )
    courses_claim: Label = Field(
        default="practicum-courses",
        description="The volume claim that holds the data folder's `courses`, which formgraders write to.",
    )
