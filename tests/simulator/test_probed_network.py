"""What a prober meets at an address in virtual time: hosts, paths, times, partitions; each connection is logged."""

import asyncio

import pytest

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing.prober import probe
from simulator.dialing.connections import ProbedNetwork
from simulator.model_servers.entry import ServerEntry
from simulator.paths.entry import PathEntry
from tests.support.small_world import GROUP, VNET, Scene, a_vm, in_virtual_time, vm_id
from tests.support.virtual_dialer import virtual_dialer

HTTP = Probe("http", 8000, "/health")
PE = f"{GROUP}/Microsoft.Network/privateEndpoints/pe"
LB = f"{GROUP}/Microsoft.Network/loadBalancers/lb"
ACI = f"{GROUP}/Microsoft.ContainerInstance/containerGroups/aci"
SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/set"
BASE = {"location": "eastus", "vnet": VNET, "subnet": "small"}
GPU = "10.1.0.4"


class Stage:
    """A world in virtual time, and probes from any vantage."""

    def __init__(self, loop, *vms, **lists):
        self.loop = loop
        self.scene = Scene(*(vms or [a_vm("gpu", GPU)]), clock=loop.time, **lists)
        self.cloud = self.scene.cloud
        self.network = ProbedNetwork(self.cloud)

    async def probe(self, ip=GPU, vantage="eastus", asked=HTTP, **probing):
        return await probe(virtual_dialer(self.network, vantage), ip, asked, Probing(**probing))

    async def word(self, *arguments, **more):
        return (await self.probe(*arguments, **more)).word

    def server(self, **entry):
        self.cloud.servers.set(vm_id("gpu"), ServerEntry(**entry), self.loop.time())


def story(told):
    """A test that runs in virtual time; it gets the loop."""

    def test():
        in_virtual_time(told)

    test.__doc__ = told.__doc__
    return test


@story
async def test_a_probe_takes_as_long_as_the_path_and_the_kernel_tells_its_round_trip_time(loop):
    stage = Stage(loop)
    stage.cloud.paths.change(PathEntry("westeurope", "eastus", rtt_ms=80))
    plain = await stage.probe(vantage="westeurope")
    secure = await stage.probe(vantage="westeurope", asked=Probe("http", 8443, "/health", tls=True, tls_name="a"))
    assert (plain.word, plain.rtt_ms, round(plain.seconds, 3)) == (ProbeWord.OK, 80, 0.160)
    assert round(secure.seconds, 3) == 0.240


@story
async def test_a_refusal_takes_one_round_trip_and_silence_the_whole_time_out(loop):
    stage = Stage(loop)
    stage.cloud.paths.change(PathEntry("westeurope", "eastus", rtt_ms=80))
    stage.server(behaviour="refuses")
    refused = await stage.probe(vantage="westeurope")
    nothing = await stage.probe("10.1.0.99", vantage="westeurope", connect_timeout=3.0)
    assert (refused.word, round(refused.seconds, 3)) == (ProbeWord.REFUSED, 0.080)
    assert (nothing.word, round(nothing.seconds, 3)) == (ProbeWord.CONNECT_TIMEOUT, 3.0)


@story
async def test_a_lost_syn_fails_no_probe_but_two_do(loop):
    stage = Stage(loop, network={"loss": 1.0})
    assert await stage.word() == ProbeWord.CONNECT_TIMEOUT
    stage = Stage(loop, network={"loss": 0.3})
    results = [await stage.probe() for _ in range(200)]
    late = [each for each in results if each.ok and 1000 < each.rtt_ms < 1100]
    assert late
    failed = [each for each in results if not each.ok]
    assert {(each.word, round(each.seconds, 3)) for each in failed} == {(ProbeWord.CONNECT_TIMEOUT, 3.0)}


@story
async def test_a_machine_answers_only_while_it_runs(loop):
    stage = Stage(loop)
    stage.scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    assert await stage.word() == ProbeWord.CONNECT_TIMEOUT
    await asyncio.sleep(60)
    assert await stage.word() == ProbeWord.CONNECT_TIMEOUT
    stage.scene.ask("POST", f"{vm_id('gpu')}/start")
    assert await stage.word() == ProbeWord.CONNECT_TIMEOUT
    await asyncio.sleep(60)
    assert await stage.word() == ProbeWord.OK


@story
async def test_a_slow_start_begins_with_the_machine_and_is_refused_then_503_then_healthy(loop):
    stage = Stage(loop, a_vm("gpu", GPU, "deallocated", server={"behaviour": "slow-start", "seconds": 100}))
    await asyncio.sleep(500)
    stage.scene.ask("POST", f"{vm_id('gpu')}/start")
    while stage.cloud.compute.machine(vm_id("gpu")).power != "running":
        await asyncio.sleep(0.1)
        stage.cloud.azure.advance()
    found = []
    for _ in range(5):
        found.append(await stage.word())
        await asyncio.sleep(25)
    assert found == [ProbeWord.REFUSED, *[ProbeWord.STATUS] * 3, ProbeWord.OK]


@story
async def test_a_server_that_loads_is_healthy_after_its_time(loop):
    stage = Stage(loop)
    stage.server(behaviour="loading", seconds=60)
    first = await stage.probe()
    await asyncio.sleep(60)
    assert (first.status, (await stage.probe()).status) == (503, 200)


@story
async def test_asking_wakes_a_server_which_falls_asleep_again_when_it_is_left_alone(loop):
    stage = Stage(loop)
    stage.server(behaviour="wakes")
    found = []
    for pause in (15, 20, 250, 301, 31):
        found.append((await stage.probe()).status)
        await asyncio.sleep(pause)
    assert found == [503, 503, 200, 200, 503]


@story
async def test_a_busy_server_is_late_at_times_and_never_fails_for_long(loop):
    stage = Stage(loop)
    stage.server(behaviour="busy", seconds=300)
    results = []
    for _ in range(2000):
        results.append(await stage.probe(timeout=5.0))
        await asyncio.sleep(15)
    late = [each for each in results if each.word == ProbeWord.ANSWER_TIMEOUT]
    assert 20 < len(late) < 150
    assert {each.word for each in results} == {ProbeWord.OK, ProbeWord.ANSWER_TIMEOUT}


@story
async def test_every_kind_of_endpoint_answers_as_its_server_says_and_not_where_nothing_can_answer(loop):
    said = {"server": {"behaviour": "refuses"}}
    stage = Stage(
        loop,
        private_endpoints=[BASE | {"id": PE, "addresses": ["10.1.5.4"], "service": PE} | said],
        load_balancers=[
            {"id": LB, "location": "eastus", "frontends": [{"name": "a", "vnet": VNET, "address": "10.1.0.5"}]} | said
        ],
        container_groups=[BASE | {"id": ACI, "state": "Running", "address": "10.1.5.5"} | said],
        scale_sets=[
            BASE
            | {"id": SET, "mode": "Uniform", "subnet": "default"}
            | {"instances": [{"id": "0", "power": "running", "address": "10.1.0.6"} | said]}
        ],
        hosts=[{"address": "172.20.0.4", "location": "eastus"} | said],
    )
    addresses = ("10.1.5.4", "10.1.0.5", "10.1.5.5", "10.1.0.6", "172.20.0.4")
    assert [await stage.word(ip) for ip in addresses] == [ProbeWord.REFUSED] * 5
    stage.cloud.private_endpoints.decide(PE, "Rejected")
    stage.cloud.container_groups.set_state(ACI, "Stopped")
    stage.cloud.compute.guest_shutdown(f"{SET}/virtualMachines/0")
    silent = [await stage.word(ip) for ip in ("10.1.5.4", "10.1.5.5", "10.1.0.6")]
    assert silent == [ProbeWord.CONNECT_TIMEOUT] * 3


@story
async def test_a_server_of_a_kind_has_its_paths_on_its_port_alone(loop):
    stage = Stage(loop)
    stage.server(kind="vllm", port=8000)
    assert await stage.word() == ProbeWord.OK
    assert (await stage.probe(asked=Probe("http", 8000, "/healthz"))).status == 404
    assert await stage.word(asked=Probe("http", 8001, "/health")) == ProbeWord.REFUSED
    stage.server(kind="azure-openai")
    paths = [(await stage.probe(asked=Probe("http", 443, path))).status for path in ("/status-0123456789abcdef", "/v1")]
    assert paths == [200, 401]


@story
async def test_a_client_without_tls_gets_no_http_from_a_server_that_wants_it_and_the_other_way_round(loop):
    stage = Stage(loop)
    stage.server(tls=True)
    assert await stage.word() in {ProbeWord.NOT_HTTP, ProbeWord.CLOSED}
    stage.server(tls=False)
    assert await stage.word(asked=Probe("tls", 8443, tls=True, tls_name="a")) == ProbeWord.TLS_FAILED


@story
async def test_a_wrong_certificate_does_not_matter_where_it_is_not_checked(loop):
    stage = Stage(loop)
    stage.server(behaviour="certificate-expired")
    asked = Probe("tls", 8443, tls=True, tls_name="a", verify=False)
    assert await stage.word(asked=asked) == ProbeWord.OK


@pytest.mark.parametrize("both", [True, False])
def test_a_partition_holds_until_it_is_mended_and_one_way_it_leaves_the_other(both):
    async def told(loop):
        stage = Stage(loop, hosts=[{"address": "172.20.0.4", "location": "westeurope"}])
        cut = PathEntry("westeurope", "eastus", both=both, partition="all")
        stage.cloud.paths.change(cut)
        words = [await stage.word(vantage="westeurope"), await stage.word("172.20.0.4", vantage="eastus")]
        assert words == [ProbeWord.CONNECT_TIMEOUT, ProbeWord.CONNECT_TIMEOUT if both else ProbeWord.OK]
        assert await stage.word(vantage="eastus") == ProbeWord.OK
        stage.cloud.paths.mend(cut)
        assert await stage.word(vantage="westeurope") == ProbeWord.OK

    in_virtual_time(told)


@story
async def test_a_vantage_that_is_cut_off_reaches_not_even_its_own_region(loop):
    stage = Stage(loop)
    stage.cloud.paths.change(PathEntry("eastus", "*", both=False, partition="prober"))
    assert await stage.word(vantage="eastus") == ProbeWord.CONNECT_TIMEOUT
    assert await stage.word(vantage="westeurope") == ProbeWord.OK


@story
async def test_a_partition_holds_up_an_answer_that_is_on_its_way_and_a_mended_path_delivers_it(loop):
    stage = Stage(loop)
    cut = PathEntry("eastus", "eastus", rtt_ms=1000, partition="all")
    stage.cloud.paths.change(PathEntry("eastus", "eastus", rtt_ms=1000))
    running = asyncio.create_task(stage.probe(timeout=60.0))
    await asyncio.sleep(1.5)
    stage.cloud.paths.change(cut)
    await asyncio.sleep(10)
    assert not running.done()
    stage.cloud.paths.change(PathEntry("eastus", "eastus", rtt_ms=1000))
    stage.cloud.paths.mend(cut)
    assert (await running).word == ProbeWord.OK


@story
async def test_a_device_on_the_way_accepts_for_a_server_and_hides_how_far_away_it_is(loop):
    stage = Stage(loop)
    stage.cloud.paths.change(PathEntry("westeurope", "eastus", rtt_ms=80, terminated_ms=2))
    near = await stage.probe(vantage="westeurope")
    assert (near.word, near.rtt_ms) == (ProbeWord.OK, 2)
    assert round(near.seconds, 3) == 0.082
    stage.server(behaviour="refuses")
    assert await stage.word(vantage="westeurope") == ProbeWord.CLOSED
    stage.server(behaviour="dead")
    assert await stage.word(vantage="westeurope") == ProbeWord.ANSWER_TIMEOUT


@story
async def test_a_machine_that_moves_to_another_group_keeps_its_server(loop):
    stage = Stage(loop)
    stage.server(behaviour="refuses")
    stage.cloud.compute.move(vm_id("gpu"), "other")
    assert await stage.word() == ProbeWord.REFUSED


@story
async def test_every_connection_is_logged_whatever_becomes_of_it(loop):
    stage = Stage(loop)
    begun = loop.time()
    await stage.probe()
    await stage.probe("10.1.0.99", vantage="West Europe", asked=Probe("tcp", 22))
    assert [(each.vantage, each.ip, each.port) for each in stage.network.log] == [
        ("eastus", GPU, 8000),
        ("westeurope", "10.1.0.99", 22),
    ]
    assert all(begun <= each.at <= loop.time() for each in stage.network.log)
