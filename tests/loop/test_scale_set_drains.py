"""A whole scale set is drained: by order, and by the drain tag of the set, for uniform and for flexible sets."""

import pytest

from shared.domain.errors import BadRequest
from simulator.arm.front_door import Response
from tests.support.deployment import REGIONS, a_vm, run_scenario, vm_id
from tests.support.endpoint_kinds import FAR, LLAMA, instance, llama, path, scale_set, swept, tagged, world

EAST, WEST, ASIA = REGIONS
SET = path("Microsoft.Compute/virtualMachineScaleSets", "pool")
NEAR, FARTHER = ["10.1.0.50", "10.1.0.51"], ["10.3.0.4"]
SERVICES_ONLY = world(settings={"HOST_NAMES": False})["settings"]
DRAINED = {"nearzone-drain": "true"}


def members(count=2, **more):
    """VMs of a flexible set, with the addresses of `NEAR`."""
    return [a_vm(f"flex-{number}", EAST, 50 + number, **more) | {"scale_set": SET} for number in range(count)]


def fleet(mode, *vms, tags=None):
    """A set of two in the east in this mode, and a VM far away that answers where nothing nearer does."""
    if mode == "uniform":
        return world(FAR, *vms, scale_sets=[scale_set("pool", LLAMA | (tags or {}), instance(0), instance(1))])
    return world(FAR, *(vms or members()), scale_sets=[scale_set("pool", tags or {}, mode="Flexible")])


async def claims(stage, name="llama"):
    """Why each claim is in the answer of the east or not, by the end of the endpoint's id."""
    told = await stage.app.explain(stage.app.settings.zones[0], name)
    return {each["endpoint"].rsplit("/", 1)[-1]: each["reason"] for each in told["claims"]}


def reads_of_sets(stage):
    return sum(
        method == "GET" and "virtualmachinescalesets" in path.lower() for method, path in stage.request_log.requests
    )


BOTH = pytest.mark.parametrize("mode", ["uniform", "flexible"])


@BOTH
def test_an_order_drains_all_instances_of_a_set_until_it_is_taken_back(mode):
    async def story(stage):
        await swept(stage)
        assert llama(stage) == NEAR
        report = await stage.resync(
            drain={"endpoint": SET.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), "minutes": 9}
        )
        names = 2 if mode == "uniform" else 3
        assert report.notes == [f"the override covers 2 endpoint(s) and {names} name(s)"]
        assert report.as_json()["covers"] == {"endpoints": 2, "names": names}
        assert llama(stage) == FARTHER
        said = await claims(stage)
        assert [said.pop("far")[:8], set(said.values())] == ["failover", {"drained by an override of its scale set"}]
        assert [each["target"] for each in (await stage.app.status())["drains"]] == [SET.lower()]
        assert stage.wrong_answers({SET.lower()}) == {}
        report = await stage.resync(undrain={"endpoint": SET})
        assert report.as_json()["covers"] == {"endpoints": 2, "names": names}
        assert (llama(stage), stage.wrong_answers()) == (NEAR, {})

    run_scenario(story, fleet(mode))


def test_only_the_vms_of_a_flexible_set_that_claim_a_name_are_counted():
    async def story(stage):
        await swept(stage)
        for dry_run in (True, False):
            report = await stage.resync(drain={"endpoint": SET, "minutes": 9}, dry_run=dry_run)
            assert report.as_json()["covers"] == {"endpoints": 1, "names": 2}
        assert len((await stage.app.status())["drains"]) == 1

    silent = a_vm("pool_0000000a", EAST, 60, "") | {"scale_set": SET}  # Its own name is no DNS label.
    run_scenario(story, fleet("flexible", *members(1), silent))


@BOTH
def test_a_dry_run_of_a_sets_drain_shows_what_the_order_then_does(mode):
    async def story(stage):
        await swept(stage)
        plan = await stage.resync(drain={"endpoint": SET, "minutes": 9}, dry_run=True)
        assert (llama(stage), (await stage.app.status())["drains"]) == (NEAR, [])
        done = await stage.resync(drain={"endpoint": SET, "minutes": 9})
        assert plan.as_json()["changes"] == done.as_json()["changes"] != []

    run_scenario(story, fleet(mode))


@BOTH
def test_an_order_for_a_set_covers_an_instance_that_appears_later(mode):
    async def story(stage):
        await swept(stage)
        await stage.resync(drain={"endpoint": SET, "minutes": 60})
        stage.arm("PATCH", SET, {"sku": {"capacity": 3}, "tags": LLAMA})
        await stage.deliver_pending_events()
        await stage.app.drain()
        assert len(await claims(stage)) == 4, "there is one more"
        assert (llama(stage), stage.wrong_answers({SET.lower()})) == (FARTHER, {})

    run_scenario(story, fleet(mode))


def test_an_order_for_one_instance_leaves_the_others_of_its_set():
    async def story(stage):
        await swept(stage)
        await stage.resync(drain={"endpoint": f"{SET}/virtualMachines/0", "minutes": 9})
        assert llama(stage) == NEAR[1:]
        assert (await claims(stage))["0"] == "drained by an override"

    run_scenario(story, fleet("uniform"))


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_order_for_a_set_that_neither_catalog_nor_azure_has_is_refused(dry_run):
    async def story(stage):
        await swept(stage)
        nothing = path("Microsoft.Compute/virtualMachineScaleSets", "pol")
        with pytest.raises(BadRequest, match=r"drain.endpoint: no such scale set known: .* '.*/pol'"):
            await stage.resync(drain={"endpoint": nothing, "minutes": 9}, dry_run=dry_run)
        assert ((await stage.app.status())["drains"], llama(stage)) == ([], NEAR)
        with pytest.raises(BadRequest, match="is not drained by an override; drain overrides: none"):
            await stage.resync(undrain={"endpoint": nothing})

    run_scenario(story, fleet("uniform"))


@BOTH
def test_a_set_that_only_azure_knows_can_be_drained_and_one_that_azure_cannot_be_asked_about_as_well(mode):
    async def story(stage):
        report = await stage.resync(drain={"endpoint": SET, "minutes": 9})
        assert report.covered_counts == ((2, 2) if mode == "uniform" else (0, 0)), "VMs have tags of their own"
        await stage.app.correct_drift()
        assert llama(stage) == FARTHER
        stage.faults = lambda request: Response(503, {"error": {"code": "ServerBusy"}})
        report = await stage.resync(drain={"endpoint": SET + "-2", "minutes": 9})
        assert report.notes[0].startswith("drain.endpoint: the catalog does not know it, and Azure could not be asked")
        assert len((await stage.app.status())["drains"]) == 2

    run_scenario(story, fleet(mode))


@BOTH
def test_a_set_is_no_endpoint_of_a_sweep(mode):
    async def story(stage):
        with pytest.raises(BadRequest, match=r"endpoint: .* is not the resource id of an endpoint"):
            await stage.resync(endpoint=SET)

    run_scenario(story, fleet(mode))


@BOTH
@pytest.mark.parametrize("word", ["true", "Yes"])
def test_the_drain_tag_of_a_set_withdraws_its_instances_and_its_end_brings_them_back(mode, word):
    async def story(stage):
        await swept(stage)
        tags = LLAMA if mode == "uniform" else {}
        tagged(stage, SET, **tags, **{"Nearzone-Drain": word})
        await stage.deliver_pending_events()
        assert (llama(stage), stage.wrong_answers()) == (FARTHER, {})
        said = await claims(stage)
        assert [said.pop("far")[:8], set(said.values())] == ["failover", {"draining"}]
        await swept(stage)
        assert llama(stage) == FARTHER
        tagged(stage, SET, **tags)
        await stage.deliver_pending_events()
        assert (llama(stage), stage.wrong_answers()) == (NEAR, {})

    run_scenario(story, fleet(mode))


@BOTH
def test_a_lost_event_of_a_sets_drain_tag_is_made_up_for_by_a_sweep(mode):
    async def story(stage):
        await swept(stage)
        stage.event_grid.subscriptions = []
        tagged(stage, SET, **(LLAMA if mode == "uniform" else {}), **DRAINED)
        await swept(stage)
        assert llama(stage) == FARTHER
        tagged(stage, SET, **(LLAMA if mode == "uniform" else {}))
        await swept(stage)
        assert llama(stage) == NEAR

    run_scenario(story, fleet(mode))


def test_an_event_on_a_vm_does_not_forget_the_drain_tag_of_its_set():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == FARTHER
        stage.arm("POST", f"{vm_id('flex-0')}/deallocate")
        await stage.deliver_pending_events()
        stage.arm("POST", f"{vm_id('flex-0')}/start")
        tagged(stage, vm_id("flex-1"), **LLAMA)
        await stage.deliver_pending_events()
        assert (llama(stage), stage.wrong_answers()) == (FARTHER, {})

    run_scenario(story, fleet("flexible", tags=DRAINED))


def test_a_new_vm_of_a_drained_set_is_never_published():
    async def story(stage):
        await swept(stage)
        stage.arm("PATCH", SET, {"sku": {"capacity": 3}, "tags": DRAINED | LLAMA})
        await stage.deliver_pending_events()
        assert (llama(stage), stage.wrong_answers()) == (FARTHER, {})

    run_scenario(story, fleet("flexible", tags=DRAINED))


def test_the_tags_of_a_large_set_are_read_by_a_list_and_not_for_each_vm():
    async def story(stage):
        await swept(stage)
        before = reads_of_sets(stage)
        tagged(stage, SET, **DRAINED)
        await stage.deliver_pending_events()
        assert (llama(stage), stage.wrong_answers()) == (FARTHER, {})
        assert reads_of_sets(stage) - before < 12

    run_scenario(story, fleet("flexible", *members(40)) | {"settings": SERVICES_ONLY})


@pytest.mark.parametrize("power", ["running", "deallocated"])
def test_a_vm_without_a_set_and_one_that_does_not_run_cost_no_read_of_a_set(power):
    async def story(stage):
        await swept(stage)
        before = reads_of_sets(stage)
        tagged(stage, vm_id("far" if power == "running" else "flex-0"), nearzone="llama, phi")
        await stage.deliver_pending_events()
        assert stage.wrong_answers() == {}
        assert reads_of_sets(stage) == before

    run_scenario(story, fleet("flexible", *members(power=power)))


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("drains", [True, False])
def test_a_set_that_cannot_be_read_leaves_its_vms_as_they_were_with_an_alarm(status, drains):
    """A 404 of the set while its VM is there is a stale answer: it must not publish a drained VM."""

    async def story(stage):
        await swept(stage)
        before = FARTHER if drains else NEAR
        assert llama(stage) == before
        error = Response(status, {"error": {"code": "AuthorizationFailed" if status == 403 else "ResourceNotFound"}})
        stage.faults = lambda request: error if request.path.lower() == SET.lower() else None
        for name in ("flex-0", "flex-1"):
            tagged(stage, vm_id(name), nearzone="llama, phi")
        await stage.deliver_pending_events()
        assert (llama(stage), stage.record(EAST, "phi")) == (before, None if drains else NEAR)
        assert any("its scale set" in alarm["what"] for alarm in (await stage.app.status())["alarms"])
        stage.faults = None
        await swept(stage)
        assert not any("its scale set" in alarm["what"] for alarm in (await stage.app.status())["alarms"])

    run_scenario(story, fleet("flexible", tags=DRAINED if drains else {}))


def test_a_list_without_the_set_of_a_vm_leaves_the_vm_to_its_own_get():
    async def story(stage):
        await swept(stage)
        stage.event_grid.subscriptions = []
        tagged(stage, SET, **DRAINED)
        denied, listed = Response(403, {"error": {"code": "AuthorizationFailed"}}), "Compute/virtualMachineScaleSets"
        stage.faults = lambda request: denied if request.path.endswith(listed) else None
        await stage.app.correct_drift()
        assert llama(stage) == FARTHER

    run_scenario(story, fleet("flexible"))


def test_a_drain_tag_of_a_set_that_says_neither_yes_nor_no_is_a_fault_and_drains_nothing():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == NEAR
        said = [alarm["what"] for alarm in (await stage.app.status())["alarms"]]
        assert [each for each in said if each.startswith("its scale set's tag nearzone-drain: 'maybe' says neither")]

    run_scenario(story, fleet("flexible", tags={"nearzone-drain": "maybe"}))


def test_taking_a_sets_order_back_says_which_instance_stays_drained_by_its_own():
    async def story(stage):
        await swept(stage)
        for target in (SET, vm_id("flex-0")):
            await stage.resync(drain={"endpoint": target, "minutes": 9})
        report = await stage.resync(undrain={"endpoint": SET})
        assert [each[: each.index(" until")] for each in report.notes if "stays drained" in each] == [
            f"{vm_id('flex-0')} stays drained: the drain of {vm_id('flex-0').lower()}"
        ]
        assert llama(stage) == NEAR[1:]

    run_scenario(story, fleet("flexible"))
