"""The command line in this process, with the settings of a migrated ledger and a demo AlgaPSA."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qbo_sync_dagster.cli.main import app

from ..actions.conftest import REALM, SECRET_KEY, Msp, msp  # noqa: F401


@dataclass
class Shell:
    """A shell in which `qbo-sync` is set up. `settings` are its environment."""

    settings: dict[str, str]
    msp: Msp

    def run(self, *arguments: str, text: str = "", **environment: str) -> Result:
        """Run a command; `text` is its standard input."""
        names = ("QBO_REFRESH_TOKEN", "QBO_ENVIRONMENT", *self.settings)
        values = dict.fromkeys(names) | self.settings | environment
        return CliRunner().invoke(app, arguments, input=text, env=values)

    def ok(self, *arguments: str, text: str = "", **environment: str) -> str:
        """The answer of a command that succeeds."""
        result = self.run(*arguments, text=text, **environment)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """The JSON that is all of the answer."""
        return json.loads(self.ok(*arguments, "--json"))

    def refused(self, *arguments: str, text: str = "", **environment: str) -> str:
        """What a failing command complains of, with nothing on standard output."""
        result = self.run(*arguments, text=text, **environment)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        return result.stderr

    def connect(self, realm: str = REALM, *more: str) -> str:
        """Connect a company of the demo AlgaPSA's tenant."""
        return self.ok(
            *("connections", "add", "--tenant", self.msp.tenant, "--realm", realm),
            *("--name", f"Slate Bay {realm[-1]}", "--time-zone", "America/Los_Angeles", *more),
            QBO_REFRESH_TOKEN="AB11-first",
        )


@pytest.fixture
def shell(msp: Msp, fresh_database: Callable[..., str]) -> Shell:  # noqa: F811
    settings = {
        "QBO_SYNC_DATABASE_URL": fresh_database("ledger"),
        "ALGAPSA_DATABASE_URL": msp.url,
        "QBO_SYNC_SECRET_KEY": SECRET_KEY,
        "QBO_CLIENT_ID": "client",
        "QBO_CLIENT_SECRET": "secret",
        # Nobody listens there.
        "QBO_API_BASE_URL": "http://127.0.0.1:9/v3/company",
        "QBO_OAUTH_TOKEN_URL": "http://127.0.0.1:9/token",
    }
    return Shell(settings, msp)
