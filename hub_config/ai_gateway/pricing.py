"""What a call costs, in whole won. The rule: rounded up, so that many small calls never cost nothing."""

from __future__ import annotations

from hub_config.ai_gateway.config import Price
from hub_config.ai_gateway.ledger import Usage

#: Tokens that a chat template may add beyond the request's own bytes (a default system prompt, role marks).
TEMPLATE_TOKENS = 64
MINUTE_MS = 60_000


def cost_krw(price: Price, usage: Usage) -> int:
    """Give the won for what a call used, rounded up."""
    tokens = (usage.prompt_tokens or 0) * price.input_krw_per_million
    tokens += (usage.completion_tokens or 0) * price.output_krw_per_million
    characters = (usage.characters or 0) * price.krw_per_million_characters
    audio = (usage.audio_ms or 0) * price.krw_per_audio_minute
    return -(-(tokens + characters) // 1_000_000) - (-audio // MINUTE_MS) + (usage.images or 0) * price.krw_per_image


def reservation_krw(price: Price, most: Usage) -> int:
    """Give the most that a call can cost, at least 1."""
    return max(1, cost_krw(price, most))
