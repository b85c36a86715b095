"""Anchoring the receipts' chain in the records' journal.

The rule: what the journal holds is the number and the hash of the newest receipt, so that no receipt before it can be
changed or taken away unseen; nothing of its content leaves the gateway.
"""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from hub_config.ai_gateway.gateway import Gateway

log = logging.getLogger("practicum.ai_gateway")
ANSWER_SECONDS = 10.0


async def keep(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    """Anchor the head whenever it has moved; a records service that is away gets it at the next turn."""
    while True:
        await asyncio.sleep(gateway.config.anchor_seconds)
        try:
            await once(gateway, session)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("the receipts were not anchored in the journal: %s", type(error).__name__)


async def once(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    """Send the newest receipt's number and hash to the records service, unless it has them."""
    config = gateway.config
    number, head = await gateway.ledger.head()
    if config.records_url is None or config.service_token_file is None or number == gateway.anchored:
        return
    headers = {"Authorization": f"Bearer {config.service_token_file.read_text('utf-8').strip()}"}
    url = str(config.records_url).rstrip("/") + "/ai/anchors"
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    body = {"number": number, "hash": head}
    async with session.post(url, json=body, headers=headers, timeout=timeout, allow_redirects=False) as answer:
        answer.raise_for_status()
    gateway.anchored = number
