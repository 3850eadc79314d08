"""Settings from the environment, typed. Read by definitions and the CLI, which hand values down."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import httpx
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sync.engine import EngineConfig

_HOSTS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
_TOKEN_URL = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
_REVOKE_URL = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"
_AUTHORIZE_URL = "https://appcenter.intuit.com/connect/oauth2"


_INTUIT = ".intuit.com"


class SettingError(Exception):
    """A setting is not as it must be; the message says which and what to do."""


class MissingSettingError(SettingError):
    """A setting that this command needs is not set; the message says which and what it is."""


class ForeignHostError(SettingError):
    """An address would send tokens or the app's secret to somebody else than Intuit."""


class Settings(BaseSettings):
    """Every setting of the program. Empty values count as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    ledger_url: SecretStr | None = Field(default=None, validation_alias="QBO_SYNC_DATABASE_URL")
    algapsa_url: SecretStr | None = Field(default=None, validation_alias="ALGAPSA_DATABASE_URL")
    dagster_url: SecretStr | None = Field(default=None, validation_alias="DAGSTER_DATABASE_URL")
    dagster_home: Path | None = Field(default=None, validation_alias="DAGSTER_HOME")
    data_folder: Path | None = Field(default=None, validation_alias="QBO_SYNC_DATA")
    client_id: str | None = Field(default=None, validation_alias="QBO_CLIENT_ID")
    client_secret: SecretStr | None = Field(default=None, validation_alias="QBO_CLIENT_SECRET")
    environment: Literal["production", "sandbox"] = Field(
        default="production", validation_alias="QBO_ENVIRONMENT"
    )
    api_base_url: str | None = Field(default=None, validation_alias="QBO_API_BASE_URL")
    oauth_token_url: str = Field(default=_TOKEN_URL, validation_alias="QBO_OAUTH_TOKEN_URL")
    oauth_authorize_url: str = Field(
        default=_AUTHORIZE_URL, validation_alias="QBO_OAUTH_AUTHORIZE_URL"
    )
    oauth_revoke_url: str = Field(default=_REVOKE_URL, validation_alias="QBO_OAUTH_REVOKE_URL")
    other_hosts: bool = Field(default=False, validation_alias="QBO_ALLOW_OTHER_HOSTS")
    secret_key: SecretStr | None = Field(default=None, validation_alias="QBO_SYNC_SECRET_KEY")
    batches: bool = Field(default=True, validation_alias="QBO_SYNC_BATCHES")

    def api_base(self) -> str:
        """Where QuickBooks' API is, up to and including `/v3/company`."""
        return (self.api_base_url or f"{_HOSTS[self.environment]}/v3/company").rstrip("/")

    def quickbooks(self) -> QuickBooksSettings:
        """Where QuickBooks is. Raises MissingSettingError without the app's credentials, and
        ForeignHostError for an address that is not Intuit's."""
        if not self.other_hosts:
            self._refuse_other_hosts()
        return QuickBooksSettings(
            api_base_url=self.api_base(),
            token_url=self.oauth_token_url,
            authorize_url=self.oauth_authorize_url,
            revoke_url=self.oauth_revoke_url,
            client_id=_needed(self.client_id, "QBO_CLIENT_ID", "the Intuit app's client id"),
            client_secret=_needed(
                self.client_secret, "QBO_CLIENT_SECRET", "the Intuit app's client secret"
            ),
            batches=self.batches,
        )

    def _refuse_other_hosts(self) -> None:
        addresses = {
            "QBO_API_BASE_URL": self.api_base(),
            "QBO_OAUTH_TOKEN_URL": self.oauth_token_url,
            "QBO_OAUTH_AUTHORIZE_URL": self.oauth_authorize_url,
            "QBO_OAUTH_REVOKE_URL": self.oauth_revoke_url,
        }
        for name, address in addresses.items():
            if not _is_intuits(address):
                raise ForeignHostError(
                    f"{name} is not an https address of Intuit (*.intuit.com), so tokens would go "
                    "to somebody else. Unset it. For a sandbox of your own set "
                    "QBO_ALLOW_OTHER_HOSTS=true."
                )

    def ledger(self) -> str:
        """The ledger's URL. Raises MissingSettingError."""
        return _needed(
            self.ledger_url, "QBO_SYNC_DATABASE_URL", "the PostgreSQL database of this program"
        )

    def token_key(self) -> str:
        """The key of the stored tokens. Raises MissingSettingError."""
        return _needed(
            self.secret_key,
            "QBO_SYNC_SECRET_KEY",
            "the Fernet key that encrypts QuickBooks tokens",
        )

    def engine_config(self) -> EngineConfig:
        """What the engine is built from. Raises MissingSettingError for the first one missing."""
        return EngineConfig(
            ledger_url=self.ledger(),
            algapsa_url=_needed(
                self.algapsa_url, "ALGAPSA_DATABASE_URL", "AlgaPSA's PostgreSQL database"
            ),
            secret_key=self.token_key(),
            quickbooks=self.quickbooks(),
        )


def _is_intuits(address: str) -> bool:
    """By what the client itself would connect to, so that no spelling is read in two ways."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError):
        return False
    is_plain = url.scheme == "https" and not url.userinfo and url.port in (None, 443)
    return is_plain and url.host.endswith(_INTUIT)


def _needed(value: str | SecretStr | None, name: str, meaning: str) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not text:
        raise MissingSettingError(f"{name} is not set: {meaning}. Set it and run this again.")
    return text
