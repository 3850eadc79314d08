"""The sandbox's remote control, for tests and the demo.

Belongs here: one method per thing that can be done to, or learned from, the sandbox.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import httpx

from qbo_sync_dagster.sandbox.quickbooks import forms
from qbo_sync_dagster.sandbox.quickbooks.forms import Amount, Lines
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode, encode

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105  (opens nothing but the sandbox)

# The class below has a method called list, which hides the type from its annotations.
Names: TypeAlias = list[str]
Objects: TypeAlias = list[Json]


class SandboxRefusedError(Exception):
    """The sandbox refused an act; `code` is Intuit's fault code, or empty for a bad call."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code


@dataclass(frozen=True, slots=True)
class SandboxRealm:
    """A company that was just created, and the way into it."""

    realm: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the sandbox saw it. Status 0: closed without an answer."""

    kind: str
    entity: str
    request_id: str
    items: int
    metered: int
    bytes_in: int
    bytes_out: int
    status: int
    at: datetime


Calls: TypeAlias = list[Call]


class SandboxControl:
    """Everything under /control, with typed methods. Safe to share between threads."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(base_url=self.base_url, timeout=120, trust_env=False)

    @property
    def api_base(self) -> str:
        """What stands before the realm in each call: `.../v3/company`."""
        return f"{self.base_url}/v3/company"

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint."""
        return f"{self.base_url}/oauth2/v1/tokens/bearer"

    @property
    def authorize_url(self) -> str:
        """The page on which a company is chosen."""
        return f"{self.base_url}/connect/oauth2"

    @property
    def revoke_url(self) -> str:
        """The OAuth revocation endpoint."""
        return f"{self.base_url}/v2/oauth2/tokens/revoke"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Companies

    def reset(self) -> None:
        """Forget everything."""
        self._send("POST", "/control/reset")

    def create_realm(
        self,
        name: str = "Northwind IT",
        *,
        realm: str | None = None,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        furnished: bool = True,
        **switches: object,
    ) -> SandboxRealm:
        """A new company with accounts, terms, payment methods and tax codes, and its refresh
        token. Switches are keywords (`country`, `home_currency`, `automated_sales_tax`, ...)."""
        body = {
            "realm": realm or f"9341{secrets.randbelow(10**12):012d}",
            "name": name,
            "client_id": client_id,
            "client_secret": client_secret,
            "furnished": furnished,
            "switches": switches,
        }
        made = self._send("POST", "/control/realms", body)
        return SandboxRealm(made["realm"], made["refresh_token"])

    def realms(self) -> Names:
        """The ids of all companies."""
        return list(self._send("GET", "/control/realms"))

    def switches(self, realm: str) -> Json:
        """How a company behaves."""
        return dict(self._send("GET", f"/control/realms/{realm}/switches"))

    def set(self, realm: str, **switches: object) -> Json:
        """Change how a company behaves: `set(realm, latency_ms=150)`."""
        return dict(self._send("PATCH", f"/control/realms/{realm}/switches", switches))

    # Objects

    def seed(self, realm: str, objects: Sequence[Mapping[str, Any]]) -> Names:
        """Many objects at once; their ids. Each is `{"entity", "body"}` and may have `id`,
        `created` and `updated` (ISO date-times)."""
        return list(
            self._send("POST", f"/control/realms/{realm}/seed", {"objects": objects})["ids"]
        )

    def create(self, realm: str, entity: str, body: Mapping[str, Any]) -> Json:
        """Create an object at the screen."""
        return self._act(realm, "create", entity, body)

    def edit(self, realm: str, entity: str, identity: str, **changes: object) -> Json:
        """Change some properties of an object at the screen."""
        return self._act(realm, "update", entity, {**changes, "Id": identity})

    def void(self, realm: str, entity: str, identity: str) -> Json:
        """Void an invoice or a payment."""
        return self._act(realm, "void", entity, {"Id": identity})

    def delete(self, realm: str, entity: str, identity: str) -> None:
        """Delete a transaction for good."""
        self._act(realm, "delete", entity, {"Id": identity})

    def get(self, realm: str, entity: str, identity: str) -> Json:
        """An object as it stands. Raises KeyError if there is none, or no longer."""
        for each in self.list(realm, entity):
            if each["Id"] == identity:
                return each
        message = f"{entity} {identity} of company {realm}"
        raise KeyError(message)

    def list(self, realm: str, entity: str) -> Objects:
        """All objects of a kind that stand, by id."""
        return list(self._send("GET", f"/control/realms/{realm}/objects/{entity}")["live"])

    def deleted(self, realm: str, entity: str) -> Objects:
        """The last versions of deleted objects, by id."""
        return list(self._send("GET", f"/control/realms/{realm}/objects/{entity}")["deleted"])

    # What a bookkeeper does

    def customer(self, realm: str, name: str, **properties: object) -> Json:
        """A customer of that DisplayName."""
        return self.create(realm, "Customer", {"DisplayName": name, **properties})

    def item(self, realm: str, name: str, **properties: object) -> Json:
        """A service item that books to the account Services."""
        body = {"Name": name, "IncomeAccountRef": {"value": "1"}, **properties}
        return self.create(realm, "Item", body)

    def invoice(
        self,
        realm: str,
        customer_id: str,
        lines: Lines,
        **properties: object,
    ) -> Json:
        """An invoice; each line is an item's id and an amount."""
        return self.create(realm, "Invoice", forms.document(customer_id, lines, properties))

    def credit_memo(
        self,
        realm: str,
        customer_id: str,
        lines: Lines,
        **properties: object,
    ) -> Json:
        """A credit memo; each line is an item's id and an amount."""
        return self.create(realm, "CreditMemo", forms.document(customer_id, lines, properties))

    def record_payment(
        self,
        realm: str,
        customer_id: str,
        lines: Lines,
        *,
        total: Amount | None = None,
        date: str | None = None,
        ref: str | None = None,
        **properties: object,
    ) -> Json:
        """A payment; each line is an invoice's id and an amount, `total` their sum by default."""
        who = {"CustomerRef": {"value": customer_id}}
        body = {**who, **forms.money(lines, total), **properties}
        if date is not None:
            body["TxnDate"] = date
        if ref is not None:
            body["PaymentRefNum"] = ref
        return self.create(realm, "Payment", body)

    def apply_credit(
        self, realm: str, customer_id: str, invoice_id: str, memo_id: str, amount: Amount
    ) -> Json:
        """Apply a credit memo to an invoice: a payment of nothing with two lines."""
        lines = [
            forms.payment_line("Invoice", invoice_id, amount),
            forms.payment_line("CreditMemo", memo_id, amount),
        ]
        body = {"CustomerRef": {"value": customer_id}, "TotalAmt": 0, "Line": lines}
        return self.create(realm, "Payment", body)

    def edit_payment(
        self,
        realm: str,
        payment_id: str,
        lines: Lines,
        *,
        total: Amount | None = None,
        **changes: object,
    ) -> Json:
        """Other lines (invoice id, amount) and, unless `total` is given, their sum."""
        body = {**forms.money(lines, total), **changes}
        return self.edit(realm, "Payment", payment_id, **body)

    def unapply(self, realm: str, payment_id: str) -> Json:
        """Take a payment off its documents; the money stays on the customer."""
        return self.edit(realm, "Payment", payment_id, Line=[])

    def deposit(self, realm: str, payment_id: str) -> Json:
        """Put a payment into a bank deposit."""
        return self._act(realm, "deposit", "Payment", {"Id": payment_id})

    def undeposit(self, realm: str, payment_id: str) -> Json:
        """Take a payment out of its deposit."""
        return self._act(realm, "undeposit", "Payment", {"Id": payment_id})

    # Tokens

    def refresh_token(self, realm: str) -> str:
        """A new refresh token, as the OAuth playground gives it."""
        return str(self._send("POST", f"/control/realms/{realm}/tokens")["refresh_token"])

    def revoke_tokens(self, realm: str) -> None:
        """What a customer does who disconnects the app."""
        self._send("POST", f"/control/realms/{realm}/tokens/revoke")

    def expire_access_tokens(self, realm: str) -> None:
        """Let an hour have passed for the access tokens."""
        self._send("POST", f"/control/realms/{realm}/tokens/expire")

    # Faults

    def fault(
        self,
        effect: str,
        *,
        realm: str | None = None,
        kind: str = "any",
        entity: str | None = None,
        match: str | None = None,
        after_calls: int = 0,
        times: int = 1,
        hold_ms: int = 50,
    ) -> int:
        """Let calls fail: the effects are listed in `injection`. The rule's number."""
        rule = {
            "effect": effect,
            "realm": realm,
            "kind": kind,
            "entity": entity,
            "match": match,
            "after_calls": after_calls,
            "times": times,
            "hold_ms": hold_ms,
        }
        return int(self._send("POST", "/control/faults", rule)["id"])

    def clear_faults(self, realm: str | None = None) -> None:
        """Forget the rules of one company, or all."""
        self._send("DELETE", f"/control/realms/{realm}/faults" if realm else "/control/faults")

    # Clock and calls

    def now(self) -> datetime:
        """The sandbox's time."""
        return datetime.fromisoformat(self._send("GET", "/control/clock")["now"])

    def advance(self, by: timedelta | float) -> datetime:
        """Move the sandbox's time on (seconds, or a timedelta)."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        body = {"seconds": Decimal(str(seconds))}
        return datetime.fromisoformat(self._send("POST", "/control/clock/advance", body)["now"])

    def reset_clock(self) -> None:
        """Back to real time."""
        self._send("POST", "/control/clock/reset")

    def calls(self, realm: str) -> Calls:
        """All calls of a company, oldest first."""
        rows = self._send("GET", f"/control/realms/{realm}/calls")["calls"]
        return [Call(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in rows]

    def call_counts(self, realm: str) -> Counter[str]:
        """Calls of a company by kind (token, query, cdc, batch, read, create, ...)."""
        return Counter(call.kind for call in self.calls(realm))

    def metered_calls(self, realm: str) -> int:
        """What Intuit would meter: reads, queries and change polls, batch items included."""
        return sum(call.metered for call in self.calls(realm))

    def forget_calls(self, realm: str) -> None:
        """Start counting anew."""
        self._send("DELETE", f"/control/realms/{realm}/calls")

    def _act(self, realm: str, act: str, entity: str, body: Mapping[str, Any]) -> Json:
        request = {"act": act, "entity": entity, "body": body}
        return dict(self._send("POST", f"/control/realms/{realm}/acts", request)["object"] or {})

    def _send(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        content = None if body is None else encode(body)
        answer = self._http.request(method, path, content=content)
        if answer.status_code == 400:
            error = answer.json()["Fault"]["Error"][0]
            raise SandboxRefusedError(error["code"], error["Detail"])
        if answer.status_code >= 300:
            raise SandboxRefusedError("", answer.text)
        return decode(answer.content)
