"""Which answers probes change: the names that are looked at are those that can change, whatever was measured."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decide.decision import NameInputs
from shared.decide.distance import distances_in_force
from shared.decide.probe_effects import changed_answers, effect, names_that_move
from shared.decide.region_latency import Latency
from shared.decide.routing import route
from shared.decide.rules import Rules
from shared.domain.endpoints import STATIC, Address, Endpoint, State
from shared.domain.probes import NOTHING_MEASURED, Distances, Measured, Verdict, VerdictKind
from tests.support.values import EAST, LATENCY, NORTH, SUB, WEST, parsed, vm, zone_id

NAMES = ("chat", "embed", "llama")
REGIONS = (WEST, NORTH, EAST)
PROXY = f"{STATIC}/proxy"
SETTINGS = {
    mode: parsed(
        ZONES=[{"id": zone_id(f"dns-{region}"), "region": region, "reach": ["10.0.0.0/8"]} for region in (WEST, EAST)],
        CLAIMS={"*": [SUB]},
        PROBES={"llama": {"kind": "vllm"}, "chat": {"kind": "tcp", "port": 8000}},
        PROBING={"mode": mode, "vantage": WEST},
        POLICIES={"chat": {"tolerance_ms": 30}, "embed": {"min_endpoints": 2}},
    )
    for mode in ("observe", "enforce")
}
RULES = Rules(SETTINGS["observe"], LATENCY)

ENDPOINTS = st.lists(
    st.builds(
        lambda i, region, names, state: vm(f"v{i}", f"10.0.0.{i}", region=region, tagged=names, state=state),
        st.integers(1, 9),
        st.sampled_from(REGIONS),
        st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: tuple(sorted(names))),
        st.sampled_from([State.SERVING] * 5 + [State.STOPPED]),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)
STATICS = st.lists(
    st.just(Endpoint(PROXY, STATIC, NORTH, NAMES, None, (Address("10.0.9.9"),), State.SERVING)), max_size=1
)
DISTANCES = st.one_of(
    st.none(),
    st.builds(
        lambda places, order, previous, pending: Distances(9.0, places, tuple(order), tuple(previous), pending),
        st.dictionaries(st.sampled_from([*REGIONS, PROXY]), st.sampled_from([1.0, 15.0, 40.0, 90.0]), min_size=1),
        st.permutations([*REGIONS, PROXY]),
        st.permutations([*REGIONS, PROXY]),
        st.sets(st.sampled_from(NAMES)).map(frozenset),
    ),
)


def verdicts(endpoints):
    """Verdicts against some of the addresses, by the probe of one of their names, or by a probe of other settings."""
    digests = [*(SETTINGS["observe"].probe(name).digest for name in ("llama", "chat")), "other"]
    one = st.builds(
        lambda each, digest, kind, everywhere: Verdict(
            kind, each.key, each.addresses[0].ip, digest, each.region, 1.0, "", everywhere
        ),
        st.sampled_from(endpoints),
        st.sampled_from(digests),
        st.sampled_from(list(VerdictKind)),
        st.booleans(),
    )
    return st.lists(one, max_size=6) if endpoints else st.just([])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_exactly_the_answers_that_differ_are_found(data):
    endpoints = data.draw(ENDPOINTS) + data.draw(STATICS)
    measured = Measured(WEST, data.draw(verdicts(endpoints)), data.draw(DISTANCES))
    names = sorted({name for each in endpoints for name in each.names})
    found = [
        effect(zone, NameInputs(name, [each for each in endpoints if name in each.names], None), RULES, measured)
        for zone in RULES.settings.zones
        for name in names
    ]
    wanted = [each for each in found if each.without.addresses != each.probed.addresses]
    assert changed_answers(endpoints, RULES, measured) == wanted


def test_what_the_rules_hold_as_measured_does_not_count():
    endpoints = [vm("v1", "10.0.0.1", region=WEST), vm("v2", "10.0.0.2", region=EAST)]
    digest = SETTINGS["enforce"].probe("llama").digest
    down = Verdict(VerdictKind.DOWN, endpoints[0].key, "10.0.0.1", digest, WEST, 1.0, everywhere=True)
    measured = Measured(WEST, [down])
    for rules in (Rules(SETTINGS["enforce"], LATENCY, (), measured), Rules(SETTINGS["enforce"], LATENCY)):
        (west,) = changed_answers(endpoints, rules, measured)
        assert (west.without.addresses, west.probed.addresses) == (("10.0.0.1",), ("10.0.0.2",))
        assert changed_answers(endpoints, rules, NOTHING_MEASURED) == []


def test_measured_distances_decide_for_probed_names_alone():
    """A name without a probe is not marked dirty when distances change, so none may decide for it."""
    measured = Measured(WEST, (), Distances(9.0, {WEST: 90.0, NORTH: 1.0}, (NORTH, WEST)))
    rules = Rules(SETTINGS["enforce"], LATENCY, (), measured)
    zone = next(each for each in rules.settings.zones if each.region == WEST)
    there = [
        vm(f"{region}", f"10.0.0.{n}", region=region, tagged=NAMES, state=State.SERVING)
        for n, region in ((1, WEST), (2, NORTH))
    ]
    rules_without = Rules(SETTINGS["enforce"], LATENCY)
    assert distances_in_force(zone, "llama", rules) is measured.distances
    assert distances_in_force(zone, "embed", rules) is None
    assert route(zone, "embed", there, rules) == route(zone, "embed", there, rules_without)


PUBLISHED_ORDER = (WEST, NORTH, EAST, PROXY)


def test_a_tolerance_compares_measured_values_although_the_order_is_the_published_one():
    endpoints = [
        vm("v1", "10.0.0.1", region=NORTH, tagged=("chat",)),
        vm("v2", "10.0.0.2", region=EAST, tagged=("chat",)),
    ]
    distances = Distances(9.0, {NORTH: 15.0, EAST: 40.0}, PUBLISHED_ORDER)
    (west,) = changed_answers(endpoints, RULES, Measured(WEST, (), distances))
    assert (west.without.addresses, west.probed.addresses) == (("10.0.0.1",), ("10.0.0.1", "10.0.0.2"))


def test_a_static_endpoint_with_a_distance_is_a_place_of_its_own_although_the_order_is_the_published_one():
    proxy = Endpoint(PROXY, STATIC, NORTH, ("llama",), None, (Address("10.0.9.9"),), State.SERVING)
    distances = Distances(9.0, {NORTH: 15.0, PROXY: 40.0}, PUBLISHED_ORDER)
    (west,) = changed_answers([vm("v1", "10.0.0.1", region=NORTH), proxy], RULES, Measured(WEST, (), distances))
    assert (west.without.addresses, west.probed.addresses) == (("10.0.0.1", "10.0.9.9"), ("10.0.0.1",))


def test_regions_with_one_published_distance_answer_together_and_measured_values_tell_them_apart():
    """The order is the same: only the tie is gone."""
    tied = Rules(SETTINGS["observe"], Latency({(WEST, NORTH): 20.0, (WEST, EAST): 20.0}))
    endpoints = [vm("v1", "10.0.0.1", region=EAST), vm("v2", "10.0.0.2", region=NORTH)]
    distances = Distances(9.0, {EAST: 15.0, NORTH: 40.0}, (EAST, NORTH))
    (west,) = changed_answers(endpoints, tied, Measured(WEST, (), distances))
    assert (west.without.addresses, west.probed.addresses) == (("10.0.0.1", "10.0.0.2"), ("10.0.0.1",))


def test_only_names_are_routed_whose_places_stand_in_another_order():
    """The order of two places changes: that of the other name stays."""
    names = {"llama": (NORTH, EAST), "chat": (WEST, NORTH)}
    endpoints = [
        vm(f"{name}-{region}", f"10.0.{i}.{j}", region=region, tagged=(name,))
        for i, (name, regions) in enumerate(names.items(), 1)
        for j, region in enumerate(regions, 1)
    ]
    distances = Distances(9.0, {WEST: 1.0, EAST: 15.0, NORTH: 25.0}, (WEST, EAST, NORTH))
    claimants = {name: [each for each in endpoints if name in each.names] for name in names}
    (zone,) = (each for each in RULES.settings.zones if each.region == WEST)
    assert list(names_that_move(zone, claimants, RULES, Measured(WEST, (), distances))) == ["llama"]
