"""An ordinary FastAPI service that keeps its orders in Redis. It knows nothing of telemetry: it is started by `opentelemetry-instrument`.

REDIS_PORT is where Redis answers; PORT may be 0, the bound port is printed as one JSON line.
"""

import json
import os
import socket

import redis.asyncio
import uvicorn
from fastapi import FastAPI

app = FastAPI()
store = redis.asyncio.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]))


@app.get("/orders/{order}")
async def read(order: str) -> dict:
    """One more view of the order, counted in Redis."""
    views = await store.incr(f"order:{order}")
    return {"order": order, "views": views}


def main() -> None:
    """Binds first, so that the port is known, and then serves."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(os.environ.get("PORT", "0"))))
    print(json.dumps({"event": "ready", "port": listener.getsockname()[1]}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
