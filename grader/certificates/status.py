"""Which certificates no longer hold, as W3C Bitstring Status Lists: one of revoked ones, one of suspended ones.

The rule: a certificate's bit is at the same random place in both, so that a list tells nothing of order or of how many.
"""

from __future__ import annotations

import base64
import gzip
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from grader.certificates.keys import Issuer

#: The least that the standard allows, so that one certificate hides among many.
BITS = 131_072
#: So many certificates share a list: it stays half empty, and a free place is found at once.
SHARE = BITS // 2
#: A list that is older is refused by verifiers, so that an old copy revives nothing for long.
LASTS = timedelta(days=1)

Purpose = Literal["revocation", "suspension"]
PURPOSES: tuple[Purpose, ...] = ("revocation", "suspension")


@dataclass(frozen=True)
class Place:
    """A certificate's place: the number of its list, from 1, and the index of its bit."""

    number: int
    index: int

    def entries(self, issuer: Issuer) -> list[dict[str, str]]:
        """What a badge says of where its status is found."""
        return [
            {
                "id": f"{url}#{self.index}",
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": str(self.index),
                "statusListCredential": url,
            }
            for purpose in PURPOSES
            for url in (list_url(issuer, purpose, self.number),)
        ]


def stamp(moment: datetime) -> str:
    """A moment as credentials write it, in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_url(issuer: Issuer, purpose: Purpose, number: int) -> str:
    """The address of a status list."""
    return f"{issuer.url}/status/{purpose}/{number}"


def free_place(taken: Collection[Place]) -> Place:
    """A place that no certificate of the institution has; `taken` are all of its certificates' places."""
    number = len(taken) // SHARE + 1
    indices = {place.index for place in taken if place.number == number}
    while (index := secrets.randbelow(BITS)) in indices:
        pass
    return Place(number, index)


def status_list(issuer: Issuer, purpose: Purpose, number: int, places: Iterable[Place], at: datetime) -> str:
    """Sign the list of a purpose with the bits of these places set."""
    url = list_url(issuer, purpose, number)
    credential: dict[str, Any] = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer.did,
        "validFrom": stamp(at),
        "validUntil": stamp(at + LASTS),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": _encoded(place.index for place in places if place.number == number),
        },
    }
    claims = {"iss": issuer.did, "jti": url, "nbf": int(at.timestamp()), "exp": int((at + LASTS).timestamp())}
    return issuer.sign(credential | claims)


def _encoded(indices: Iterable[int]) -> str:
    """The bits from the left of the first byte, packed, in base64url with the mark of multibase."""
    bits = bytearray(BITS // 8)
    for index in indices:
        bits[index // 8] |= 0x80 >> index % 8
    return "u" + base64.urlsafe_b64encode(gzip.compress(bytes(bits), mtime=0)).decode().rstrip("=")
