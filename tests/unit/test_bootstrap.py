"""Wiring: what is refused before anything runs, and what importing the app may not do."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from azure.identity.aio import ManagedIdentityCredential

from shared.azure.client import same_service
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from shared.catalog.storage_account import table_of
from shared.domain.errors import BadSettings
from tests.support.deployment import Token
from tests.support.values import parsed, values

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mark", ["WEBSITE_INSTANCE_ID", "WEBSITE_SKU", "WEBSITE_POD_NAME"])
def test_the_catalog_in_memory_is_refused_in_azure_whatever_the_plan(mark):
    with pytest.raises(BadSettings, match="durable"):
        build({**values(), mark: "x"}, credential=Token())


KEY = base64.b64encode(b"secret").decode()
STORAGE, SERVICE = "AzureWebJobsStorage", "AzureWebJobsStorage__tableServiceUri"
ACCOUNT, CREDENTIAL = "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__credential"
CLIENT = "AzureWebJobsStorage__clientId"
BY_KEY = f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.windows.net"
PLACES = [
    ({STORAGE: "UseDevelopmentStorage=true"}, "public", "http://127.0.0.1:10002/devstoreaccount1"),
    ({STORAGE: BY_KEY}, "public", "https://acc.table.core.windows.net"),
    ({STORAGE: "TableEndpoint=https://acc.example;SharedAccessSignature=sv=1&sig=x"}, "public", "https://acc.example"),
    ({STORAGE: BY_KEY, ACCOUNT: "other"}, "public", "https://acc.table.core.windows.net"),
    ({STORAGE: " ", ACCOUNT: "acc"}, "public", "https://acc.table.core.windows.net"),
    ({ACCOUNT: "acc"}, "usgovernment", "https://acc.table.core.usgovcloudapi.net"),
    ({ACCOUNT: "acc"}, "china", "https://acc.table.core.chinacloudapi.cn"),
    ({ACCOUNT: "acc", CREDENTIAL: "managedidentity", CLIENT: "id"}, "public", "https://acc.table.core.windows.net"),
    ({SERVICE: "https://acc.example/", ACCOUNT: "other"}, "public", "https://acc.example"),
    ({SERVICE: "https://acc.example"}, '{"arm": "http://127.0.0.1:1", "audience": "https://a"}', "https://acc.example"),
]


@pytest.mark.parametrize(("storage", "cloud", "url"), PLACES)
def test_the_catalog_is_in_the_storage_account_of_the_host(storage, cloud, url):
    environment = {**values(CLOUD=cloud), **storage, "WEBSITE_SKU": "FlexConsumption"}
    table = build(environment, credential=Token()).catalog._store._client
    assert (table.url, table.table_name) == (url, table_of(parsed()))


OVERRIDDEN = [
    ({STORAGE: BY_KEY}, [], ""),
    ({SERVICE: "https://acc.example", CREDENTIAL: "managedidentity", CLIENT: "id"}, [], ""),
    ({ACCOUNT: "acc", CLIENT: "id"}, [], ""),
    ({SERVICE: "https://acc.example", ACCOUNT: "acc"}, [ACCOUNT], SERVICE),
    ({STORAGE: BY_KEY, ACCOUNT: "acc", SERVICE: " "}, [ACCOUNT], STORAGE),
    ({STORAGE: BY_KEY, SERVICE: "https://acc.example", CLIENT: "id"}, [SERVICE, CLIENT], STORAGE),
]


@pytest.mark.parametrize(("storage", "losers", "winner"), OVERRIDDEN)
def test_a_storage_setting_that_another_one_overrides_is_told_with_the_one_that_wins(storage, losers, winner):
    app = build({**values(), **storage}, credential=Token())
    assert [note.what for note in app.instance.notes] == [
        f"{loser} has no effect, because {winner} is set as well" for loser in losers
    ]
    assert all(note.means and note.do for note in app.instance.notes)


def test_a_storage_setting_in_another_case_is_a_fault_that_names_both():
    with pytest.raises(BadSettings) as refused:
        build(
            {**values(), "AzureWebJobsStorage__accountname": "acc", "AZUREWEBJOBSSTORAGE": BY_KEY}, credential=Token()
        )
    assert refused.value.faults == (
        f"AZUREWEBJOBSSTORAGE: found in the wrong case, expected {STORAGE}",
        f"AzureWebJobsStorage__accountname: found in the wrong case, expected {ACCOUNT}",
    )


def test_an_identity_of_its_own_is_asked_for_the_storage_account_and_otherwise_the_same_as_for_azure():
    own, token = {**values(), ACCOUNT: "acc", CREDENTIAL: "ManagedIdentity"}, Token()
    assert build(own, credential=token).catalog._store._client.credential is token
    chosen = build({**own, CLIENT: "id"}, credential=token).catalog._store._client.credential
    assert isinstance(chosen, ManagedIdentityCredential)


@pytest.mark.parametrize("proxy", ["HTTPS_PROXY", "https_proxy", "all_proxy"])
def test_a_proxy_on_the_way_to_the_storage_account_is_looked_for_where_the_environment_has_one(proxy):
    for storage in ({STORAGE: BY_KEY}, {ACCOUNT: "acc"}):
        for environment, found in ((storage, False), ({**storage, proxy: "http://proxy:3128"}, True)):
            table = build({**values(), **environment}, credential=Token()).catalog._store._client
            assert table._client._client._pipeline._transport._use_env_settings is found


def test_without_a_storage_account_or_where_a_catalog_is_given_there_is_no_table():
    assert isinstance(build(values(), credential=Token()).catalog, MemoryCatalog)
    given = MemoryCatalog()
    assert build({**values(), STORAGE: BY_KEY}, credential=Token(), catalog=given).catalog is given


BAD = [
    ({STORAGE: "secret"}, [STORAGE]),
    ({STORAGE: "@Microsoft.KeyVault(SecretUri=https://secret)"}, [STORAGE]),
    ({STORAGE: "AccountName=acc;AccountKey=no secret!"}, [STORAGE]),
    ({STORAGE: "AccountName=acc"}, [STORAGE]),
    ({STORAGE: f"AccountName=acc;AccountKey={KEY};TableEndpoint=https://:1"}, [STORAGE]),
    ({SERVICE: "http://acc.table.core.windows.net"}, [SERVICE]),
    ({SERVICE: "acc"}, [SERVICE]),
    ({SERVICE: "https://acc.example?sig=secret"}, [SERVICE]),
    ({SERVICE: "https://[acc"}, [SERVICE]),
    ({SERVICE: "https://acc.example:99999"}, [SERVICE]),
    ({SERVICE: "https://secret@acc.example"}, [SERVICE]),
    ({ACCOUNT: "my-account"}, [ACCOUNT]),
    ({ACCOUNT: "My", CREDENTIAL: "password"}, [ACCOUNT, CREDENTIAL]),
]


@pytest.mark.parametrize(("storage", "named"), BAD)
def test_bad_storage_settings_are_named_with_all_others_and_no_secret_is_shown(storage, named):
    for environment, others in (({**values()}, []), ({**values(TTL="x", MODE="y")}, ["NEARZONE_MODE", "NEARZONE_TTL"])):
        with pytest.raises(BadSettings) as caught:
            build({**environment, **storage}, credential=Token())
        assert [fault.split(":")[0] for fault in caught.value.faults] == others + named
        assert "secret" not in str(caught.value)


def test_an_account_name_alone_does_not_tell_where_it_is_in_a_cloud_of_ones_own():
    environment = values(CLOUD='{"arm": "http://127.0.0.1:1", "audience": "https://a"}')
    with pytest.raises(BadSettings, match="__tableServiceUri"):
        build({**environment, ACCOUNT: "acc"}, credential=Token())


def test_a_container_of_somebody_elses_is_not_taken_for_azure():
    assert build({**values(), "CONTAINER_NAME": "laptop"}, credential=Token())


def test_importing_the_app_needs_no_settings_and_opens_no_connection():
    code = """
import socket, sys
def refuse(*_): raise AssertionError("a connection at import")
socket.socket.connect = refuse
import function_app
print(len(function_app.app.get_functions()))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEARZONE_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "8"), done.stderr


def test_importing_the_app_leaves_the_status_and_the_rounds_of_probes_to_their_first_use():
    """Each module lengthens the time until a new process handles its first event."""
    code = "import function_app, sys; print(*sorted(name for name in sys.modules if name.startswith('shared.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    late = (
        "shared.loop.status",
        "shared.loop.explanation",
        "shared.decide.probes",
        "shared.probing",
        "shared.loop.probing.round",
    )
    assert "shared.loop.event_handler" in imported
    assert [name for name in late if any(f"{each}.".startswith(f"{name}.") for each in imported)] == []


@pytest.mark.parametrize(
    ("link", "same"),
    [
        ("https://management.azure.com/x?$skiptoken=1", True),
        ("https://management.azure.com:443/x", True),
        ("https://eastus.management.azure.com/x", True),
        ("https://management.azure.com.evil.example/x", False),
        ("https://evilmanagement.azure.com/x", False),
        ("http://management.azure.com/x", False),
        ("https://management.azure.com:444/x", False),
        ("/x", False),
    ],
)
def test_a_list_is_followed_only_to_the_service_that_was_asked(link, same):
    assert same_service(link, "https://management.azure.com") is same
