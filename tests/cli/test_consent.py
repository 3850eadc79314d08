"""`qbo-sync connect`, `connections reconnect`, `disconnect` and `forget`, with a real browser's
requests against the sandbox."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from qbo_sync_dagster.cli import consent
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.ledger.tokens import TokenCipher, Tokens, TokenVault
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl

from .conftest import SECRET_KEY, Shell


@dataclass
class Browser:
    """A browser with somebody before it, who chooses `realm`, or cancels without one.

    `first` are queries that something else on this machine sends to the callback before.
    """

    realm: str | None = None
    first: list[str] = field(default_factory=list)
    pages: list[tuple[int, str]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def open(self, url: str) -> bool:
        self.threads.append(threading.Thread(target=self._consent, args=(url,)))
        self.threads[-1].start()
        return True

    def back(self, url: str) -> str:
        """The address that the browser is sent to."""
        with httpx.Client(trust_env=False, timeout=30) as http:
            assert http.get(url).status_code == 200
            asked = dict(parse_qsl(urlsplit(url).query))
            chosen = {"realm": self.realm} if self.realm else {"cancel": "yes"}
            base = url.partition("?")[0]
            answer = http.get(f"{base}/answer", params=asked | chosen)
            return answer.headers["location"].replace("localhost", "127.0.0.1")

    def _consent(self, url: str) -> None:
        location = self.back(url)
        with httpx.Client(trust_env=False, timeout=30) as http:
            for query in self.first:
                page = http.get(f"{location.partition('?')[0]}?{query}")
                self.pages.append((page.status_code, page.text))
            page = http.get(location)
            self.pages.append((page.status_code, page.text))


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    made = Browser()
    monkeypatch.setattr(webbrowser, "open", made.open)
    yield made
    for thread in made.threads:
        thread.join(180)


@pytest.fixture
def online(shell: Shell, sandbox: SandboxControl) -> Shell:
    """A shell whose QuickBooks is the sandbox."""
    shell.settings |= {
        "QBO_CLIENT_ID": CLIENT_ID,
        "QBO_CLIENT_SECRET": CLIENT_SECRET,
        "QBO_API_BASE_URL": sandbox.api_base,
        "QBO_OAUTH_TOKEN_URL": sandbox.token_url,
        "QBO_OAUTH_AUTHORIZE_URL": sandbox.authorize_url,
        "QBO_OAUTH_REVOKE_URL": sandbox.revoke_url,
    }
    return shell


@pytest.fixture
def connect(online: Shell, browser: Browser) -> Callable[..., str]:
    def run(realm: str, *more: str) -> str:
        browser.realm = realm
        tenant = ("--tenant", online.msp.tenant, "--time-zone", "America/New_York")
        return online.ok("connect", *tenant, "--port", "0", *more)

    return run


def stored(shell: Shell, realm: str) -> Tokens:
    engine = create_ledger_engine(shell.settings["QBO_SYNC_DATABASE_URL"])
    try:
        return TokenVault(engine, TokenCipher(SECRET_KEY)).peek(realm)
    finally:
        engine.dispose()


def test_a_company_is_connected_by_choosing_it_at_intuit(
    online: Shell, sandbox: SandboxControl, browser: Browser, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder Bookkeeping").realm

    told = connect(realm)

    assert "Alder Bookkeeping is connected as alder-bookkeeping-" in told
    tokens = stored(online, realm)
    assert tokens.access_token
    assert tokens.access_expires_at
    assert tokens.refresh_expires_at
    assert "QuickBooks answers for Alder Bookkeeping" in online.run("doctor").output
    browser.threads[0].join(180)
    assert browser.pages == [(200, browser.pages[0][1])]
    assert "close this window" in browser.pages[0][1]


@pytest.mark.parametrize(
    "forged",
    [
        "code=x&realmId=1&state=guessed",
        "code=x&realmId=1",
        "error=access_denied",
        "state=a&state=b",
    ],
)
def test_an_answer_of_somebody_else_is_ignored_and_the_wait_goes_on(
    sandbox: SandboxControl, browser: Browser, connect: Callable[..., str], forged: str
) -> None:
    realm = sandbox.create_realm("Alder").realm
    browser.first = [forged]

    assert "is connected" in connect(realm)

    browser.threads[0].join(180)
    assert [status for status, _ in browser.pages] == [400, 200]


def test_a_refusal_at_intuit_connects_nothing(
    online: Shell, sandbox: SandboxControl, browser: Browser
) -> None:
    sandbox.create_realm("Alder")
    browser.realm = None
    tenant = ("--tenant", online.msp.tenant, "--time-zone", "UTC", "--port", "0")

    assert "Access was refused at Intuit" in online.refused("connect", *tenant)
    assert online.json("connections", "list") == {"companies": []}


def test_the_address_can_be_pasted_from_another_machine(
    online: Shell, sandbox: SandboxControl, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.realm = sandbox.create_realm("Alder").realm
    seen: list[str] = []
    monkeypatch.setattr(webbrowser, "open", seen.append)
    monkeypatch.setattr(consent, "_pasted_line", lambda: browser.back(seen[0]))
    tenant = ("--tenant", online.msp.tenant, "--time-zone", "UTC", "--paste")

    assert "Alder is connected" in online.ok("connect", *tenant)


def test_reconnecting_renews_the_tokens_and_keeps_the_rest(
    online: Shell, sandbox: SandboxControl, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder").realm
    connect(realm, "--name", "Alder IT", "--go-live", "2026-02-01")
    before = stored(online, realm)

    told = online.ok("connections", "reconnect", realm, "--port", "0")

    assert told == "Alder IT is connected again. The next cycle catches up.\n"
    assert stored(online, realm).refresh_token != before.refresh_token
    [company] = online.json("connections", "list")["companies"]
    assert (company["go_live"], company["time_zone"]) == ("2026-02-01", "America/New_York")


def test_reconnecting_refuses_another_company(
    online: Shell, sandbox: SandboxControl, browser: Browser, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder").realm
    connect(realm)
    before = stored(online, realm)
    browser.realm = sandbox.create_realm("Birch").realm

    told = online.refused("connections", "reconnect", realm, "--port", "0")

    assert "another company was chosen" in told
    assert stored(online, realm) == before


def test_disconnecting_revokes_and_keeps_the_links(
    online: Shell, sandbox: SandboxControl, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder").realm
    connect(realm)
    online.ok("links", "import", realm, "-", text=f"client,{online.msp.clients[0]},7\n")
    refresh = stored(online, realm).refresh_token

    told = online.ok("connections", "disconnect", realm)

    assert told == "Alder is disconnected. Its links are kept.\n"
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    auth = httpx.BasicAuth(CLIENT_ID, CLIENT_SECRET)
    assert httpx.post(sandbox.token_url, data=form, auth=auth).json()["error"] == "invalid_grant"
    assert online.json("connections", "list")["companies"][0]["state"] == "disconnected"
    assert online.msp.clients[0] in online.ok("links", "export", realm)
    online.ok("connections", "disconnect", realm)
    assert "is connected again" in connect(realm)


def test_disconnecting_without_an_answer_of_intuit_says_so_and_can_be_repeated(
    online: Shell, sandbox: SandboxControl, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder").realm
    connect(realm)

    result = online.run(
        "connections", "disconnect", realm, QBO_OAUTH_REVOKE_URL="http://127.0.0.1:9/revoke"
    )

    assert result.exit_code == 1
    assert "Intuit still holds the authorization" in result.stderr
    assert online.json("connections", "list")["companies"][0]["state"] == "disconnected"
    assert "not revoked at Intuit yet" in online.refused("connections", "forget", realm, "--yes")
    online.ok("connections", "disconnect", realm)
    assert "is forgotten" in online.ok("connections", "forget", realm, "--yes")
    assert online.json("connections", "list") == {"companies": []}


def test_only_a_disconnected_company_is_forgotten_and_only_when_its_key_is_typed(
    online: Shell, sandbox: SandboxControl, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder").realm
    connect(realm)
    assert "is not disconnected" in online.refused("connections", "forget", realm, "--yes")
    online.ok("connections", "disconnect", realm)

    result = online.run("connections", "forget", realm, text="alder\n")

    assert result.exit_code == 1
    assert "not its key" in result.stderr
    assert len(online.json("connections", "list")["companies"]) == 1


def test_the_default_company_is_made_and_a_default_is_not_forgotten(
    online: Shell, sandbox: SandboxControl, connect: Callable[..., str]
) -> None:
    first, second = sandbox.create_realm("Alder").realm, sandbox.create_realm("Birch").realm
    connect(first)
    connect(second)

    told = online.run("connections", "disconnect", first)

    assert "still the default company" in told.stderr
    assert "make-default birch" in online.refused("connections", "forget", first, "--yes")
    assert online.ok("connections", "make-default", second) == (
        "Birch is the default company now.\n"
    )
    online.ok("connections", "forget", first, "--yes")
    [left] = online.json("connections", "list")["companies"]
    assert (left["name"], left["default"]) == ("Birch", True)


def test_a_company_of_another_tenant_is_refused(
    online: Shell, sandbox: SandboxControl, browser: Browser, connect: Callable[..., str]
) -> None:
    realm = sandbox.create_realm("Alder").realm
    connect(realm)
    other = ("--tenant", "3f2b8c1e-0d4a-4c57-9a68-1b2c3d4e5f60", "--time-zone", "UTC")

    assert "One company can serve one tenant only" in online.refused(
        "connect", *other, "--port", "0"
    )
