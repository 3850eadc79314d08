"""Tokens: an hour of access, rotation, revocation, and who is told what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

Company = Any


def test_each_refresh_gives_a_new_token_and_the_old_one_dies(company: Company) -> None:
    old = company.refresh_token
    answer = company.refresh().json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)
    assert answer["refresh_token"] != old
    dead = company.refresh(old)
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")


def test_without_constant_rotation_the_value_changes_after_a_day(
    new_company: Callable[..., Company],
) -> None:
    company = new_company(rotate_always=False)
    first = company.refresh_token
    assert company.refresh().json()["refresh_token"] == first
    company.control.advance(timedelta(hours=25))
    assert company.refresh().json()["refresh_token"] != first
    assert company.refresh(first).status_code == 400


def test_a_refresh_token_ends_after_a_hundred_days_without_use(company: Company) -> None:
    company.control.advance(timedelta(days=101))
    assert company.refresh().json()["error"] == "invalid_grant"


def test_a_refresh_token_ends_after_five_years_even_if_used(company: Company) -> None:
    for _ in range(19):
        company.control.advance(timedelta(days=96))
        assert company.refresh().status_code == 200
    company.control.advance(timedelta(days=2))
    assert company.refresh().json()["error"] == "invalid_grant"


def test_access_ends_after_an_hour(company: Company, code: Callable[..., str]) -> None:
    company.control.advance(3601)
    answer = company.read("preferences")
    assert (answer.status_code, code(answer)) == (401, "3200")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert company.refresh().status_code == 200
    assert company.read("preferences").status_code == 200


@pytest.mark.parametrize(
    ("header", "detail"), [("", "missing"), ("Bearer x", "Malformed"), ("Bearer " + "x" * 60, "")]
)
def test_a_missing_or_malformed_token_is_unauthenticated(
    company: Company, header: str, detail: str
) -> None:
    headers = {"accept": "application/json", "authorization": header}
    answer = company.http.get(company.url("preferences"), headers=headers)
    assert answer.status_code == 401
    assert detail in answer.json()["fault"]["error"][0]["detail"]


def test_a_good_token_of_another_company_is_not_authorised(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    mine, other = new_company(), new_company()
    mine.access_token = other.access_token
    answer = mine.read("preferences")
    assert (answer.status_code, code(answer)) == (403, "3100")


def test_a_wrong_secret_is_an_invalid_client(company: Company) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": company.refresh_token}
    answer = company.http.post(company.control.token_url, data=form, auth=("sandbox-client", "no"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert company.refresh().status_code == 200


def test_a_disconnected_app_has_neither_access_nor_refresh(company: Company) -> None:
    company.control.revoke_tokens(company.realm)
    assert company.read("preferences").status_code == 401
    assert company.refresh().json()["error"] == "invalid_grant"
    company.refresh_token = company.control.refresh_token(company.realm)
    assert company.refresh().status_code == 200


def test_the_app_can_revoke_by_token(company: Company) -> None:
    url = f"{company.control.base_url}/v2/oauth2/tokens/revoke"
    auth = httpx.BasicAuth("sandbox-client", "sandbox-secret")
    answer = company.http.post(url, json={"token": company.refresh_token}, auth=auth)
    assert (answer.status_code, answer.content) == (200, b"")
    assert company.read("preferences").status_code == 401


REDIRECT = "http://127.0.0.1:1/callback"


def consented(company: Company) -> dict[str, list[str]]:
    """What the browser brings back after somebody chose the company."""
    asked = {
        "client_id": "sandbox-client",
        "response_type": "code",
        "scope": "com.intuit.quickbooks.accounting",
        "redirect_uri": REDIRECT,
        "state": "st",
    }
    page = company.http.get(company.control.authorize_url, params=asked)
    assert company.realm in page.text
    answer = company.http.get(
        f"{company.control.authorize_url}/answer", params=asked | {"realm": company.realm}
    )
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["location"]).query)


def exchanged(company: Company, code: str, redirect: str = REDIRECT) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
    auth = httpx.BasicAuth("sandbox-client", "sandbox-secret")
    answer: httpx.Response = company.http.post(company.control.token_url, data=form, auth=auth)
    return answer


def test_a_code_of_a_consent_gives_tokens_once(company: Company) -> None:
    back = consented(company)
    assert (back["state"], back["realmId"]) == (["st"], [company.realm])

    answer = exchanged(company, back["code"][0]).json()

    assert company.refresh(answer["refresh_token"]).status_code == 200
    assert exchanged(company, back["code"][0]).json()["error"] == "invalid_grant"


def test_a_code_is_good_for_its_redirect_uri_and_ten_minutes(company: Company) -> None:
    [code] = consented(company)["code"]
    assert exchanged(company, code, "http://127.0.0.1:2/").json()["error"] == "invalid_grant"
    [late] = consented(company)["code"]
    company.control.advance(601)
    assert exchanged(company, late).json()["error"] == "invalid_grant"
