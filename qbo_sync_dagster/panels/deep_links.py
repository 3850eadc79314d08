"""Addresses that open a record in QuickBooks Online.

What belongs here: Intuit's addresses. What does not: which records an exception names.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

# The app that shows what the API at this host serves.
_APPS = {
    "quickbooks.api.intuit.com": "https://app.qbo.intuit.com/app",
    "sandbox-quickbooks.api.intuit.com": "https://app.sandbox.qbo.intuit.com/app",
}
_PATHS = {
    "invoice": "invoice?txnId=",
    "payment": "recvpayment?txnId=",
    "creditmemo": "creditmemo?txnId=",
    "salesreceipt": "salesreceipt?txnId=",
    "customer": "customerdetail?nameId=",
    "client": "customerdetail?nameId=",
}


def quickbooks_app(api_base_url: str) -> str | None:
    """The web app that belongs to an API address; None where there is none to open."""
    return _APPS.get(urlsplit(api_base_url).hostname or "")


def view_in_quickbooks(app: str | None, kind: str, record_id: str) -> str | None:
    """The address of one record. It opens in the company the browser is signed in to."""
    path = _PATHS.get(kind.lower().replace("_", "").replace(" ", ""))
    if app is None or path is None or not record_id:
        return None
    return f"{app}/{path}{quote(record_id, safe='')}"
