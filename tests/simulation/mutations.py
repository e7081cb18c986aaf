"""The variants: what is taken away, where, and how. `old` stands exactly once in its file."""

from tests.simulation.probe_mutations import PROBE_VARIANTS
from tests.simulation.variant import Variant

RECORD, APPLY, SWEEP = "shared/loop/recorder.py", "shared/loop/zone/apply.py", "shared/loop/sweep.py"
LEASE, ATTEMPT, WRITER, ROWS = (
    "shared/loop/zone/lease.py",
    "shared/loop/zone/name_attempt.py",
    "shared/loop/zone/record_writer.py",
    "shared/loop/zone/dirty_rows.py",
)
DOUBT, CATCH_UP = "shared/decide/confirmation.py", "shared/loop/catch_up.py"
READS = "shared/decide/sweep_reads.py"
MEMORY, DNS = "shared/catalog/memory.py", "shared/azure/private_dns.py"

VARIANTS = (
    Variant(
        "catalog row: written without a condition",
        MEMORY,
        """        key = row.endpoint.key
        _require_etag(self._endpoints.get(key), etag, f"endpoint row {key}")
""",
        """        key = row.endpoint.key
""",
    ),
    Variant(
        "catalog row: the old observation is written again after a conflict",
        RECORD,
        """            if stored and says_the_same(stored.value, observed):
""",
        """            if stored:
""",
    ),
    Variant(
        "catalog row: not written when nothing has changed",
        RECORD,
        """        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if not row.todo:
""",
        """        if not row.todo and stored:
            return stored
        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if not row.todo:
""",
    ),
    Variant(
        "catalog row: no tombstone for what was never seen",
        RECORD,
        """        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if not row.todo:
""",
        """        if stored is None and observed.state == "gone":
            return Versioned(row, "")
        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if not row.todo:
""",
    ),
    Variant(
        "catalog row: todo is emptied before the names are marked dirty",
        RECORD,
        """        await self._index(row, row.todo)
        await self.mark_dirty""",
        """        with suppress(Conflict):
            etag = await self.catalog.put_endpoint(replace(row, todo=frozenset()), etag)
        await self._index(row, row.todo)
        await self.mark_dirty""",
    ),
    Variant(
        "catalog row: names are marked dirty before they are indexed",
        RECORD,
        """        await self._index(row, row.todo)
        await self.mark_dirty(urgencies, cause)
""",
        """        await self.mark_dirty(urgencies, cause)
        await self._index(row, row.todo)
""",
    ),
    Variant(
        "scale set: the drain tag of a flexible set does not count for its VMs",
        "shared/azure/machine.py",
        """        return drained(self.tags) or drained(self.set_tags)
""",
        """        return drained(self.tags)
""",
    ),
    Variant(
        "scale set: an order for a set does not cover its VMs",
        "shared/domain/overrides.py",
        """ or self.about_parent_of(endpoint)
""",
        """
""",
    ),
    Variant(
        "event: acknowledged although nothing was recorded",
        "shared/loop/event_handler.py",
        """        except Terminal as error:  # Another delivery""",
        """        except NearzoneError as error:  # Another delivery""",
    ),
    Variant(
        "event: writes before the first complete sweep",
        APPLY,
        """        if not additions_only and not epoch:
""",
        """        if False:
""",
    ),
    Variant(
        "dirty row: marking it again does not change its etag",
        MEMORY,
        """        rows[dirty.name] = Versioned(dirty, next(self._etags))

    async def dirty(""",
        """        rows[dirty.name] = Versioned(dirty, rows[dirty.name].etag if old else next(self._etags))

    async def dirty(""",
    ),
    Variant(
        "dirty row: read late, after the claims",
        ATTEMPT,
        """        with suppress(Conflict):  # Marked again meanwhile: the row stays.
""",
        """        row = await self.services.catalog.dirty_name(self.zone.key, dirty.name) or row
        with suppress(Conflict):  # Marked again meanwhile: the row stays.
""",
    ),
    Variant(
        "dirty row: removed although the answer could not be narrowed yet",
        ROWS,
        """                await self._back_off(row, seconds, reason, failed=False)
""",
        """                await self.services.catalog.remove_dirty(self.zone.key, dirty.name, row.etag)
""",
    ),
    Variant(
        "record set: written without a condition",
        DNS,
        """        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": _require_etag(etag)}
""",
        """        headers = {"If-None-Match": "*"} if etag is None else {}
""",
    ),
    Variant(
        "record set: If-Match: *",
        DNS,
        """        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": _require_etag(etag)}
""",
        """        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": "*"}
""",
    ),
    Variant(
        "record set: a failed write counts as done",
        ATTEMPT,
        """            outcome = await self.writer.write(change, generation)
""",
        """            outcome: Outcome = Done()
            with suppress(Transient, Terminal):
                outcome = await self.writer.write(change, generation)
""",
    ),
    Variant(
        "record set: a foreign one is taken for ours",
        "shared/decide/plan.py",
        """    if blocked and (not adopt or blocked.why == Obstacle.AUTO):
""",
        """    if blocked and blocked.why == Obstacle.AUTO:
""",
    ),
    Variant(
        "record set: 'nothing to do' is decided on the cache",
        ATTEMPT,
        """        if (step is None or isinstance(step, Skip)) and cached.dirty_etag != row.etag:
""",
        """        if False:
""",
    ),
    Variant(
        "lease: ignored",
        LEASE,
        """        if lease:
            new =""",
        """        if lease is None:
            return Lease(self.zone.key, self.services.clock() + LEASE_SECONDS)
        if lease:
            new =""",
    ),
    Variant(
        "lease: not checked again before a write",
        WRITER,
        """        while self.lease.seconds_left() <= REQUEST_SECONDS:  # Renewing it may have taken long.
            if taken := await self.lease.renew():
                return taken
""",
        "",
    ),
    Variant(
        "lease: a decision from before its expiry is written",
        WRITER,
        """        if self.lease.generation != generation:
""",
        """        if self.lease.generation < generation:
""",
    ),
    Variant(
        "budget: not passed on to the next holder",
        LEASE,
        """        await self.services.catalog.release(self.zone.key, self.services.holder, writes)
""",
        """        await self.services.catalog.release(self.zone.key, self.services.holder, ())
""",
    ),
    Variant(
        "budget: writes of a crashed holder do not count",
        "shared/decide/rate_limit.py",
        """        if spent is None:
""",
        """        if spent is None:
            return
        if spent is False:
""",
    ),
    Variant(
        "observation: one 404 counts at once",
        DOUBT,
        """    missing_at = 0.0 if observed.state != State.GONE or _confirmed(old, began, asks) else now
""",
        """    missing_at = 0.0
""",
    ),
    Variant(
        "sweep: what a list lacks counts as gone",
        CATCH_UP,
        """        await self._observe(endpoint.id)
""",
        """        if stored := await self.recorder.catalog.endpoint(endpoint.key):
            gone = replace(endpoint, region="", addresses=(), state=type(endpoint.state).GONE, health=None, doubt="")
            await self.recorder.record(stored, gone, self.cause, 0.0, ("delete event",))
            return
        await self._observe(endpoint.id)
""",
    ),
    Variant(
        "answer: the addresses of an unread claimant are removed",
        "shared/decide/routing.py",
        """    kept = [ip for ip in there if ip in theirs or (hidden and ip not in others)]
""",
        """    kept: list[str] = []
""",
    ),
    Variant(
        "sweep: the catalog counts as complete before unread endpoints are entered",
        CATCH_UP,
        """            self._unread.append((listed, await self.recorder.enlist(stored, listed)))
""",
        """            return
""",
    ),
    Variant(
        "sweep: writes record sets itself",
        SWEEP,
        """        marks = [mark for each in plan.zones for mark in dirty_names(each, scope, read_at)]
""",
        """        marks = []
        for each in plan.zones:
            for change in each.changes:
                if change.after:
                    etag = change.before.etag if change.before else None
                    await self.applier.record_sets.put(each.zone, change.after, etag)
            rest = tuple(change for change in each.changes if not change.after)
            marks += dirty_names(replace(each, changes=rest), scope, read_at)
""",
    ),
    Variant(
        "sweep: complete although endpoints could not be recorded",
        CATCH_UP,
        """        return not late and self.complete
""",
        """        return not late
""",
    ),
    Variant(
        "sweep: completes a catalog that was lost meanwhile",
        "shared/loop/sweep_state.py",
        """            return replace(state, **said) if state and state.epoch == begun.epoch else None
""",
        """            return replace(state or CatalogState(epoch=begun.epoch), **said)
""",
    ),
    Variant(
        "lost catalog: a drain does not ask again whether it is complete",
        ATTEMPT,
        """        return epoch is not None and await self.services.complete_epoch() == epoch
""",
        """        return epoch is not None
""",
    ),
    Variant(
        "freeze: checked by new work only, not by each write",
        ATTEMPT,
        """        if active_freeze(self.zone, overrides):
""",
        """        if active_freeze(self.zone, overrides) and not self.writer.queue.busy:
""",
    ),
    Variant(
        "clock: not corrected by the catalog's clock",
        "shared/domain/clock.py",
        """        if least > most or""",
        """        if True or""",
    ),
    Variant(
        "resource graph: what it lacks counts as gone",
        READS,
        """    wanted = [_to_read(row.endpoint) for key, row in by_key.items() if key not in shown]
""",
        """    gone = [row.endpoint for key, row in by_key.items() if key not in shown]
    wanted = [Endpoint(each.id, VM, each.region, each.tagged, each.own, state=State.GONE) for each in gone]
""",
        also=(
            CATCH_UP,
            """            seen, began = await read_throttled(observer, clock, listed, previous, self.deadline)
            self.written = True
            recorded = await self.recorder.record(stored, seen, self.cause, began, self._asks(stored))
""",
            """            seen, began, asks = listed, clock(), ("delete event",)
            if listed.state != "gone":
                seen, began = await read_throttled(observer, clock, listed, previous, self.deadline)
                asks = self._asks(stored)
            self.written = True
            recorded = await self.recorder.record(stored, seen, self.cause, began, asks)
""",
        ),
    ),
    Variant(
        "resource graph: the tags that it shows are believed",
        CATCH_UP,
        """            seen, began = await read_throttled(observer, clock, listed, previous, self.deadline)
            self.written = True
""",
        """            seen, began = await read_throttled(observer, clock, listed, previous, self.deadline)
            if seen.names:
                seen = replace(seen, tagged=listed.tagged, own=listed.own)
            self.written = True
""",
    ),
    Variant(
        "resource graph: the catalog counts as complete before late rows are there",
        "shared/loop/graph_inventory.py",
        """        settled = begun is None or _is_settled(begun, scope, asked)
""",
        """        settled = True
""",
    ),
    *PROBE_VARIANTS,
)
