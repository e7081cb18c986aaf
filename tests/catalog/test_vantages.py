"""What a vantage keeps in the catalog: its row and its evidence, however large, and only while it is of use."""

import json

import pytest
from msgspec.structs import fields, replace

from shared.catalog.vantage_rows import BODIES, MAX_COLUMNS, encode_vantage, evidence_partition
from shared.domain.alarms import Alarm
from shared.domain.clock import Clock
from shared.domain.errors import Conflict, Terminal
from shared.domain.probes import (
    Better,
    Distances,
    Evidence,
    EvidencePage,
    ProbeWord,
    VantageRow,
    Verdict,
    VerdictKind,
)
from shared.domain.resource_ids import digest
from tests.support.catalogs import on_catalog, opened
from tests.support.values import vm_id

NOW = 1_700_000_000.0
DAY = 86_400.0
DISTANCES = Distances(
    NOW + 600.0,
    {"eastus": 1.25, "static/lab": 80.0},
    ("eastus", "static/lab"),
    ("static/lab", "eastus"),
    frozenset({"llama"}),
    NOW - 5.0,
    (NOW - 4.0,),
    (Better("eastus", "static/lab", NOW - 3.0),),
    ("westus",),
)


def a_verdict(number, **changed):
    endpoint, ip = vm_id(f"vm-{number}").lower(), f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    made = Verdict(VerdictKind.DOWN, endpoint, ip, "0123456789ab", "eastus", NOW - 90.25, "connect timed out, 3 times")
    return replace(made, **changed)


def a_row(verdicts=3, **changed):
    found = tuple(a_verdict(number, everywhere=number % 2 == 0) for number in range(verdicts))
    made = VantageRow(
        "eastus", 7, NOW, 2.5, NOW + 60.0, found, DISTANCES, frozenset({vm_id("vm-1").lower()}), False, 40, verdicts
    )
    shown = {"kept": ("llama.ai.internal",), "alarms": (Alarm("what", "means", "do", 2, ("a",)),)}
    return replace(made, **shown | changed)


def seen(number, **changed):
    """The evidence of a target."""
    endpoint = "static/lab" if number == 0 else vm_id(f"vm-{number}").lower()
    made = Evidence(endpoint, f"10.0.0.{number}", "0123456789ab", "eastus", "eastus", NOW - 500.0, True, NOW)
    made = replace(made, word=ProbeWord.STATUS, status=503, fails=1, withdrawals=(NOW - 9.0,), samples=(1.5, 2.25))
    return replace(made, sampled_at=NOW - 1.0, recent=".x", **changed)


@pytest.fixture(params=["memory", "simulated", "azurite"])
async def shared(request):
    async for each in opened(request):
        yield each


@pytest.fixture
async def catalog(shared):
    return await shared.open()


async def test_the_row_of_a_vantage_is_read_as_it_was_written_and_changes_only_from_the_version_that_was_read(catalog):
    assert await catalog.vantage("eastus") is None
    first = await catalog.put_vantage(a_row(), None)
    with pytest.raises(Conflict):
        await catalog.put_vantage(a_row(), None)
    assert await catalog.vantage("westus") is None
    stored = await catalog.vantage("eastus")
    assert (stored.value, stored.etag) == (a_row(), first)
    second = await catalog.put_vantage(VantageRow("eastus"), first)
    with pytest.raises(Conflict):
        await catalog.put_vantage(a_row(), first)
    assert (await catalog.vantage("eastus")).value == VantageRow("eastus")
    assert second != first


async def test_three_thousand_verdicts_and_names_to_be_marked_are_kept_whole(catalog):
    names = frozenset(f"model-{number}-with-a-name" for number in range(3000))
    row = a_row(3000, todo=names)
    await catalog.put_vantage(row, None)
    assert (await catalog.vantage("eastus")).value == row
    await catalog.put_vantage(a_row(0), (await catalog.vantage("eastus")).etag)
    assert (await catalog.vantage("eastus")).value == a_row(0), "no column of the longer row is left"


async def test_characters_of_two_code_units_do_not_make_a_column_too_long(catalog):
    row = a_row(500, alarms=())
    row = replace(row, verdicts=tuple(replace(each, why="\N{ROCKET}" * 40) for each in row.verdicts))
    await catalog.put_vantage(row, None)
    assert (await catalog.vantage("eastus")).value == row


async def test_pages_of_evidence_are_read_as_they_were_written_each_for_its_vantage(catalog):
    one, two = EvidencePage("eastus", 0, (seen(0), seen(1)), round=7), EvidencePage("eastus", 1, (seen(2),), round=7)
    for page in (one, two, EvidencePage("westus", 0, (seen(3),))):
        await catalog.put_evidence(page)
    assert sorted(await catalog.evidence("eastus"), key=lambda page: page.number) == [one, two]
    await catalog.put_evidence(EvidencePage("eastus", 0))
    await catalog.purge_evidence("eastus", 1)
    assert await catalog.evidence("eastus") == (EvidencePage("eastus", 0),)
    await catalog.purge_evidence("eastus", 1)


async def test_every_field_of_a_row_and_of_a_page_is_kept(catalog):
    row = a_row(reordered=True, blind_since=NOW - 3.0, suspected_since=NOW - 4.0)
    ended = {"successes": 2, "down_since": NOW - 20.0, "up_at": NOW - 2.0, "absent": True, "ok_at": NOW - 3.0}
    page = EvidencePage("eastus", 3, (seen(1, **ended),), 7)
    for value in (row, page, *page.evidence):
        at_default = [each.name for each in fields(value) if getattr(value, each.name) == each.default]
        assert not at_default, "a lost field would not be noticed"
    await catalog.put_vantage(row, None)
    await catalog.put_evidence(page)
    assert (await catalog.vantage("eastus")).value == row
    assert await catalog.evidence("eastus") == (page,)


async def test_a_page_of_64_targets_fits_with_all_that_is_kept_of_them(catalog):
    full = {"samples": (1234.5678,) * 21, "recent": "x" * 20, "withdrawals": (NOW + 0.123456,) * 12}
    page = EvidencePage("eastus", 0, tuple(replace(seen(number), **full) for number in range(200)))
    await catalog.put_evidence(page)
    assert await catalog.evidence("eastus") == (page,)


async def test_what_other_vantages_have_kept_goes_when_they_have_not_written_it_for_a_while(catalog):
    for vantage in ("eastus", "westus"):
        await catalog.put_vantage(VantageRow(vantage, at=NOW), None)
        await catalog.put_evidence(EvidencePage(vantage, 0, (seen(1),)))
    await catalog.purge_vantages("eastus", NOW - 20 * 365 * DAY)
    assert await catalog.vantage("westus")
    assert await catalog.evidence("westus")
    await catalog.purge_vantages("eastus", 4e9)  # Azurite has a time of its own.
    assert (await catalog.vantage("westus"), await catalog.evidence("westus")) == (None, ())
    assert await catalog.vantage("eastus")
    assert await catalog.evidence("eastus")


async def test_times_of_the_future_count_as_when_the_row_was_written_and_verdicts_do_not_last_longer(catalog):
    await catalog.open(Clock(lambda: NOW))
    late, limit = 9e9, 4e9
    better = Better("eastus", "westus", late)
    ahead = replace(DISTANCES, until=late + 600.0, changed_at=late, released=(late,), better=(better,))
    row = a_row(at=late, until=late + 60.0, blind_since=late, distances=ahead)
    row = replace(row, verdicts=(a_verdict(1, since=late), a_verdict(2)))
    await catalog.put_vantage(row, None)
    found = (await catalog.vantage("eastus")).value
    times = (found.at, found.until, found.blind_since, found.distances.until, found.distances.changed_at)
    assert max(*times, *found.distances.released, found.distances.better[0].since, found.verdicts[0].since) < limit
    assert found.until - found.at == pytest.approx(60.0)
    assert found.distances.until - found.at == pytest.approx(600.0)
    assert found.verdicts[1].since == row.verdicts[1].since
    wrong = {"since": late, "at": late, "down_since": late, "up_at": late, "sampled_at": late, "withdrawals": (late,)}
    await catalog.put_evidence(EvidencePage("eastus", 0, (replace(seen(1), **wrong), seen(2))))
    ((one, two),) = [page.evidence for page in await catalog.evidence("eastus")]
    assert max(one.since, one.at, one.down_since, one.up_at, one.sampled_at, *one.withdrawals) < limit
    assert two == seen(2)


SPOILT = {
    "no JSON": {"body": "what?"},
    "a number": {"body": 7},
    "no column": {"other": "x"},
    "too deep": {"body": "[" * 5000},
    "a list": {"body": "[]"},
    "wrong types": {"body": json.dumps({"vantage": "eastus", "number": "x", "verdicts": [], "evidence": []})},
    "no such parent": {
        "body": json.dumps(
            {
                "vantage": "eastus",
                "number": 0,
                "verdicts": {"fields": ["endpoint"], "parents": [], "rows": [["3/a"]]},
                "evidence": {"fields": ["endpoint"], "parents": [], "rows": [["3/a"]]},
            }
        )
    },
    "a row of another length": {
        "body": json.dumps({"verdicts": {"fields": ["endpoint"], "parents": ["a"], "rows": [["0/a", 1]]}})
    },
    "no field names": {"body": json.dumps({"verdicts": {"rows": [["0/a"]]}, "evidence": {"rows": [["0/a"]]}})},
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_an_unreadable_row_or_page_is_told_and_dropped_and_the_next_round_starts_anew(spoilt):
    async def story(bench):
        partition, hashed = evidence_partition("eastus"), digest("eastus")
        await bench.catalog.put_evidence(EvidencePage("eastus", 1, (seen(1),)))
        bench.raw("POST", "", PartitionKey="vantages", RowKey=hashed, **SPOILT[spoilt])
        bench.raw("POST", "", PartitionKey=partition, RowKey="0000", **SPOILT[spoilt])
        assert await bench.catalog.vantage("eastus") is None
        assert await bench.catalog.evidence("eastus") == (EvidencePage("eastus", 1, (seen(1),)),)
        told = {(row.partition, row.key) for row in await bench.catalog.bad_rows()}
        assert told == {("vantages", hashed), (partition, "0000")}
        await bench.catalog.put_vantage(a_row(), None)
        assert (await bench.catalog.vantage("eastus")).value == a_row()

    on_catalog(story)


def test_a_row_that_lacks_one_of_its_columns_is_dropped():
    async def story(bench):
        await bench.catalog.put_vantage(a_row(1000), None)
        where = f"(PartitionKey='vantages',RowKey='{digest('eastus')}')"
        whole = encode_vantage(a_row(1000))
        assert len(whole) > 3
        del whole["body1"]
        assert bench.raw("PUT", where, **whole).status == 204
        assert await bench.catalog.vantage("eastus") is None

    on_catalog(story)


def test_fields_of_a_newer_release_are_ignored_and_missing_ones_have_their_default():
    async def story(bench):
        row = encode_vantage(a_row(1))
        content = json.loads(row["body"])
        content["verdicts"]["fields"].append("colour")
        content["verdicts"]["rows"][0].append("red")
        del content["kept"]
        await bench.catalog.put_evidence(EvidencePage("eastus", 0))
        bench.raw("POST", "", **row | {"body": json.dumps(content | {"hue": 1})})
        assert (await bench.catalog.vantage("eastus")).value == replace(a_row(1), kept=())

    on_catalog(story)


def test_what_is_only_shown_is_cut_to_a_limit_and_counted_and_verdicts_never_are():
    async def story(bench):
        alarms = tuple(Alarm(f"alarm {number}", "x" * 100) for number in range(1000))
        row = a_row(3000, alarms=alarms, kept=tuple(f"model-{number}.ai.internal" for number in range(3000)))
        await bench.catalog.put_vantage(row, None)
        found = (await bench.catalog.vantage("eastus")).value
        assert found.verdicts == row.verdicts
        count = len(found.alarms) - 1
        assert found.alarms == (*alarms[:count], Alarm(f"... and {1000 - count} more"))
        count = len(found.kept) - 1
        assert 50 < count < 3000
        assert found.kept == (*row.kept[:count], f"... and {3000 - count} more")
        with pytest.raises(Terminal, match="the row of vantage eastus does not fit into the catalog"):
            await bench.catalog.put_vantage(a_row(9000), None)

    on_catalog(story)


def test_no_column_is_longer_than_a_table_allows_and_there_are_not_too_many():
    row = encode_vantage(a_row(3500))
    assert set(row) - {"PartitionKey", "RowKey"} <= set(BODIES)
    assert all(len(row[column].encode("utf-16-le")) <= 64 * 1024 for column in BODIES if column in row)
    assert MAX_COLUMNS * 64 * 1024 < 1024 * 1024
