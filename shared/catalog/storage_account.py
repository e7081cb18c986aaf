"""The storage account of the durable catalog: the one that the Functions host uses, from the host's own settings.

Source of the names: Azure Functions' identity-based connections (azure-functions-host, StorageClientProvider and
AzureComponentFactory). This module makes no calls: a client connects with its first request.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.identity.aio import ManagedIdentityCredential

from shared.config.settings import CLOUDS, Cloud, Settings
from shared.domain.alarms import Alarm
from shared.domain.errors import BadSettings

TABLE = "nearzone"
CONNECTION = "AzureWebJobsStorage"
SERVICE = f"{CONNECTION}__tableServiceUri"
ACCOUNT = f"{CONNECTION}__accountName"
CREDENTIAL = f"{CONNECTION}__credential"
CLIENT = f"{CONNECTION}__clientId"
_NAMES = (CONNECTION, SERVICE, ACCOUNT, CREDENTIAL, CLIENT)
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")

_SUFFIXES = {
    CLOUDS["public"].arm: "core.windows.net",
    CLOUDS["usgovernment"].arm: "core.usgovcloudapi.net",
    CLOUDS["china"].arm: "core.chinacloudapi.cn",
}
_AUDIENCES = {
    CLOUDS["usgovernment"].arm: "https://storage.azure.us",
    CLOUDS["china"].arm: "https://storage.azure.cn",
}
"""For clouds other than the public one. Source: AudienceType in azure-data-tables 12.7.0."""

_RETRIES: dict[str, Any] = {
    "retry_total": 3,
    "retry_backoff_factor": 0.1,
    "connection_timeout": 3,
    "read_timeout": 4,
}
"""A connection that hangs is aborted early enough for a second attempt within the time limit of a call."""


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account: by connection string, or by endpoint and identity.

    `proxied`: the environment may have a proxy. Otherwise the client does not search for one before every call, which
    saves a third of its CPU time.
    """

    connection: str = ""
    endpoint: str = ""
    audience: str = ""
    client_id: str = ""
    proxied: bool = False


def proxied(environment: Mapping[str, str]) -> bool:
    """Return whether the environment names a proxy."""
    return any(environment.get(name) for name in PROXIES)


def parse(values: Mapping[str, str], cloud: Cloud) -> Account | None:
    """Return the account that the app settings name, None if they name none.

    Raises BadSettings with every fault found.
    """
    found = {name: values.get(name, "").strip() for name in _NAMES}
    account: Account | None
    if found[CONNECTION]:
        faults = _connection_faults(found[CONNECTION])
        account = Account(connection=found[CONNECTION], proxied=proxied(values))
    elif found[SERVICE] or found[ACCOUNT]:
        faults = _identity_faults(found, cloud)
        endpoint = found[SERVICE] or f"https://{found[ACCOUNT]}.table.{_SUFFIXES.get(cloud.arm, '')}"
        audience = _AUDIENCES.get(cloud.arm, "https://storage.azure.com")
        account = Account("", endpoint.rstrip("/"), audience, found[CLIENT], proxied(values))
    else:
        faults, account = [], None
    faults += _wrong_case(values)
    if faults:
        raise BadSettings(faults)
    return account


def overridden(values: Mapping[str, str]) -> list[Alarm]:
    """Return an alarm for each setting of the account that has no effect because another setting takes precedence."""
    names = [name for name in _NAMES if values.get(name, "").strip()]
    if CONNECTION in names:
        winner, losers = CONNECTION, names[1:]
    elif SERVICE in names:
        winner, losers = SERVICE, [name for name in names if name == ACCOUNT]
    else:
        return []
    return [
        Alarm(
            f"{loser} has no effect, because {winner} is set as well",
            f"the catalog is where {winner} says; the Functions host may choose otherwise",
            f"remove the one that you do not need: {loser} changes nothing for nearzone",
        )
        for loser in losers
    ]


def _wrong_case(values: Mapping[str, str]) -> list[str]:
    """Return faults of names in the wrong case: the Functions host ignores case, this app (as Linux) does not."""
    ours = {name.lower(): name for name in _NAMES}
    near = {name: ours[name.lower()] for name in sorted(values) if name not in _NAMES and name.lower() in ours}
    wrong = [name for name, meant in near.items() if values[name] != values.get(meant)]
    return [f"{name}: found in the wrong case, expected {near[name]}" for name in wrong]


def table_of(settings: Settings) -> str:
    """Return the table name of a deployment, which its owner, zones and mode determine.

    Two apps or slots on one account have different tables unless all three are equal.
    """
    mode = "apply" if settings.apply else "shadow"
    parts = (settings.owner, sorted(zone.key for zone in settings.zones), mode)
    return TABLE + hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def connect(
    account: Account,
    credential: AsyncTokenCredential,
    transport: Any = None,  # noqa: ANN401 - any azure-core transport
    table: str = TABLE,
) -> TableClient:
    """Return a client of the catalog's table. `credential`: for accounts whose settings name no identity."""
    if account.connection:
        return TableClient.from_connection_string(account.connection, table, **_options(account, transport))
    options = _with_identity(account, credential) | _options(account, transport)
    return TableClient(account.endpoint, table, **options)


def service(
    account: Account,
    credential: AsyncTokenCredential,
    transport: Any = None,  # noqa: ANN401 - any azure-core transport
) -> TableServiceClient:
    """Return a client of the account, for tables other than the catalog's own."""
    if account.connection:
        return TableServiceClient.from_connection_string(account.connection, **_options(account, transport))
    return TableServiceClient(account.endpoint, **_with_identity(account, credential) | _options(account, transport))


def _options(account: Account, transport: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    return _RETRIES | ({"use_env_settings": account.proxied} if transport is None else {"transport": transport})


def _with_identity(account: Account, credential: AsyncTokenCredential) -> dict[str, Any]:
    if account.client_id:
        credential = ManagedIdentityCredential(client_id=account.client_id)
    return {"credential": credential, "audience": account.audience}


def _connection_faults(text: str) -> list[str]:
    """Check a connection string; the faults do not show it, because it may contain a key."""
    try:
        key = TableClient.from_connection_string(text, TABLE).credential
        if isinstance(key, AzureNamedKeyCredential):
            base64.b64decode(key.named_key.key, validate=True)
    except (ValueError, TypeError):  # The SDK raises both.
        expected = "DefaultEndpointsProtocol=...;AccountName=...;AccountKey=... or UseDevelopmentStorage=true"
        return [f"{CONNECTION}: found a value that cannot be parsed (not shown here), expected {expected}"]
    return []


def _identity_faults(found: Mapping[str, str], cloud: Cloud) -> list[str]:
    faults = []
    if found[SERVICE]:
        if not _is_https(found[SERVICE]):
            plain = (
                found[SERVICE].rsplit("@", 1)[-1].split("?")[0]
            )  # Without user info and query, which may be secrets.
            faults.append(f'{SERVICE}: found "{plain[:80]}", expected https://ACCOUNT.table.core.windows.net')
    elif not re.fullmatch("[a-z0-9]{3,24}", found[ACCOUNT]):
        faults.append(f'{ACCOUNT}: found "{found[ACCOUNT][:80]}", expected 3 to 24 lower-case letters and digits')
    elif cloud.arm not in _SUFFIXES:
        faults.append(f"{ACCOUNT}: gives no address in a custom cloud, expected {SERVICE}")
    if found[CREDENTIAL].lower() not in ("", "managedidentity"):
        faults.append(f'{CREDENTIAL}: found "{found[CREDENTIAL][:80]}", expected managedidentity')
    return faults


def _is_https(text: str) -> bool:
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and url.port != 0
    except ValueError:  # A bracket that does not close, a port beyond 65535.
        return False
    return url.scheme == "https" and usable and not (url.query or url.fragment or url.username)
