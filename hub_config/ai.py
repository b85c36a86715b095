"""The AI gateway's settings, from the product's and from the labs'. The rule: a lab gets what its lab.yaml asks for, no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grader.records.models import Institution
from hub_config.ai_gateway.config import GatewayConfig, Limit, Policy, Route, Upstream
from hub_config.models.catalogue import Kind, catalogue
from hub_config.models.memory import picked
from hub_config.settings import BUILT_IN, LAB_DEFAULT, Settings
from labs.catalog import packs
from labs.manifest import AiPolicy

#: The names that labs use for what the built-in models do besides chat.
ALIASES: dict[str, Kind] = {
    LAB_DEFAULT: "chat",
    "lab-embedding": "embeddings",
    "lab-transcription": "transcriptions",
    "lab-voice": "speech",
}
#: Long enough for what the supervisor gives a service to end.
STOP_SECONDS = 6


def models(settings: Settings) -> dict[str, tuple[Route, ...]]:
    """Give the ways to serve each name that labs use: the settings', and the built-in models for the rest."""
    return {alias: (_built_in(settings, alias),) for alias in ALIASES if _offered(settings, alias)} | {
        alias: tuple(_named(settings, alias, route) for route in routes) for alias, routes in settings.ai_models.items()
    }


def built_in_models(settings: Settings) -> tuple[str, ...]:
    """Name the built-in models that some name is served by."""
    routes = [route for ways in models(settings).values() for route in ways]
    return tuple(dict.fromkeys(route.model for route in routes if route.upstream == BUILT_IN))


def gateway_config(settings: Settings, institution: Institution | None) -> dict[str, Any]:
    """Give the gateway's settings, as the JSON that it reads."""
    built_in = Upstream(
        name=BUILT_IN,
        base_url=f"http://127.0.0.1:{settings.model_port}/v1",
        api_key_file=settings.secret_path("model-key"),
        running_usage="llama.cpp",
        when_client_leaves="stop",
    )
    ways = models(settings)
    labs = lab_policies()
    used = {route.upstream for routes in ways.values() for route in routes}
    config = GatewayConfig(
        host=settings.inner_host,
        port=settings.gateway_port,
        database=settings.receipts_path,
        hub_api_url=settings.hub_api_url,
        institution=institution.id if institution else "none",
        time_zone=institution.time_zone if institution else "Asia/Seoul",
        records_url=settings.records_url,
        service_token_file=settings.secret_path("gateway-token"),
        metrics_token_file=settings.secret_path("metrics-token"),
        upstreams=tuple(
            upstream
            for upstream in (
                built_in,
                *(Upstream(name=name, **provider.model_dump()) for name, provider in settings.providers.items()),
            )
            if upstream.name in used
        ),
        models=ways,
        budgets=settings.ai_budgets,
        labs=labs,
        elsewhere=_elsewhere(labs.values(), ways),
        courses=settings.ai_courses,
        retention_days=settings.ai_content_days,
        stop_seconds=STOP_SECONDS,
    )
    return config.model_dump(mode="json")


def lab_policies() -> dict[str, Policy]:
    """Give each known lab's own policy."""
    return {lab.id: _policy(lab.lab.ai) for pack in packs().values() for lab in pack.labs}


def with_ai_of(running: Settings, new: Settings) -> Settings:
    """Give the settings in force with everything that a running gateway can take over from new ones."""
    names = ("providers", *(name for name in Settings.model_fields if name.startswith("ai_")))
    return running.model_copy(update={name: getattr(new, name) for name in names})


def _policy(ai: AiPolicy) -> Policy:
    """Give a lab's policy: with what it may do come the built-in models for it, and both of the API's ways to chat.

    A lab that asks for no endpoint has AI switched off.
    """
    if not ai.endpoints:
        return Policy(ai=False)
    endpoints = {*ai.endpoints, *({"responses"} if "chat" in ai.endpoints else ())}
    names = {*ai.models, *(alias for alias, kind in ALIASES.items() if kind in ai.endpoints and kind != "chat")}
    return Policy(models=frozenset(names), endpoints=frozenset(endpoints), learner=Limit(krw=ai.budget_krw))


def _elsewhere(labs: Iterable[Policy], ways: dict[str, tuple[Route, ...]]) -> Policy:
    """Give what holds outside the known labs: what some lab may use, and what costs nobody anything.

    So nobody gets at a dearer model by naming a lab that is none.
    """
    free = [alias for alias, routes in ways.items() if all(route.upstream == BUILT_IN for route in routes)]
    return Policy(models=frozenset(free).union(*(lab.models or () for lab in labs)))


def _offered(settings: Settings, alias: str) -> bool:
    return alias not in settings.ai_models and not (alias == LAB_DEFAULT and settings.model == "none")


def _built_in(settings: Settings, alias: str) -> Route:
    kind = ALIASES[alias]
    name = picked(settings.model) if kind == "chat" else catalogue().of_kind(kind)[0]
    endpoints = {kind, "responses"} if kind == "chat" else {kind}
    return Route(upstream=BUILT_IN, model=name, endpoints=frozenset(endpoints), prices=settings.ai_prices)


def _named(settings: Settings, alias: str, route: Route) -> Route:
    """Give a route of the settings with the built-in chat model's own name, where it says `auto`."""
    automatic = route.upstream == BUILT_IN and route.model == "auto" and alias in ALIASES
    return route.model_copy(update={"model": _built_in(settings, alias).model}) if automatic else route
