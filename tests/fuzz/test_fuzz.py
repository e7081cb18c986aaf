"""What comes in from outside breaks nothing: 3,000 seeded inputs at each run, and every input that ever did.

`python -m tests.fuzz` plays more of them; docs/reliability.md says what is promised.
"""

import gc
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from shared.config.parser import parse
from shared.domain.errors import BadSettings
from tests.fuzz import samples
from tests.fuzz import targets as kinds
from tests.fuzz.rounds import Tally
from tests.fuzz.world import OTHER_SUB, SteadyState, astray
from tests.support.deployment import GROUP, SUB, nic_id, vm_id, zone_id
from tests.support.small_world import in_virtual_time
from tests.support.values import REGIONS

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
ARM = "https://management.azure.com"
KIOSK = vm_id("Kiosk-2", "Ranking-(k)")


def test_three_thousand_inputs_crash_nothing_and_write_nothing():
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "3000", "--seed", "1", "--jobs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "promises broken: 0" in done.stdout) == (0, True), (
        done.stdout[-8000:] + done.stderr[-4000:]
    )


def settled(story):
    """Run `story(stage)` on a stage whose zones are right, and see that they and the catalog stay so."""

    async def play(_):
        stage = await SteadyState.made()
        outcome = await story(stage)
        await stage.pass_time()
        await stage.verify()
        await stage.forget(None)
        return outcome

    return in_virtual_time(play)


async def delivered(subject, stage):
    event = {"subject": subject, "eventType": "Microsoft.Resources.ResourceWriteSuccess", "data": {}}
    with kinds.journal() as journal:
        return await kinds.event(stage, journal, json.dumps(event))


LOOKALIKES = [
    KIOSK.replace("Kiosk", "Kios\u212a"),
    KIOSK.replace("Ranking", "Ran\u212aing"),
    KIOSK.replace("Ranking", "Rank\u0130ng"),
    KIOSK.replace("subscriptions", "\u017fubscriptions"),
    KIOSK.replace("subscriptions", "subscr\u0131ptions"),
    KIOSK.replace("resourceGroups", "re\u017fourceGroups"),
    KIOSK.replace("providers", "prov\u0130ders"),
    nic_id("gpu-1").replace("Network/network", "Networ\u212a/networ\u212a"),
]


@pytest.mark.parametrize("subject", LOOKALIKES, ids=ascii)
def test_an_id_that_only_looks_like_an_endpoints_is_nobodys(subject):
    """`str.lower()` makes a k of the Kelvin sign: ARM did not know the VM, and the real one was taken for gone."""
    assert settled(partial(delivered, subject)).startswith("ignored: irrelevant")


def test_a_group_may_have_letters_of_any_alphabet():
    assert settled(partial(delivered, vm_id("gpu-1", "\u00fcber"))) == "accepted: a VM of nobody"


@pytest.mark.parametrize(
    "vm", [vm_id("laptop"), vm_id("nobody"), vm_id("ghost", "locked")], ids=["untagged", "404", "403"]
)
def test_a_row_of_an_endpoint_that_claims_nothing_is_forgotten(vm):
    """It was looked at in every sweep, and so never grew old enough to be purged."""
    assert settled(partial(delivered, vm))


@pytest.mark.parametrize("group", ["gpu", "locked", "busy"], ids=["404", "403", "429"])
def test_what_events_name_does_not_stay_in_memory(group):
    async def held(stage, numbers):
        for number in numbers:
            await delivered(vm_id(f"ghost-{number}", group), stage)
        await stage.forget(None)
        gc.collect()
        return sys.getallocatedblocks()

    async def grown(stage):
        before = await held(stage, range(600))  # Until then caches of the SDK fill.
        return await held(stage, range(600, 1000)) - before

    assert settled(grown) < 0.6 * 400, "memory blocks, for 400 names that no resource has: each would keep one or more"


BODIES = [
    {"endpoint": LOOKALIKES[0]},
    {"drain": {"endpoint": LOOKALIKES[1], "minutes": 5}},
    {"drain": {"region": "!" * 60_000, "minutes": 5}},
    {"A!" * 4000: 1},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body)[:60])
def test_a_wrong_body_is_refused_in_few_words(body):
    assert settled(lambda stage: kinds.body(stage, json.dumps(body).encode(), run=True)).startswith("refused")


def zones(zone):
    return json.dumps([{"id": zone, "region": "eastus"}])


def cloud(arm):
    return json.dumps({"arm": arm, "audience": ARM})


SETTINGS = [
    ("ZONES", zones(zone_id("eastus") + "?api-version=1")),
    ("ZONES", zones(zone_id("eastus") + "\r\n")),
    ("ZONES", zones(f"{GROUP}/../providers/Microsoft.Network/privateDnsZones/ai.internal")),
    ("ZONES", zones(zone_id("\udfff"))),
    ("CLOUD", cloud("https://arm.example:99999")),
    ("CLOUD", cloud("https://arm.example@evil.example")),
    ("CLOUD", cloud("https://arm.example?x=1")),
    ("CLOUD", cloud("https://arm\n.example")),
]


@pytest.mark.parametrize(("name", "text"), SETTINGS, ids=lambda value: ascii(value)[-60:])
def test_settings_that_cannot_work_are_refused(name, text):
    values = samples.SETTINGS | {f"NEARZONE_{name}": text}
    assert in_virtual_time(lambda _: kinds.settings(values, wire=False)) == f"refused: NEARZONE_{name}"


def test_settings_nested_to_the_limit_of_what_can_be_read_are_refused():
    """On Python 3.11 there was a depth that could be read, but not be told of."""
    for depth in range(800, 1000):
        with pytest.raises(BadSettings):
            parse(samples.SETTINGS | {"NEARZONE_ZONES": "[" * depth + "1" + "]" * depth}, REGIONS)


def test_a_pattern_with_many_stars_is_looked_up_at_once():
    """It went back and forth over a name of 63 letters for longer than anybody waits."""
    values, tally = samples.SETTINGS | {"NEARZONE_CLAIMS": json.dumps({"*a" * 12 + "*b*": [SUB]})}, Tally()
    in_virtual_time(lambda _: tally.play("settings", values, partial(kinds.settings, wire=False)))
    assert (list(tally.outcomes), tally.failures) == ([("settings", "accepted")], [])


PATHS = [
    # URL, whether the loop has a use for it
    (f"{ARM}{KIOSK.replace('(', '%28').replace(')', '%29')}?api-version=1", True),
    (f"{ARM}{nic_id('gpu-1').upper()}", True),
    (f"{ARM}{zone_id('eastus')}/A/llama", True),
    (f"{ARM}{zone_id('eastus')}/A", True),
    (f"{ARM}/subscriptions/{SUB}/providers/Microsoft.Compute/virtualMachines?statusOnly=true", True),
    (f"https://evil.example{KIOSK}", False),
    (f"http://management.azure.com{KIOSK}", False),
    (f"{ARM}.evil.example{KIOSK}", False),
    (f"{ARM}{KIOSK.replace(SUB, OTHER_SUB)}", False),
    (f"{ARM}{KIOSK}/extensions/x", False),
    (f"{ARM}{vm_id('x', '..')}", False),
    (f"{ARM}{vm_id('x%2f..%2fy')}", False),
    (f"{ARM}{vm_id('x#y')}", False),
    (f"{ARM}{vm_id('x%3Fy')}", False),
    (f"{ARM}{vm_id('x%0d%0ay')}", False),
    (f"{ARM}{vm_id('x%E2%84%AAy')}", False),
    (f"{ARM}{zone_id('eastus')}/A/-x", False),
    (f"{ARM}{zone_id('eastus', 'other.internal')}/A/x", False),
    (f"{ARM}{zone_id('eastus')}/SOA/x", False),
]


@pytest.mark.parametrize(("url", "wanted"), PATHS)
def test_the_judge_knows_the_paths_that_the_loop_has_a_use_for(url, wanted):
    assert (astray(url) is None) is wanted
