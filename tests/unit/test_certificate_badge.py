"""The badge: an independent library verifies it, and so does a program of ten lines; what is tampered with is refused."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from openbadgeslib.ob3 import OB3VerificationError, OB3Verifier
from test_certificate_paper import URL, facts

from grader.certificates.badge import badge, name_hash
from grader.certificates.keys import BadKey, Issuer, issuer
from grader.certificates.status import PURPOSES, Place, Purpose, free_place, list_url, status_list

HOME = "https://lab.example.kr:8443/services/portal/issuers/demo"
PLACE = Place(1, 4711)


@pytest.fixture
def institution(tmp_path: Path) -> Issuer:
    return issuer(tmp_path / "keys", "demo", HOME)


class Web:
    """What the portal serves of an institution, for a verifier that fetches it."""

    def __init__(self, institution: Issuer, **held: set[Place]) -> None:
        now = datetime.now(UTC)
        self.asked: list[str] = []
        self.pages = {f"{HOME}/did.json": json.dumps(institution.document).encode()}
        for purpose in PURPOSES:
            self.put(purpose, status_list(institution, purpose, 1, held.get(purpose, set()), now))

    def put(self, purpose: Purpose, page: str) -> None:
        self.pages[f"{HOME}/status/{purpose}/1"] = page.encode()

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self.pages[url]


def signed(institution: Issuer, **changed: Any) -> str:
    return badge(facts(**changed), institution, PLACE, "ko", datetime.now(UTC))


def payload(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_an_independent_library_verifies_it_from_its_did_and_reads_what_it_says(institution: Issuer) -> None:
    web = Web(institution)
    verifier = OB3Verifier.for_issuer_did("did:web:lab.example.kr%3A8443:services:portal:issuers:demo", download=web)
    found = verifier.verify(signed(institution), check_status=True, download=web)
    assert (found.id, found.issuer.name, found.name) == (URL, "한빛 실습 훈련원", "영상 실무자를 위한 AI 활용")
    assert [(each.target_name, each.target_code) for each in found.achievement.alignments] == [
        ("자막 제작", "captioning")
    ]
    assert [result.value for result in found.results] == ["40"]
    (identity,) = found.identifiers
    assert identity.identity_hash == name_hash("김하늘", "0" * 32)
    assert [each.name for each in found.evidence] == ["인터뷰 1차 편집"]
    assert (found.evidence[0].id or "").startswith("ni:///sha-256;q6ur")
    assert len(web.asked) == 3


def test_it_shows_neither_the_name_nor_a_login(institution: Issuer) -> None:
    told = json.dumps(payload(signed(institution, name_en="Kim Haneul")), ensure_ascii=False)
    assert "김하늘" not in told
    assert "Haneul" not in told
    assert "id" not in payload(signed(institution))["credentialSubject"]


def test_a_verifier_of_ten_lines_agrees(institution: Issuer) -> None:
    head, body, signature = signed(institution).split(".")
    (method,) = institution.document["verificationMethod"]
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["kid"] == method["id"]
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(method["publicKeyJwk"]["x"] + "=="))
    proof = base64.urlsafe_b64decode(signature + "==")
    key.verify(proof, f"{head}.{body}".encode())
    with pytest.raises(InvalidSignature):
        key.verify(proof, f"{head}.{body[:-1]}A".encode())


def _more_hours(token: str) -> str:
    changed = payload(token)
    changed["credentialSubject"]["result"][0]["value"] = "400"
    head, _, signature = token.split(".")
    return f"{head}.{encoded(changed)}.{signature}"


def _unsigned(token: str) -> str:
    return f"{encoded({'alg': 'none'})}.{token.split('.')[1]}."


def _own_key(token: str) -> str:
    """Signed by a key that the forger puts into the header."""
    forger = issuer(Path(tempfile.mkdtemp()), "demo", HOME)
    return forger.sign(payload(token))


@pytest.mark.parametrize("forge", [_more_hours, _unsigned, _own_key])
def test_what_is_forged_is_refused(institution: Issuer, forge: Callable[[str], str]) -> None:
    web = Web(institution)
    with pytest.raises(OB3VerificationError):
        OB3Verifier.for_issuer_did(institution.did, download=web).verify(forge(signed(institution)))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_bit_in_a_list_takes_this_badge_and_no_other(institution: Issuer, purpose: Purpose) -> None:
    web = Web(institution, **{purpose: {PLACE}})
    verifier = OB3Verifier.for_issuer_did(institution.did, download=web)
    with pytest.raises(OB3VerificationError, match=f"'{purpose}' is set at index 4711"):
        verifier.verify(signed(institution), check_status=True, download=web)
    other = badge(facts(), institution, Place(1, 4712), "ko", datetime.now(UTC))
    verifier.verify(other, check_status=True, download=web)


def test_an_old_copy_of_a_list_and_one_of_another_key_are_refused(institution: Issuer, tmp_path: Path) -> None:
    web = Web(institution)
    verifier = OB3Verifier.for_issuer_did(institution.did, download=web)
    now = datetime.now(UTC)
    web.put("revocation", status_list(institution, "revocation", 1, (), now - timedelta(days=3)))
    with pytest.raises(OB3VerificationError, match="expired"):
        verifier.verify(signed(institution), check_status=True, download=web)
    forger = issuer(tmp_path / "others", "demo", HOME)
    web.put("revocation", status_list(forger, "revocation", 1, (), now))
    with pytest.raises(OB3VerificationError, match="proof is invalid"):
        verifier.verify(signed(institution), check_status=True, download=web)


def test_places_are_random_free_and_go_on_in_a_second_list() -> None:
    taken: list[Place] = []
    for _ in range(200):
        found = free_place(taken)
        assert found not in taken
        assert found.number == 1
        taken.append(found)
    assert sorted(taken, key=lambda place: place.index) != taken
    many = {Place(1, index) for index in range(65_536)}
    assert free_place(many).number == 2


def test_a_list_names_its_own_number_only(institution: Issuer) -> None:
    now = datetime.now(UTC)
    empty = status_list(institution, "revocation", 2, {PLACE}, now)
    assert payload(empty)["id"] == list_url(institution, "revocation", 2) == f"{HOME}/status/revocation/2"
    assert empty == status_list(institution, "revocation", 2, (), now)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made: list[str] = []

    def make() -> None:
        made.append(issuer(folder, "demo", HOME).key_id)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert [file.name for file in folder.iterdir()] == ["demo.pem"]
    assert stat.S_IMODE((folder / "demo.pem").stat().st_mode) == 0o600
    assert issuer(folder, "far", HOME).key_id not in made


@pytest.mark.parametrize("name", ["../demo", "a/b", "", "-x", "데모"])
def test_an_institution_whose_id_is_no_file_name_gets_no_key(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadKey, match="only letters"):
        issuer(tmp_path / "keys", name, HOME)
    assert not (tmp_path / "keys").exists()


def test_a_broken_key_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo.pem").write_text("broken")
    with pytest.raises(BadKey, match=r"demo\.pem"):
        issuer(tmp_path, "demo", HOME)
    assert (tmp_path / "demo.pem").read_text() == "broken"


def test_an_outsider_verifies_by_the_document_alone(institution: Issuer, tmp_path: Path) -> None:
    document = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "certificates.md"
    program = tmp_path / "verify.py"
    program.write_text(document.read_text("utf-8").partition("```python\n")[2].partition("```")[0], "utf-8")
    web = Web(institution)
    given = {
        "badge.jwt": signed(institution).encode(), "did.json": web.pages[f"{HOME}/did.json"],
        **{f"{purpose}.jwt": web.pages[f"{HOME}/status/{purpose}/1"] for purpose in PURPOSES},
    }  # fmt: skip

    def said(**changed: bytes) -> tuple[int, str]:
        for name, content in {**given, **{key.replace("_", "."): value for key, value in changed.items()}}.items():
            (tmp_path / name).write_bytes(content)
        run = subprocess.run(
            [sys.executable, str(program), *given], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return run.returncode, run.stdout + run.stderr

    assert said() == (0, "holds: 영상 실무자를 위한 AI 활용 2026-DEMO-0001\n")
    held = status_list(institution, "suspension", 1, {PLACE}, datetime.now(UTC))
    assert said(suspension_jwt=held.encode()) == (1, "does not hold: suspension\n")
    code, wrong = said(badge_jwt=_more_hours(signed(institution)).encode())
    assert code == 1
    assert "InvalidSignature" in wrong
