"""Makes what a certificate consists of and keeps it by its hash. The rule: what was issued is kept to the byte.

The address of a certificate's page is in its facts, paper and badge only: the journal has a hash of it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grader.certificates.badge import badge
from grader.certificates.facts import CertificateFacts
from grader.certificates.keys import Issuer, issuer
from grader.certificates.paper import pdf
from grader.certificates.status import Place
from grader.records.blobs import BlobStore
from labs.texts import LANGUAGES, Lang


@dataclass(frozen=True)
class Press:
    """Where fonts, keys and files are, and the address of the portal as the public reaches it, with a slash at its end."""

    fonts: Path
    keys: Path
    blobs: BlobStore
    portal_url: str

    def issuer(self, institution: str) -> Issuer:
        """An institution that signs."""
        return issuer(self.keys, institution, f"{self.portal_url}issuers/{institution}")

    def verify_url(self, token: str) -> str:
        """The address at which a certificate is verified."""
        return f"{self.portal_url}verify/{token}"

    def make(self, facts: CertificateFacts, place: Place, lang: Lang, at: datetime) -> dict[str, str]:
        """Print and sign; gives the SHA-256 of facts, badge and each paper, by name."""
        signed = badge(facts, self.issuer(facts.institution_id), place, lang, at)
        files = {"facts": facts.model_dump_json().encode(), "badge": signed.encode()}
        files |= {f"pdf_{each}": pdf(facts, each, self.fonts) for each in LANGUAGES}
        return {name: self.blobs.put(io.BytesIO(content), name).sha256 for name, content in files.items()}

    def facts(self, sha256: str) -> CertificateFacts:
        """The facts of a certificate, from their file."""
        return CertificateFacts.model_validate_json(self.blobs.path(sha256).read_bytes())
