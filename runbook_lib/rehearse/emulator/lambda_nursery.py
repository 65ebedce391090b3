"""The process that forks Lambda's Python workers for `lambda_forks`; run by its path, so it imports nothing of ours.

Protocol: a message on the standard input, which is a socket, carries the order as JSON and four descriptors: the
worker's standard streams, and the end of a pipe that is closed when the worker ends. The answer is its process id.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SERVICES = ("dynamodb", "s3", "sqs")
"""Whose models the sandbox's handlers need."""
_LONGEST = 1 << 20
_STREAMS = 3


def main() -> None:
    """Imports what handlers import, then forks for each order, until the emulator has ended."""
    loaded(SERVICES).resource("dynamodb")
    gc.collect()
    gc.freeze()  # no worker's collector visits what was imported, which would copy its pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            text, descriptors, _, _ = socket.recv_fds(orders, _LONGEST, _STREAMS + 1)
            if not text:
                return
            pid = os.fork()
            if pid == 0:
                orders.detach()
                _become(json.loads(text), descriptors)
            for one in descriptors:
                os.close(one)
            orders.sendall(str(pid).encode())


def loaded(services: Sequence[str]) -> Any:
    """A session of boto3 whose models of `services` botocore has read: once, and not again in each fork."""
    import boto3
    import botocore.session
    from botocore import loaders

    read = functools.cache(loaders.JSONFileLoader().load_file)
    loaders.JSONFileLoader.load_file = lambda _, path: read(path)
    # Each session has a loader of its own, which looks through the folders of all services at its first client.
    loaders.create_loader = botocore.session.create_loader = functools.cache(loaders.create_loader)
    session = boto3.session.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106
    for service in services:
        session.client(service)
    return session


def _become(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """In the fork: the worker, until it ends."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place, descriptor in enumerate(descriptors[:_STREAMS]):
            os.dup2(descriptor, place)
            os.close(descriptor)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        sys.argv = list(order["argv"])
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
