"""`python -m qbo_sync_dagster.sandbox.quickbooks --port 0 --dsn URL`: the sandbox alone.

Belongs here: the process: its port, its one line of output, its end with its parent.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time

import uvicorn

from qbo_sync_dagster.sandbox.quickbooks.app import build_app

_HOST = "127.0.0.1"
_PARENT_CHECK_SECONDS = 0.5


def main() -> None:
    """Serve until a signal comes, or until the parent is gone if it was asked to watch it."""
    parser = argparse.ArgumentParser(prog="qbo_sync_dagster.sandbox.quickbooks")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--end-with-parent", type=int, default=0, metavar="PID")
    options = parser.parse_args()
    if options.end_with_parent:
        watch = threading.Thread(target=_watch, args=(options.end_with_parent,), daemon=True)
        watch.start()
    serve(options.dsn, options.port)


def serve(dsn: str, port: int = 0) -> None:
    """Serve on a port (0: any free one) and say which."""
    app = build_app(dsn)
    with socket.create_server((_HOST, port), backlog=256) as listener:
        actual = listener.getsockname()[1]
        sys.stdout.write(f"listening on http://{_HOST}:{actual}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            app, log_level="error", access_log=False, timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[listener])


def _watch(parent: int) -> None:
    """A killed parent can't say goodbye; its orphan is adopted by another process."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
