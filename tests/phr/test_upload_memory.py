"""A large upload costs its own size in memory, not several times it. Measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

SIZE = 24 << 20
SCRIPT = """
import asyncio, hashlib, sys, tracemalloc
from phr.blobs import receive
from phr.core.settings import from_environment

SIZE = int(sys.argv[1])

async def chunks(head):
    yield head
    for _ in range((SIZE - len(head)) // 65536):
        yield b"x" * 65536

async def measure(head, declared):
    tracemalloc.start()
    content = await receive(chunks(head), declared, from_environment({"PHR_ENV": "sandbox"}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert content.size > SIZE - 100_000
    print(peak)

async def main():
    await measure(b"%PDF-1.7", "application/pdf")
    await measure(b"a text", "text/plain")
    cda = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><text>'
    await measure(cda, "text/xml")

try:
    asyncio.run(main())
except Exception as error:
    # The CDA above is never closed: it is refused at its very end.
    assert error.reason == "media-type", error
"""


def test_an_upload_is_held_once() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCRIPT, str(SIZE)]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=120)
    peaks = [int(line) for line in ran.stdout.split()]
    assert len(peaks) == 2
    assert max(peaks) < SIZE * 1.2
