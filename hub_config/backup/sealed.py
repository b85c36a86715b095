"""Encryption with a passphrase. The rule: nothing of a piece is given before its tag held, and an end that is missing is found.

scrypt makes a key of the passphrase and a salt of the file's own; the content goes in pieces of 1 MiB through AES-256-GCM of
the library `cryptography`, as in the STREAM construction that age uses: each piece's nonce is its number and whether it is the
last one, so no piece can be moved, left out or cut off. The file's head is authenticated with every piece, and by a tag of its
own, which tells a wrong passphrase from a damaged file.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hub_config.backup.faults import BadBackup, cut_off

MAGIC = b"practicum-sealed-1\n"
PIECE, TAG, SALT = 1 << 20, 16, 16
WORK, MOST_WORK = 17, 20  # scrypt's n as a power of two; r=8, so 128 MiB


def _key(passphrase: str, salt: bytes, work: int) -> AESGCM:
    return AESGCM(Scrypt(salt, 32, n=1 << work, r=8, p=1).derive(passphrase.encode()))


def _nonce(number: int, kind: int) -> bytes:
    """A piece's number, and 0, or 1 for the last one; the head's own tag has 2."""
    return number.to_bytes(11, "big") + bytes([kind])


class Sealing(io.RawIOBase):
    """Writes what it gets in sealed pieces; what was not closed has no end."""

    def __init__(self, out: BinaryIO, passphrase: str) -> None:
        self._out, self._waiting, self._number = out, bytearray(), 0
        self._head = MAGIC + bytes([WORK]) + os.urandom(SALT)
        self._key = _key(passphrase, self._head[-SALT:], WORK)
        out.write(self._head + self._key.encrypt(_nonce(0, 2), b"", self._head))

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        """Take bytes; whole pieces go on."""
        with memoryview(data) as view:  # type: ignore[arg-type]
            self._waiting += view
            size = view.nbytes
        while len(self._waiting) > PIECE:  # one is kept back: it may be the last
            self._piece(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]
        return size

    def finish(self) -> None:
        """Write the last piece."""
        self._piece(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _piece(self, plain: bytes, *, last: bool) -> None:
        self._out.write(self._key.encrypt(_nonce(self._number, last), plain, self._head))
        self._number += 1


class Opening(io.RawIOBase):
    """Reads what Sealing wrote; BadBackup for a wrong passphrase, a changed piece or a missing end."""

    def __init__(self, source: BinaryIO, passphrase: str) -> None:
        self._source, self._plain, self._number = source, b"", 0
        self._head = source.read(len(MAGIC) + 1 + SALT)
        tag, work = source.read(TAG), self._head[len(MAGIC) : len(MAGIC) + 1]
        if len(tag) != TAG or not 1 <= work[0] <= MOST_WORK:
            raise cut_off()
        self._key = _key(passphrase, self._head[-SALT:], work[0])
        try:
            self._key.decrypt(_nonce(0, 2), tag, self._head)
        except InvalidTag:
            raise BadBackup(
                "암호가 맞지 않습니다. 백업할 때의 암호 파일인지 확인하세요.",
                "the passphrase is wrong; see whether its file is the one of the time of the backup",
            ) from None
        self._next, self._done = self._read_piece(), False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Give the next bytes; 0 at the sealed end."""
        if not self._plain and not self._done:
            self._plain = self._open_piece()
        with memoryview(buffer) as view:  # type: ignore[arg-type]
            part = self._plain[: view.nbytes]
            view[: len(part)] = part
        self._plain = self._plain[len(part) :]
        return len(part)

    def _read_piece(self) -> bytes:
        parts, left = [], PIECE + TAG
        while left and (part := self._source.read(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _open_piece(self) -> bytes:
        piece, self._next = self._next, b""
        if len(piece) == PIECE + TAG:
            self._next = self._read_piece()
        last = not self._next
        try:
            plain = self._key.decrypt(_nonce(self._number, last), piece, self._head)
        except InvalidTag:
            raise BadBackup(
                "백업 파일이 중간에 잘렸거나 바뀌었습니다. 다 복사되었는지 확인하거나 다른 백업을 쓰세요.",
                "the backup was cut off or changed on its way; see whether it was copied whole, or use another one",
            ) from None
        self._number += 1
        self._done = last
        return plain
