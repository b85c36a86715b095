"""The model service's settings, read from one JSON file. The rule: a setting it does not know stops it from starting."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ServiceConfig(BaseModel):
    """Everything the model service is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(ge=0, le=65535, description="on loopback")
    key_file: Path = Field(description="holds the key that every call has to show")
    weights: Path = Field(description="the folder of weights")
    folder: Path = Field(description="a folder of its own for sockets and uploads; emptied at the start")
    models: tuple[str, ...] = Field(description="the models that are offered, at most one of a kind")
    threads: int = Field(default=1, ge=1, description="threads of each model")
    slots: int = Field(default=2, ge=1, description="chat calls answered at once")
    context_per_slot: int = Field(default=4096, ge=256, description="tokens, prompt and answer together")
    idle_seconds: float = Field(default=600, gt=0, description="after the last answer, until a model is put away")
    wait_seconds: float = Field(
        default=1, ge=0, description="how long a call waits for a model before it is told to return"
    )
    load_seconds: float = Field(default=180, gt=0, description="until a model that does not come up counts as failed")
    job_seconds: float = Field(default=600, gt=0, description="for one transcription, embedding or spoken text")
    audio_seconds: int = Field(default=600, ge=1, description="the longest sound that is written down")
    spare_bytes: int = Field(default=200_000_000, ge=0, description="memory that stays free when a model is started")
    request_bytes: int = Field(default=2_000_000, ge=1000)
    upload_bytes: int = Field(default=26_000_000, ge=1000, description="the same for a form with sound")
    stop_seconds: float = Field(default=2, ge=0, description="for running calls to end when the service stops")
