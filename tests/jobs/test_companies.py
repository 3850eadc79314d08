"""Settings, mappings and moving a document, from Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.jobs.configure_company import configure_company
from qbo_sync_dagster.jobs.edit_mappings import edit_mappings
from qbo_sync_dagster.jobs.move_document import move_document
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.tokens import TokenCipher
from qbo_sync_dagster.resources import SyncEngineResource
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl

from ..actions.conftest import SECRET_KEY, Msp, msp  # noqa: F401

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger


@dataclass
class Provider:
    """A connected company with two items, of a tenant with the services Endpoint and Backup."""

    ledger: Ledger
    realm: str
    company: str

    def run(self, job: dg.JobDefinition, op: str, **config: object) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            run_config={"ops": {op: {"config": {"company": self.company} | config}}},
            resources={"sync_engine": SyncEngineResource()},
            raise_on_error=False,
        )

    def standing(self) -> connections.Connection:
        with self.ledger.engine.connect() as connection:
            return connections.get(connection, self.realm)


@pytest.fixture
def provider(
    ledger: Ledger,
    msp: Msp,  # noqa: F811
    sandbox: SandboxControl,
    monkeypatch: pytest.MonkeyPatch,
) -> Provider:
    made = sandbox.create_realm("Slate Bay IT")
    for name in ("Endpoint", "Backup and recovery"):
        sandbox.item(made.realm, name)
    for variable, value in {
        "ALGAPSA_DATABASE_URL": msp.url,
        "QBO_SYNC_SECRET_KEY": SECRET_KEY,
        "QBO_CLIENT_ID": CLIENT_ID,
        "QBO_CLIENT_SECRET": CLIENT_SECRET,
        "QBO_API_BASE_URL": sandbox.api_base,
        "QBO_OAUTH_TOKEN_URL": sandbox.token_url,
    }.items():
        monkeypatch.setenv(variable, value)
    wanted = CompanyToConnect(msp.tenant, made.realm, "Slate Bay IT", "UTC", made.refresh_token)
    connected = connect_company(ledger.engine, TokenCipher(SECRET_KEY), wanted).connection
    return Provider(ledger, made.realm, connected.company)


def sentence(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = result.get_step_failure_events()
    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    return str(user_failure.description)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [output] = [
        event.event_specific_data
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.STEP_OUTPUT
    ]
    return dict(output.metadata)  # type: ignore[union-attr]


def test_settings_that_are_filled_in_are_changed_and_all_are_shown(provider: Provider) -> None:
    result = provider.run(
        configure_company,
        "configure",
        deposit_account="Undeposited Funds",
        default_item="endpoint",
        auto_sync="off",
    )

    assert result.success
    standing = provider.standing()
    assert standing.deposit_account
    assert standing.default_item
    assert standing.auto_sync is False
    assert metadata(result)["changed"].value == 3
    names = [record.data["setting"] for record in metadata(result)["settings"].records]
    assert "go-live" in names


def test_a_setting_that_does_not_hold_is_refused_in_a_sentence(provider: Provider) -> None:
    result = provider.run(configure_company, "configure", default_class="West", auto_sync="off")

    assert "QuickBooks has no active class 'West'" in sentence(result)
    assert provider.standing().auto_sync is True


def test_every_setting_of_a_company_can_be_filled_in(provider: Provider) -> None:
    from qbo_sync_dagster.actions.configuring import SETTINGS  # noqa: PLC0415
    from qbo_sync_dagster.jobs.configure_company import (  # noqa: PLC0415
        ConfigureCompany,
        setting_name,
    )

    fields = set(ConfigureCompany.model_fields) - {"company"}

    assert {setting_name(name) for name in fields} == set(SETTINGS)


def test_mappings_are_made_by_name_and_shown(provider: Provider) -> None:
    result = provider.run(
        edit_mappings,
        "mappings",
        accept_equal_names=True,
        mappings=[{"kind": "service", "algapsa": "Backup", "quickbooks": "Backup and recovery"}],
    )

    assert result.success
    assert metadata(result)["missing"].value == 0
    rows = {record.data["AlgaPSA"]: record.data for record in metadata(result)["mappings"].records}
    assert rows["Backup"]["QuickBooks"] == "Backup and recovery"


def test_a_mapping_to_what_is_not_there_is_refused_in_a_sentence(provider: Provider) -> None:
    wanted = [{"kind": "service", "algapsa": "Backup", "quickbooks": "Firewall"}]

    result = provider.run(edit_mappings, "mappings", mappings=wanted)

    assert "QuickBooks has no active item 'Firewall'" in sentence(result)


def test_a_document_that_is_not_there_is_refused_in_a_sentence(provider: Provider) -> None:
    result = provider.run(move_document, "move", document="INV-NONE")

    assert "no finalized document 'INV-NONE'" in sentence(result)
