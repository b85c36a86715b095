"""The key that signs heads. The rule: the private key is one file that only its owner reads; a public key once published stays."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class HeadKeys:
    """The folder of public keys, `<name>.pem`, and the file of the private one."""

    folder: Path
    private: Path

    def current(self) -> str:
        """The name of the key that signs, made at its first use."""
        try:
            key = self._load()
        except FileNotFoundError:
            return self.renew()
        return self._publish(key)

    def renew(self) -> str:
        """Make a new key and give its name; what the old one signed still verifies."""
        self.private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = Ed25519PrivateKey.generate()
        fresh = self.private.with_name(self.private.name + ".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            stream.flush()
            os.fsync(stream.fileno())
        name = self._publish(key)
        fresh.replace(self.private)
        return name

    def sign(self, what: bytes) -> str:
        """Sign with the current key, in hexadecimal."""
        return self._load().sign(what).hex()

    def public(self, name: str) -> bytes | None:
        """A public key (PEM) by its name, or None; a file under another key's name is none."""
        try:
            pem = (self.folder / f"{name}.pem").read_bytes()
        except OSError:
            return None
        return pem if hashlib.sha256(pem).hexdigest()[:16] == name else None

    def _load(self) -> Ed25519PrivateKey:
        key = load_pem_private_key(self.private.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{self.private} holds no Ed25519 key")
        return key

    def _publish(self, key: Ed25519PrivateKey) -> str:
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        name = hashlib.sha256(pem).hexdigest()[:16]
        file = self.folder / f"{name}.pem"
        if self.public(name) is None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = file.with_suffix(".new")
            fresh.write_bytes(pem)
            fresh.replace(file)
        return name
