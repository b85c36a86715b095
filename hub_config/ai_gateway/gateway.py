"""The gateway's parts, and letting a caller in. The rule: nobody names a course whose Hub group they are not in."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.identity import Identify, Identity
from hub_config.ai_gateway.ledger import Account, Balance, Ledger
from hub_config.ai_gateway.turns import Turns

BUDGET_HEADER = "x-practicum-budget-left-krw"
RECEIPT_HEADER = "x-practicum-receipt"
#: A provider's key is at least this long; a shorter one is a placeholder and would mangle answers.
SECRET_LENGTH = 12


@dataclass
class Gateway:
    """What a call needs."""

    config: GatewayConfig
    ledger: Ledger
    identify: Identify
    turns: Turns
    session: aiohttp.ClientSession

    def keys(self) -> list[str]:
        """Give every provider's key, to look for it in what leaves; a word such as "none" is no key."""
        found = []
        for upstream in self.config.upstreams:
            with suppress(OSError, UnicodeDecodeError):  # a missing key file: that upstream's calls say so
                found.append(upstream.key())
        return [key for key in found if len(key) >= SECRET_LENGTH]


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
#: What a request's answer tells in its headers.
ACCOUNT: web.RequestKey[Account] = web.RequestKey("account", Account)
RECEIPT: web.RequestKey[str] = web.RequestKey("receipt", str)
STREAM: web.RequestKey[web.StreamResponse] = web.RequestKey("stream", web.StreamResponse)


async def identify(request: web.Request) -> Identity:
    """Give the caller by their Hub token; GatewayError 401 or 503."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "token") or not token.strip():
        raise errors.wrong_token()
    return await request.app[GATEWAY].identify(token.strip())


async def admit(request: web.Request) -> Account:
    """Give the account that the address names, for a caller who takes part in its course; GatewayError 401 or 403."""
    caller = await identify(request)
    course, lab = request.match_info["course"], request.match_info["lab"]
    if not caller.takes_part(course):
        raise errors.foreign_course(course)
    account = Account(caller.name, course, lab, request.app[GATEWAY].config.limits_krw(course, lab))
    request[ACCOUNT] = account
    return account


async def headers(request: web.Request) -> dict[str, str]:
    """Give the headers that an answer carries: what is left of the budget, and the receipt's id."""
    account, receipt = request.get(ACCOUNT), request.get(RECEIPT)
    found = {RECEIPT_HEADER: receipt} if receipt else {}
    if account is not None:
        balance: Balance = await request.app[GATEWAY].ledger.balance(account)
        found[BUDGET_HEADER] = str(balance.left_krw)
    return found
