"""Calls of other tools on scale sets and VMs: the zones follow them."""

import pytest

from tests.support.deployment import GROUP, REGIONS, a_vm, nic_id, run_scenario, vm_id
from tests.support.endpoint_kinds import FAR, LLAMA, instance, llama, scale_set, swept, world

EAST = next(iter(REGIONS))


@pytest.mark.parametrize(("keeps", "answers"), [(True, ["10.1.0.50", "10.1.0.51"]), (False, ["10.3.0.4"])])
def test_a_scale_set_that_is_scaled_by_a_put_without_tags_serves_while_azure_keeps_its_tags(keeps, answers):
    """azure-cli's `vmss scale` and the cluster autoscaler send no tags."""

    async def story(stage):
        await swept(stage)
        stage.cloud.compute.writes.put_keeps_tags = keeps
        stage.arm("PUT", entry["id"], {"location": EAST, "sku": {"name": "A", "capacity": 2}})
        await stage.deliver_pending_events()
        assert stage.wrong_answers() == {}
        assert llama(stage) == answers
        await swept(stage)
        assert llama(stage) == answers

    entry = scale_set("pool", LLAMA, instance(0), instance(1), instance(2))
    run_scenario(story, world(FAR, scale_sets=[entry]))


def test_a_vm_whose_tags_vanish_is_withdrawn():
    async def story(stage):
        await swept(stage)
        stage.cloud.compute.writes.put_keeps_tags = False
        vm = stage.arm("GET", vm_id("near")).content
        stage.arm("PUT", vm_id("near"), {key: vm[key] for key in ("location", "properties")})
        await stage.deliver_pending_events()
        assert stage.wrong_answers() == {}
        assert (llama(stage), stage.record(EAST, "near")) == (["10.3.0.4"], None)

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))


def test_an_action_on_all_instances_at_once_is_followed_from_its_one_event():
    async def story(stage):
        await swept(stage)
        stage.arm("POST", f"{entry['id']}/virtualMachines/*/deallocate")
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"]
        stage.arm("POST", f"{entry['id']}/virtualMachines/*/start")
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.1.0.50", "10.1.0.51"]
        stage.arm("POST", f"{entry['id']}/reimageall", {"instanceIds": ["1"]})
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.1.0.50", "10.1.0.51"]

    entry = scale_set("pool", LLAMA, instance(0), instance(1))
    run_scenario(story, world(FAR, scale_sets=[entry]))


def test_a_vm_that_a_template_deployment_makes_is_published():
    """azure-cli's `vm create --nics` deploys a template with the VM alone."""

    async def story(stage):
        await swept(stage)
        stage.arm("DELETE", vm_id("near"))
        await stage.deliver_pending_events()
        assert llama(stage) == ["10.3.0.4"]
        links = [{"id": nic_id("near"), "properties": {"primary": True}}]
        machine = {"type": "Microsoft.Compute/virtualMachines", "name": "near", "apiVersion": "2022-11-01"}
        machine |= {"location": EAST, "tags": LLAMA, "properties": {"networkProfile": {"networkInterfaces": links}}}
        template = {"properties": {"template": {"resources": [machine]}, "mode": "incremental"}}
        stage.arm("PUT", f"{GROUP}/gpu/providers/Microsoft.Resources/deployments/vm_deploy_1", template)
        await stage.deliver_pending_events()
        assert stage.wrong_answers() == {}
        assert llama(stage) == ["10.1.0.4"]

    run_scenario(story, world(FAR, a_vm("near", EAST, 4)))
