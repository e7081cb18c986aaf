"""Azure's sovereign clouds: the app speaks to their own endpoints, with tokens for those, from their own authority."""

from random import Random
from urllib.parse import urlsplit

import pytest
from azure.identity.aio import EnvironmentCredential

from benchmarks.recorded import Token
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from simulator.front_ends.transport import SimulatorTransport
from simulator.timing.latency import Latency
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario
from tests.support.values import values

CLOUDS = [
    ("public", "management.azure.com", "https://management.azure.com/.default"),
    ("usgovernment", "management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/.default"),
    ("china", "management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
]


class Asked(Token):
    """Keeps for what tokens were asked."""

    def __init__(self):
        self.scopes = set()

    async def get_token(self, *scopes, **options):
        self.scopes |= set(scopes)
        return await super().get_token(*scopes, **options)

    async def get_token_info(self, *scopes, options=None):
        self.scopes |= set(scopes)
        return await super().get_token(*scopes)


class Wire(SimulatorTransport):
    """Keeps where requests go."""

    def __init__(self, *args):
        super().__init__(*args)
        self.hosts = set()

    async def send(self, request, **kwargs):
        self.hosts.add(urlsplit(request.url).hostname)
        return await super().send(request, **kwargs)


@pytest.mark.parametrize(("cloud", "host", "scope"), CLOUDS)
def test_a_sweep_with_all_its_pages_and_writes_stays_in_its_cloud(cloud, host, scope):
    async def story(stage):
        token, wire = Asked(), Wire(stage.request_log, Latency(Random(0), 0.0), None)
        environment = stage.environment | {"NEARZONE_CLOUD": cloud}
        app = build(environment, credential=token, transport=wire, catalog=MemoryCatalog(), clock=stage.clock)
        report = await app.correct_drift()
        assert (report.failures, stage.wrong_answers()) == ([], {})
        assert wire.hosts == {host}
        assert token.scopes == {scope}

    run_scenario(story, a_world(*(a_vm(f"vm-{n}", "eastus", 4 + n) for n in range(len(REGIONS)))))


@pytest.mark.parametrize(
    ("cloud", "authority"),
    [
        ("usgovernment", "login.microsoftonline.us"),
        ("china", "login.chinacloudapi.cn"),
        ("public", "login.other.example"),
    ],
)
def test_tokens_come_from_the_clouds_own_authority_and_in_the_public_one_from_where_the_environment_says(
    cloud, authority, monkeypatch
):
    secret = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "secret"}
    for name, value in (secret | {"AZURE_AUTHORITY_HOST": "login.other.example"}).items():
        monkeypatch.setenv(name, value)  # azure-identity reads the environment itself.
    app = build(values(CLOUD=cloud), catalog=MemoryCatalog())
    chain = app.inventory._kinds[0]._arm._send.__self__._config.credential.credentials
    (found,) = (each for each in chain if isinstance(each, EnvironmentCredential))
    assert found._credential._client._authority.endswith(authority)
