"""The floor: bare routes of the same framework, on the same driver, that fetch the same bytes and do nothing else."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

_READ = "SELECT sealed FROM resource WHERE bucket = $1 AND id = $2"
_PAGE = """SELECT sealed FROM resource WHERE bucket = $1 AND record = $2 AND kind = 'DocumentReference'
           ORDER BY id DESC LIMIT 20"""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(os.environ["FLOOR_DATABASE_URL"], min_size=16, max_size=16)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=_lifespan)


@app.get("/read/{id}")
async def read(id: str, request: Request) -> Response:
    """The bytes of one row, by primary key."""
    pool: Any = request.app.state.pool
    async with pool.acquire() as connection:
        sealed = await connection.fetchval(_READ, int(id[:3], 16), id)
    return Response(sealed, media_type="application/octet-stream")


@app.get("/page/{record}")
async def page(record: str, request: Request) -> Response:
    """The bytes of twenty rows of one record."""
    pool: Any = request.app.state.pool
    async with pool.acquire() as connection:
        rows = await connection.fetch(_PAGE, int(record[:3], 16), record)
    return Response(b"".join(row["sealed"] for row in rows), media_type="application/octet-stream")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["FLOOR_PORT"]), log_level="error", access_log=False)
