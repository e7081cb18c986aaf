"""The export: every change and every order of a span of time, of all zones, each once, as lines of JSON."""

import asyncio
import json

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.domain.dirty import RecordChange
from shared.domain.errors import BadRequest
from shared.edge.status_query import LogQuery, parse_status_query
from shared.loop.times import format_time
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, zone_id

EAST, WEST, _ = REGIONS


def fleet():
    return a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4))


async def exported(stage, **span):
    return [json.loads(line) for line in (await stage.app.handle_status(LogQuery(**span))).splitlines()]


def test_an_export_says_what_was_changed_and_ordered_when_why_and_by_whom():
    async def story(stage):
        began = format_time(stage.clock())
        await stage.app.correct_drift()
        for _ in range(12):
            await stage.resync(drain={"region": EAST, "minutes": 5}, reason="INC-7")
            await stage.resync(undrain={"region": EAST})
            await asyncio.sleep(60)
        lines = await exported(stage, since=began)
        llama = [each for each in lines if each["name"] == "llama" and each["zone"] == zone_id(EAST).lower()]
        assert len(llama) == 1 + 24, "the history of a name keeps ten of them"
        assert [each["at"] for each in lines] == sorted(each["at"] for each in lines)
        assert [each["kind"] for each in lines if each["name"] == "*"] == [*["drain"] * 3, *["undrain"] * 3] * 12
        assert (llama[1]["by"], llama[1]["reason_given"], llama[1]["after"]) == ("function key", "INC-7", ["10.2.0.4"])
        assert lines[-1].keys() == (await stage.app.status())["changes"][0].keys()
        middle = lines[len(lines) // 2]["at"]
        before, after = await exported(stage, since=began, until=middle), await exported(stage, since=middle)
        assert before + after == lines
        assert before
        assert after[0]["at"] == middle

    run_scenario(story, fleet())


def test_where_there_is_more_than_a_page_the_last_line_says_where_to_go_on():
    class Paged(MemoryCatalog):
        """A catalog whose log gives ten entries at a time."""

        async def log(self, zone, since, until):
            page = await super().log(zone, since, until)
            if len(page.entries) <= 10:
                return page
            return type(page)(page.entries[:10], page.entries[10].at)

    async def story(stage):
        entries = [RecordChange("a", 1_800_000_100 + n * 1.0007, "update", (), (), f"{n}", "c") for n in range(55)]
        for zone, few in zip(stage.app.settings.zones, (entries, entries[::7], []), strict=True):
            await stage.app.catalog.add_history(zone.key, few)
        told, since = [], format_time(1_800_000_000)
        while since:
            lines = await exported(stage, since=since, until=format_time(1_800_001_000))
            since = lines.pop()["next"] if "next" in lines[-1] else None
            told += lines
        assert [each["reason"] for each in told] == [f"{n}" for n in range(55) for _ in range(1 if n % 7 else 2)]

    run_scenario(story, fleet(), catalog=Paged())


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"since": "yesterday"}, "since: 'yesterday' is not a time such as 2026-11-29T10:00:00Z"),
        ({"since": "2026-11-29", "until": "x" * 99}, "until: 'x"),
        ({"since": "2026-11-29T10:00:00Z", "until": "2026-11-29T09:00:00Z"}, "is not before"),
        ({"since": "2100-01-01"}, "is not before"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "since"),
        ({"until": "2026-11-29"}, "since: missing"),
        ({"since": ""}, "since: empty"),
        ({"since": "2026-11-29", "until": ""}, "until: empty"),
        ({"since": "2026-11-29", "full": "true"}, "full: not together with since and until"),
        ({"since": "2026-11-29", "zone": EAST}, "zone: not together with since"),
    ],
)
def test_a_span_that_is_none_is_refused_with_its_parameter(params, said):
    async def story(stage):
        with pytest.raises(BadRequest, match=said):
            await stage.app.handle_status(parse_status_query(params, stage.app.settings))

    run_scenario(story, fleet())


@pytest.mark.parametrize(
    "since", ["2026-11-29", "2026-11-29T10:00:00Z", "2026-11-29T10:00:00 00:00", "2026-11-29T10:00:00.123+01:00"]
)
def test_times_are_understood_as_people_and_urls_write_them(since):
    async def story(stage):
        asked = parse_status_query({"since": since, "code": "key"}, stage.app.settings)
        assert await stage.app.handle_status(asked) == ""

    run_scenario(story, fleet())
