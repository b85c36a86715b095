"""Holding the journal against its exported heads. The rule: a head counts only with its signature, its place and its event."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import chain
from grader.records.chain import GENESIS, Finding
from grader.records.heads import EXPORTED, Head, Heads, HeadsError
from grader.records.models import Event
from labs.texts import Text


def verify(session: Session, heads: Heads) -> chain.Walk:
    """Walk the journal and hold it against every exported head, each with its own signature and place."""
    try:
        standing, fault = heads.read(), None
    except HeadsError as error:
        standing, fault = [], Finding("head", 0, error.text)
    fault = fault or _fault(heads, standing)
    going = chain.walk(session, known={} if fault else {head.seq: head.hash for head in standing})
    going.finding = going.finding or fault or _unnoted(session, heads)
    return going


def _fault(heads: Heads, standing: list[Head]) -> Finding | None:
    """The first line that is not where it was written, or not signed by a key that is there."""
    previous = GENESIS
    for number, head in enumerate(standing, start=1):
        if head.number != number or head.previous != previous:
            return _bad_head(number, head.seq, "앞줄에 이어지지 않습니다", "does not follow the line before")
        public = heads.keys.public(head.key)
        if public is None:
            return _bad_head(number, head.seq, f"공개 키 {head.key}이(가) 없습니다", f"has no public key {head.key}")
        if not signature_holds(public, head):
            return _bad_head(number, head.seq, "서명이 맞지 않습니다", "has a wrong signature")
        previous = head.sha256
    return None


def signature_holds(public: bytes, head: Head) -> bool:
    """Whether a head was signed by the owner of a public key (PEM)."""
    try:
        key = load_pem_public_key(public)
        assert isinstance(key, Ed25519PublicKey)  # noqa: S101
        key.verify(bytes.fromhex(head.signature), head.signed)
    except (InvalidSignature, ValueError, AssertionError):
        return False
    return True


def _unnoted(session: Session, heads: Heads) -> Finding | None:
    """A head that the journal says was exported, and that the file does not have."""
    noted = session.scalars(select(Event).where(Event.kind == EXPORTED).order_by(Event.seq)).all()
    # Read anew, after the events: a head that was exported meanwhile has its line before its event.
    lines = {head.number: head.sha256 for head in heads.read()}
    for event in noted:
        number = event.payload["number"]
        if lines.get(number) != event.payload["sha256"]:
            return Finding("head", event.seq, Text(
                ko=f"{event.seq}번 기록은 서명 {number}번을 내보냈다고 하지만 {heads.file}에 없습니다.",
                en=f"event {event.seq} says that head {number} was exported, but {heads.file} does not hold it"))  # fmt: skip
    return None


def _bad_head(number: int, seq: int, ko: str, en: str) -> Finding:
    return Finding("head", seq, Text(
        ko=f"내보낸 서명 {number}번({seq}번 기록): {ko}.", en=f"exported head {number} (of event {seq}) {en}"))  # fmt: skip
