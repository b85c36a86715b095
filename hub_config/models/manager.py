"""The built-in models as one service: `python -m hub_config.models.manager CONFIG.json`. It speaks the OpenAI API on loopback.

The rule: nothing but /health answers without the key, and no model's library is ever imported here.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import shutil
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from hub_config.models import chat, embeddings, errors, memory, speech, transcriptions
from hub_config.models.catalogue import Catalogue, catalogue
from hub_config.models.config import ServiceConfig
from hub_config.models.pool import Pool
from hub_config.models.serve import LOOPBACK, read_key

log = logging.getLogger("practicum.models")
POOL = web.AppKey("pool", Pool)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[web.Request, Pool], Awaitable[web.StreamResponse]]

ADDRESSES: dict[str, Answer] = {
    "/v1/chat/completions": chat.pass_on,
    "/v1/responses": chat.pass_on,
    "/v1/embeddings": embeddings.embed,
    "/v1/audio/transcriptions": transcriptions.transcribe,
    "/v1/audio/speech": speech.speak,
}


def create_app(
    config: ServiceConfig, models: Catalogue | None = None, available: Callable[[], int] = memory.available_bytes
) -> web.Application:
    """Make the service; `available` tells how many bytes of memory are free."""
    key = read_key(config.key_file)

    @web.middleware
    async def answers(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for the key, and give every error one shape."""
        try:
            if request.path != "/health":
                _check_key(request, key)
            return await handler(request)
        except errors.ServiceError as error:
            return error.response()
        except web.HTTPRequestEntityTooLarge:
            return errors.too_large(config.request_bytes).response()
        except web.HTTPException:
            return errors.not_found().response()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            # The message may quote a learner's text: only its type and place are logged.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s at %s:%s", type(error).__name__, place.filename, place.lineno)
            return errors.internal().response()

    async def parts(app: web.Application) -> AsyncIterator[None]:
        shutil.rmtree(config.folder, ignore_errors=True)
        config.folder.mkdir(parents=True, mode=0o700)
        app[POOL] = pool = Pool(config, models or catalogue(), available)
        async with pool.idle_watch():
            yield
        shutil.rmtree(config.folder, ignore_errors=True)

    app = web.Application(middlewares=[answers], client_max_size=config.request_bytes)
    app.cleanup_ctx.append(parts)
    app.router.add_get("/health", _health, allow_head=False)
    app.router.add_get("/v1/models", _models, allow_head=False)
    for path, answer in ADDRESSES.items():
        app.router.add_post(path, _with_pool(answer))
    return app


def _check_key(request: web.Request, key: str) -> None:
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(shown.encode(errors="replace"), key.encode()):
        raise errors.wrong_key()


def _with_pool(answer: Answer) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(request, request.app[POOL])

    return handle


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _models(request: web.Request) -> web.Response:
    """Tell which models there are and where each stands; speech has a process for each call only."""
    pool = request.app[POOL]
    standing = {worker.name: worker for worker in pool.workers()}
    data = []
    for name in pool.config.models:
        kind, worker = pool.model(name).kind, standing.get(name)
        about = {"state": worker.state, "running": worker.running, "progress": worker.progress()} if worker else {}
        data.append({"id": name, "object": "model", "created": 0, "owned_by": "practicum", "kind": kind, **about})
    return web.json_response({"object": "list", "data": data})


async def serve(config: ServiceConfig) -> None:
    """Run the service until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # handler_cancellation: a client who leaves frees the model, instead of letting it finish for nobody.
    runner = web.AppRunner(
        create_app(config), access_log=None, handler_cancellation=True, shutdown_timeout=config.stop_seconds
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, config.port).start()
        print(f"models ready at http://{LOOPBACK}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    """Run until a signal; 2 where the settings are wrong, 1 where it cannot start."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    if len(sys.argv) != 2:
        print("python -m hub_config.models.manager CONFIG.json", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(ServiceConfig.model_validate_json(Path(sys.argv[1]).read_bytes())))
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            print(f"{sys.argv[1]}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"the models did not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
