"""The entry point: which commands there are."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from qbo_sync_dagster.cli import (
    audit,
    batches,
    configuration,
    connections,
    consent,
    cycles,
    exceptions,
    health,
    invoices,
    links,
    maintenance,
    mappings,
    notifications,
    onboarding,
    sandbox,
)
from qbo_sync_dagster.cli.demo import command as demo
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.output import answer
from qbo_sync_dagster.quickbooks.redact import install_redaction

app = command_group("qbo-sync", "Keeps AlgaPSA and QuickBooks Online in step, both ways.")
app.command()(demo.demo)
app.command()(maintenance.migrate)
app.command()(maintenance.doctor)
app.command("re-encrypt")(maintenance.re_encrypt)
app.command()(consent.connect)
connections.app.command()(consent.reconnect)
app.add_typer(connections.app)
app.add_typer(links.app)
app.add_typer(mappings.app)
app.command()(configuration.configure)
app.add_typer(notifications.app)
app.command()(onboarding.onboard)
app.command()(cycles.cycle)
app.command("sync-now")(cycles.sync_now)
app.command()(invoices.invoices)
app.command("sync-invoice")(invoices.sync_invoice)
app.add_typer(batches.app)
app.command()(health.health)
app.add_typer(exceptions.app)
app.add_typer(audit.app)
app.add_typer(sandbox.app)


@app.callback(invoke_without_command=True)
def options(
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Options of `qbo-sync` itself."""
    install_redaction()
    if show_version:
        answer(version("qbo-sync-dagster"))
        raise typer.Exit


def run() -> None:
    """Run the command named on the command line."""
    app()
