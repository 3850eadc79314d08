"""Settings from the environment: what is missing is named, and no secret shows."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from qbo_sync_dagster.settings import ForeignHostError, MissingSettingError, Settings

ALL = {
    "QBO_SYNC_DATABASE_URL": "postgresql://ledger.example.com/qbo",
    "ALGAPSA_DATABASE_URL": "postgresql://algapsa.example.com/server",
    "QBO_CLIENT_ID": "client",
    "QBO_CLIENT_SECRET": "app-secret-77",
    "QBO_SYNC_SECRET_KEY": "fernet-key-88",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("QBO_ENVIRONMENT", "QBO_API_BASE_URL", "QBO_OAUTH_TOKEN_URL", "QBO_SYNC_BATCHES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("QBO_ALLOW_OTHER_HOSTS", raising=False)
    for name, value in ALL.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_engine_gets_what_the_environment_says() -> None:
    config = Settings().engine_config()

    assert config.ledger_url == ALL["QBO_SYNC_DATABASE_URL"]
    assert config.algapsa_url == ALL["ALGAPSA_DATABASE_URL"]
    assert (config.quickbooks.client_id, config.quickbooks.client_secret) == (
        "client",
        "app-secret-77",
    )
    assert config.quickbooks.batches


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_or_empty_setting_is_named_with_its_meaning(
    environment: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    environment.delenv(name) if value is None else environment.setenv(name, value)

    with pytest.raises(MissingSettingError, match=f"^{name} is not set: .+Set it"):
        Settings().engine_config()


def test_the_real_quickbooks_is_reached_unless_told_otherwise() -> None:
    quickbooks = Settings().quickbooks()

    assert quickbooks.api_base_url == "https://quickbooks.api.intuit.com/v3/company"
    assert quickbooks.token_url == "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"


def test_intuits_sandbox_has_a_host_of_its_own(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QBO_ENVIRONMENT", "sandbox")

    assert Settings().quickbooks().api_base_url == (
        "https://sandbox-quickbooks.api.intuit.com/v3/company"
    )


def test_a_base_address_given_is_used_without_its_last_slash(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("QBO_API_BASE_URL", "http://127.0.0.1:9/v3/company/")
    environment.setenv("QBO_ALLOW_OTHER_HOSTS", "true")

    assert Settings().quickbooks().api_base_url == "http://127.0.0.1:9/v3/company"


@pytest.mark.parametrize(
    "name",
    [
        *("QBO_API_BASE_URL", "QBO_OAUTH_TOKEN_URL"),
        *("QBO_OAUTH_AUTHORIZE_URL", "QBO_OAUTH_REVOKE_URL"),
    ],
)
@pytest.mark.parametrize(
    "address",
    [
        "https://quickbooks.example.com/v3/company",
        "http://quickbooks.api.intuit.com/v3/company",
        "https://intuit.com.example.com/v3/company",
        "https://notintuit.com/v3/company",
        "https://quickbooks.api.intuit.com@example.com/v3/company",
        "https://user:word@quickbooks.api.intuit.com/v3/company",
        "https://quickbooks.api.intuit.com:8443/v3/company",
        "https://example.com\\@quickbooks.api.intuit.com/",
        "https://example.com#.intuit.com",
        "https://example.com?.intuit.com",
        "//quickbooks.api.intuit.com/v3/company",
        "quickbooks.api.intuit.com",
    ],
)
def test_an_address_that_is_not_intuits_is_refused_and_the_setting_that_opens_it_named(
    environment: pytest.MonkeyPatch, name: str, address: str
) -> None:
    environment.setenv(name, address)

    with pytest.raises(ForeignHostError, match=f"^{name} is not .+QBO_ALLOW_OTHER_HOSTS=true"):
        Settings().quickbooks()

    environment.setenv("QBO_ALLOW_OTHER_HOSTS", "true")
    Settings().quickbooks()


def test_another_address_of_intuits_needs_no_leave(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QBO_API_BASE_URL", "https://quickbooks-e2e.api.intuit.com/v3/company")

    assert Settings().quickbooks().api_base_url.startswith("https://quickbooks-e2e.")


def test_an_unknown_environment_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QBO_ENVIRONMENT", "staging")

    with pytest.raises(ValidationError):
        Settings()


def test_batches_can_be_switched_off(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QBO_SYNC_BATCHES", "no")

    assert not Settings().quickbooks().batches


def test_no_secret_shows_when_settings_are_printed() -> None:
    settings = Settings()
    shown = repr(settings) + str(settings) + repr(settings.engine_config())

    assert "app-secret-77" not in shown
    assert "fernet-key-88" not in shown
