"""The certificate as an Open Badge 3.0, a W3C Verifiable Credential signed as a JWT (VC-JWT, EdDSA).

The rule: it names its holder by a salted hash of the name only, and shows no login, no points and no attendance of a day.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

from grader.certificates.facts import CertificateFacts, PassedLab, Unit
from grader.certificates.keys import Issuer
from grader.certificates.status import Place, stamp
from labs.texts import Lang

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]
TYPES = ["VerifiableCredential", "OpenBadgeCredential"]


def badge(facts: CertificateFacts, issuer: Issuer, place: Place, lang: Lang, at: datetime) -> str:
    """Sign a badge in a course's language; `place` is where the status lists say whether it still holds."""
    credential = {
        "@context": CONTEXT,
        "id": facts.verify_url,
        "type": TYPES,
        "name": facts.course.in_(lang),
        "issuer": {"id": issuer.did, "type": ["Profile"], "name": facts.institution.in_(lang)},
        "validFrom": stamp(at),
        "credentialSubject": _subject(facts, issuer, lang),
        "evidence": [_evidence(lab, lang) for lab in facts.labs],
        "credentialStatus": place.entries(issuer),
    }
    claims = {"iss": issuer.did, "jti": facts.verify_url, "nbf": int(at.timestamp())}
    return issuer.sign({key: value for key, value in (credential | claims).items() if value != []})


def name_hash(name: str, salt: str) -> str:
    """The holder's name as the badge has it: who is told the name can compare (OB 3.0, IdentityObject)."""
    return "sha256$" + hashlib.sha256((name + salt).encode()).hexdigest()


def _subject(facts: CertificateFacts, issuer: Issuer, lang: Lang) -> dict[str, Any]:
    identity = {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": name_hash(facts.name, facts.salt),
        "identityType": "name",
        "salt": facts.salt,
    }
    hours = f"{issuer.url}#hours"
    return {
        "type": ["AchievementSubject"],
        "identifier": [identity],
        "licenseNumber": facts.number,
        "activityStartDate": f"{facts.starts_on}T00:00:00Z",
        "activityEndDate": f"{facts.ends_on}T00:00:00Z",
        "achievement": _achievement(facts, issuer, hours, lang),
        "result": [{"type": ["Result"], "resultDescription": hours, "value": str(facts.hours)}],
    }


def _achievement(facts: CertificateFacts, issuer: Issuer, hours: str, lang: Lang) -> dict[str, Any]:
    said = {
        "ko": "훈련 프로그램의 규정에 따른 출석률과 모든 필수 실습의 통과. 담당자가 확정한 수료 판정에 따라 발급합니다.",
        "en": "The attendance that the programme asks for and every required lab passed. Issued from a decision that a "
        "person in charge has frozen.",
    }
    achievement = {
        "id": f"{issuer.url}#{facts.course_id}",
        "type": ["Achievement"],
        "achievementType": "CertificateOfCompletion",
        "name": facts.course.in_(lang),
        "description": facts.programme.in_(lang),
        "inLanguage": lang,
        "criteria": {"narrative": said[lang]},
        "alignment": [_alignment(unit, issuer, lang) for unit in facts.units],
        "resultDescription": [
            {
                "id": hours,
                "type": ["ResultDescription"],
                "name": "훈련시간" if lang == "ko" else "Training hours",
                "resultType": "ext:TrainingHours",
            }
        ],
    }
    return {key: value for key, value in achievement.items() if value != []}


def _alignment(unit: Unit, issuer: Issuer, lang: Lang) -> dict[str, Any]:
    return {
        "type": ["Alignment"],
        "targetName": unit.title.in_(lang),
        "targetFramework": unit.framework.in_(lang),
        "targetCode": unit.code or unit.id,
        "targetUrl": f"{issuer.url}#{unit.id}",
    }


def _evidence(lab: PassedLab, lang: Lang) -> dict[str, Any]:
    """A lab by the hash of what was handed in: it shows nothing, and who is given the files can compare (RFC 6920)."""
    said = {
        "ko": "이 주소는 제출물 목록의 SHA-256입니다. 보유자가 제출물을 보여 주면 접수증과 대조할 수 있습니다.",
        "en": "The address is the SHA-256 of the list of files handed in. Who is shown the work can compare it with the "
        "receipt.",
    }
    digest = base64.urlsafe_b64encode(bytes.fromhex(lab.sha256)).decode().rstrip("=")
    return {
        "id": f"ni:///sha-256;{digest}",
        "type": ["Evidence"],
        "name": lab.title.in_(lang),
        "narrative": said[lang],
    }
