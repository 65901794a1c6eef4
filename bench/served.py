"""A server in a process of its own, for as long as it is measured."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx


@contextmanager
def process(arguments: Sequence[str], environment: Mapping[str, str], ready: str) -> Iterator[None]:
    """`python <arguments>`, once the address `ready` answers; ended after the block."""
    child = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                if httpx.get(ready, timeout=1).status_code < 500:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield
    finally:
        child.terminate()
        child.wait(20)
