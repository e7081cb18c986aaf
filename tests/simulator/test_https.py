"""`python -m simulator --https PORT`: the same Azure over TLS, trusted by those who trust this run's own CA."""

import ssl
from pathlib import Path

import aiohttp
import pytest
from test_server import running

from simulator.arm.resource_manager import METADATA
from tests.support.small_world import vm_id

CLOUD = f"{METADATA}?api-version=2022-09-01"
BEARER = {"Authorization": "Bearer anything"}


def trusting(ready):
    return ssl.create_default_context(cafile=ready["ca"])


async def ask(method, url, context, **headers):
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, url, ssl=context) as answer:
        return answer.status, answer.headers, await answer.json() if answer.content_type.endswith("json") else None


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_it_is_trusted_with_its_own_ca_and_not_without(tmp_path, name):
    async with running(tmp_path, "--https", "0") as (ready, _):
        url = ready["https"].replace("localhost", name) + CLOUD
        assert (await ask("GET", url, trusting(ready)))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ask("GET", url, ssl.create_default_context())


async def test_each_run_has_a_ca_of_its_own_and_leaves_nothing_behind(tmp_path):
    async with running(tmp_path, "--https", "0") as (one, _), running(tmp_path, "--https", "0") as (other, _):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ask("GET", one["https"] + CLOUD, trusting(other))
    assert not Path(one["ca"]).parent.exists()


async def test_it_has_the_world_that_http_has_and_links_lead_back_to_it(tmp_path):
    async with running(tmp_path, "--https", "0") as (ready, _):
        vm = f"{vm_id('gpu')}?api-version=2024-03-01"
        plain, secure = [
            await ask("GET", base + vm, trusting(ready), **BEARER) for base in (ready["arm"], ready["https"])
        ]
        assert plain[0] == secure[0] == 200
        assert plain[2] == secure[2]
        start = f"{ready['https']}{vm_id('gpu')}/start?api-version=2024-03-01"
        _, headers, _ = await ask("POST", start, trusting(ready), **BEARER)
        assert headers["azure-asyncoperation"].startswith(f"{ready['https']}/subscriptions/")


async def test_where_the_cloud_is_is_told_without_a_token_and_nothing_else(tmp_path):
    """What `az cloud register` reads (azure-cli-core 2.91, cloud.py), before anybody has logged in."""
    async with running(tmp_path, "--https", "0") as (ready, _):
        status, _, cloud = await ask("GET", ready["https"] + CLOUD, trusting(ready))
        assert status == 200
        assert cloud["resourceManager"] == cloud["authentication"]["loginEndpoint"] == ready["https"]
        assert cloud["authentication"]["audiences"] == ["https://management.azure.com"]
        assert {"name", "suffixes", "graphAudience", "gallery", "portal", "batch", "media"} <= cloud.keys()
        url = f"{ready['https']}/subscriptions?api-version=2022-12-01"
        status, _, error = await ask("GET", url, trusting(ready))
        assert (status, error["error"]["code"]) == (401, "AuthenticationFailed")


async def test_without_https_neither_an_address_nor_a_ca_is_named(tmp_path):
    async with running(tmp_path) as (ready, _):
        assert not {"https", "ca"} & ready.keys()
