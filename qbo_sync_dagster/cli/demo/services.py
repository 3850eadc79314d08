"""Dagster's webserver and daemon as guarded children, with their own home in the data folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from qbo_sync_dagster.cli.demo.folder import CHECKOUT
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.output import working

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 3000
_PORTS_TRIED = 20
_READY_SECONDS = 120.0
_END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Service:
    """One running child and the file that holds what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_alive(self) -> None:
        """Raise CommandError if it ended."""
        if self.process.poll() is not None:
            raise CommandError(
                f"The {self.name} ended by itself (exit code {self.process.returncode}). "
                f"What it said is in {self.log}."
            )


def chosen_port(wanted: int | None) -> int:
    """The wanted port, or the first free one from 3000 on. Raises CommandError if it is taken."""
    if wanted is not None:
        if _is_free(wanted):
            return wanted
        raise CommandError(f"Port {wanted} is in use. Choose another with --port.")
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        if _is_free(port):
            return port
    last = DEFAULT_PORT + _PORTS_TRIED - 1
    raise CommandError(f"Ports {DEFAULT_PORT} to {last} are in use. Choose one with --port.")


@contextmanager
def running_services(environment: Mapping[str, str], port: int) -> Iterator[tuple[Service, ...]]:
    """Start both, wait until the web page answers, and end both."""
    home = Path(environment["DAGSTER_HOME"])
    _prepare_home(home)
    webserver = ("dagster-webserver", "-h", HOST, "-p", str(port), *_WORKSPACE)
    services: list[Service] = []
    try:
        with working("Starting Dagster ..."):
            for command in (webserver, ("dagster-daemon", "run", *_WORKSPACE)):
                services.append(_start(command, environment, home))
            _wait_until_ready(services, port)
        yield tuple(services)
    finally:
        with working("Ending Dagster ..."):
            _end(services)


_WORKSPACE = ("-w", str(CHECKOUT / "workspace.yaml"))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _prepare_home(home: Path) -> None:
    home.mkdir(exist_ok=True)
    home.chmod(0o700)
    shutil.copyfile(CHECKOUT / "dagster.yaml", home / "dagster.yaml")


def _start(command: tuple[str, ...], environment: Mapping[str, str], home: Path) -> Service:
    name, *arguments = command
    program = Path(sysconfig.get_path("scripts")) / name
    guard = [sys.executable, "-m", "qbo_sync_dagster.cli.demo.guard", str(os.getpid())]
    log = home / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own services
            [*guard, str(program), *arguments],
            env={**os.environ, **environment},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Service(name, process, log)


def _wait_until_ready(services: list[Service], port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(trust_env=False, timeout=5) as http:
        while time.monotonic() < deadline:
            for service in services:
                service.require_alive()
            with suppress(httpx.HTTPError):
                if http.get(f"http://{HOST}:{port}/server_info").status_code == httpx.codes.OK:
                    return
            time.sleep(0.5)
    raise CommandError(
        f"Dagster's web page did not answer within {_READY_SECONDS:.0f} seconds. "
        f"What it said is in {services[0].log}."
    )


def _end(services: list[Service]) -> None:
    for service in services:
        service.process.terminate()
    for service in services:
        try:
            service.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            service.process.kill()
            service.process.wait()
