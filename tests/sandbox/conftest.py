"""A company in the sandbox and a bare HTTP client for it: the engine's own gateway is not used
here, so that the two cannot agree on the same mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl

Json = dict[str, Any]


@dataclass
class Company:
    """One company with a connected client, one customer and one item."""

    control: SandboxControl
    http: httpx.Client
    realm: str
    refresh_token: str
    customer: str
    item: str
    access_token: str = ""

    def refresh(self, token: str | None = None) -> httpx.Response:
        """Trade a refresh token; the client uses the new access token from then on."""
        form = {"grant_type": "refresh_token", "refresh_token": token or self.refresh_token}
        answer = self.http.post(self.control.token_url, data=form, auth=(CLIENT_ID, CLIENT_SECRET))
        if answer.status_code == 200:
            self.refresh_token = answer.json()["refresh_token"]
            self.access_token = answer.json()["access_token"]
        return answer

    def post(self, path: str, body: object, **params: str) -> httpx.Response:
        """POST JSON below the company."""
        return self.http.post(self.url(path), json=body, params=params, headers=self.headers)

    def read(self, path: str, **params: str) -> httpx.Response:
        """GET below the company."""
        return self.http.get(self.url(path), params=params, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """What every call carries."""
        return {"accept": "application/json", "authorization": f"Bearer {self.access_token}"}

    def query(self, statement: str) -> Json:
        """The QueryResponse of a statement."""
        answer = self.read("query", query=statement)
        assert answer.status_code == 200, answer.text
        return parsed(answer)["QueryResponse"]

    def cdc(self, entities: str, since: str) -> dict[str, Json]:
        """The blocks of a change poll by entity."""
        answer = self.read("cdc", entities=entities, changedSince=since)
        assert answer.status_code == 200, answer.text
        blocks = parsed(answer)["CDCResponse"][0]["QueryResponse"]
        names = [name for block in blocks for name in block if name[0].isupper()]
        return dict(zip(names, blocks, strict=True))

    def url(self, path: str) -> str:
        """The URL of a call."""
        return f"{self.control.api_base}/{self.realm}/{path}"

    def invoice_body(self, *amounts: str | float, **properties: object) -> Json:
        """An invoice to create, with a line per amount."""
        lines = [
            {
                "Amount": amount,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": self.item}},
            }
            for amount in amounts
        ]
        return {"CustomerRef": {"value": self.customer}, "Line": lines, **properties}

    def invoice(self, *amounts: str | float, **properties: object) -> Json:
        """An invoice created over the API."""
        answer = self.post("invoice", self.invoice_body(*amounts, **properties))
        assert answer.status_code == 200, answer.text
        return parsed(answer)["Invoice"]

    def pay(self, *lines: tuple[str, str | int], total: str | int | None = None) -> Json:
        """A payment recorded at the screen."""
        return self.control.record_payment(self.realm, self.customer, lines, total=total)

    def get(self, entity: str, identity: str) -> Json:
        """An object as it stands."""
        return self.control.get(self.realm, entity, identity)


def parsed(answer: httpx.Response) -> Json:
    """The JSON of an answer with exact amounts."""
    return dict(json.loads(answer.content, parse_float=Decimal))


def fault_code(answer: httpx.Response) -> str:
    """The code of the first error, from either envelope."""
    body = answer.json()
    if "fault" in body:
        return str(body["fault"]["error"][0]["code"])
    return str(body["Fault"]["Error"][0]["code"])


@pytest.fixture(scope="session")
def wire() -> Iterator[httpx.Client]:
    """One client for all companies: making one takes longer than most tests."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def new_company(sandbox: SandboxControl, wire: httpx.Client) -> Callable[..., Company]:
    """A factory of companies; keywords are switches."""

    def create(**switches: object) -> Company:
        made = sandbox.create_realm(**switches)
        customer = sandbox.customer(made.realm, "Harbor Dental Group")["Id"]
        item = sandbox.item(made.realm, "Managed services")["Id"]
        company = Company(sandbox, wire, made.realm, made.refresh_token, customer, item)
        company.refresh()
        return company

    return create


@pytest.fixture
def company(new_company: Callable[..., Company]) -> Company:
    """A company with Intuit's usual settings."""
    return new_company()


@pytest.fixture
def code() -> Callable[[httpx.Response], str]:
    """The fault code of an answer."""
    return fault_code
