"""An institution's key: made at its first use, kept in a file that only its owner reads, known to others by its DID.

The rule: the private key never leaves this module; what is signed is a compact JWS (EdDSA, Ed25519) that names its key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from labs.texts import UserError


class BadKey(UserError):
    """A key that cannot be used; the text names its file."""


@dataclass(frozen=True)
class Issuer:
    """An institution that signs; `url` is its address on the portal, where its DID document is found at /did.json."""

    url: str
    _key: Ed25519PrivateKey

    @property
    def did(self) -> str:
        """The institution's DID (did:web): a verifier turns it into the address of the DID document."""
        parts = urlsplit(self.url)
        return ":".join(["did:web", quote(parts.netloc, safe=""), *parts.path.strip("/").split("/")])

    @property
    def jwk(self) -> dict[str, str]:
        """The public key."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"crv": "Ed25519", "kty": "OKP", "x": _encoded(raw)}

    @property
    def key_id(self) -> str:
        """The key's name in the DID document: its thumbprint (RFC 7638), so a new key has a new name."""
        return f"{self.did}#{_encoded(hashlib.sha256(_json(self.jwk)).digest())}"

    @property
    def document(self) -> dict[str, Any]:
        """The DID document."""
        method = {"id": self.key_id, "type": "JsonWebKey", "controller": self.did, "publicKeyJwk": self.jwk}
        return {
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"],
            "id": self.did,
            "verificationMethod": [method],
            "assertionMethod": [self.key_id],
        }

    def sign(self, payload: dict[str, Any]) -> str:
        """A compact JWS of a payload."""
        header = {"alg": "EdDSA", "kid": self.key_id, "typ": "JWT"}
        signed = f"{_encoded(_json(header))}.{_encoded(_json(payload))}"
        return f"{signed}.{_encoded(self._key.sign(signed.encode()))}"


def issuer(folder: Path, institution: str, url: str) -> Issuer:
    """An institution's issuer; its key is made where the folder has none yet."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", institution):
        raise BadKey(
            f"{institution[:60]!r}: 인증서를 발급할 기관의 id는 영문자, 숫자, '-', '_'만 쓸 수 있습니다.",
            f"{institution[:60]!r}: the id of an institution that issues certificates has only letters, digits, '-' and '_'",
        )
    file = folder / f"{institution}.pem"
    if not file.is_file():
        _make(file)
    return Issuer(url, _read(file))


def _make(file: Path) -> None:
    """Write a new key; whoever comes second leaves the first one's."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=file.parent)  # readable by its owner only
    with os.fdopen(handle, "wb") as out:
        out.write(pem)
        out.flush()
        os.fsync(out.fileno())
    with suppress(FileExistsError):
        os.link(temporary, file)
    Path(temporary).unlink()


def _read(file: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(
            f"{file.name}: 기관의 서명 키(Ed25519, PEM)로 읽을 수 없습니다. 백업에서 되돌리세요.",
            f"{file.name} cannot be read as the institution's signing key (Ed25519 in PEM): restore it from the backup",
        )
    return key


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
