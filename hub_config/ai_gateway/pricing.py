"""What a call costs, in whole won. The rule: rounded up, so that many small calls never cost nothing."""

from __future__ import annotations

from hub_config.ai_gateway.config import Price

#: Tokens that a chat template may add beyond the request's own bytes (a default system prompt, role marks).
TEMPLATE_TOKENS = 64


def cost_krw(price: Price, prompt_tokens: int, answer_tokens: int) -> int:
    """Give the won for these tokens, rounded up."""
    exact = prompt_tokens * price.input_krw_per_million + answer_tokens * price.output_krw_per_million
    return -(-exact // 1_000_000)


def reservation_krw(price: Price, request_bytes: int, max_tokens: int) -> int:
    """Give the most that a call can cost, at least 1: no tokenizer makes more tokens than there are bytes."""
    return max(1, cost_krw(price, request_bytes + TEMPLATE_TOKENS, max_tokens))
