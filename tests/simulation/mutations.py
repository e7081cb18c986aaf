"""The variants: what is taken away, where, and how. `old` stands exactly once in its file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A replacement of text in one file."""

    name: str
    file: str
    old: str
    new: str


RECORD, DRAIN, RUN, SWEEP = (
    "shared/loop/recorder.py",
    "shared/loop/zone/apply.py",
    "shared/loop/zone/worker.py",
    "shared/loop/sweep.py",
)
DOUBT, CATCH_UP = "shared/decide/confirmation.py", "shared/loop/catch_up.py"
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
        "catalog row: after a conflict the old observation is written again",
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
        "catalog row: todo is emptied before the marks are there",
        RECORD,
        """        await self._index_and_mark_dirty(row, row.todo)
        await self.mark_dirty""",
        """        with suppress(Conflict):
            etag = await self.catalog.put_endpoint(replace(row, todo=frozenset()), etag)
        await self._index_and_mark_dirty(row, row.todo)
        await self.mark_dirty""",
    ),
    Variant(
        "catalog row: marked before the index leads to it",
        RECORD,
        """        await self._index_and_mark_dirty(row, row.todo)
        await self.mark_dirty(urgencies, cause)
""",
        """        await self.mark_dirty(urgencies, cause)
        await self._index_and_mark_dirty(row, row.todo)
""",
    ),
    Variant(
        "event: acknowledged though nothing was recorded",
        "shared/loop/reconciler.py",
        """        except Terminal as error:  # Another delivery""",
        """        except NearzoneError as error:  # Another delivery""",
    ),
    Variant(
        "event: writes before the first complete sweep",
        DRAIN,
        """        if not partial and not epoch:
""",
        """        if False:
""",
    ),
    Variant(
        "dirty row: a mark does not change it",
        MEMORY,
        """        rows[dirty.name] = Versioned(dirty, next(self._etags))

    async def dirty(""",
        """        rows[dirty.name] = Versioned(dirty, rows[dirty.name].etag if old else next(self._etags))

    async def dirty(""",
    ),
    Variant(
        "dirty row: read late, after the claims",
        RUN,
        """        with suppress(Conflict):  # Marked again meanwhile: again.
            await self.services.catalog.remove_dirty(""",
        """        row = await self.services.catalog.dirty_name(self.zone.key, name) or row
        with suppress(Conflict):  # Marked again meanwhile: again.
            await self.services.catalog.remove_dirty(""",
    ),
    Variant(
        "dirty row: cleared though nothing was narrowed yet",
        RUN,
        """            await self._back_off(row, error.pause, error, failed=False)
""",
        """            await self.services.catalog.remove_dirty(self.zone.key, dirty.name, row.etag)
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
        RUN,
        """                await self._write(found, tenure)
""",
        """                with suppress(Transient, Terminal):
                    await self._write(found, tenure)
""",
    ),
    Variant(
        "record set: somebody else's is taken for ours",
        "shared/decide/plan.py",
        """    if blocked and (not adopt or blocked.why == Obstacle.AUTO):
""",
        """    if blocked and blocked.why == Obstacle.AUTO:
""",
    ),
    Variant(
        "record set: nothing is done on what was remembered",
        RUN,
        """        if not isinstance(found, Change) and known.dirty_etag != row.etag:
""",
        """        if False:
""",
    ),
    Variant(
        "lease: ignored",
        RUN,
        """        if lease is None:
            return None
""",
        """        if lease is None:
            return Lease(zone.key, self.clock() + LEASE_SECONDS)
""",
    ),
    Variant(
        "lease: not looked at again before a write",
        RUN,
        """        while self._lease_seconds_left() <= REQUEST_SECONDS:  # Taking it may have taken long.
            await self._renew_lease()
""",
        "",
    ),
    Variant(
        "lease: what was decided before it lapsed is written",
        RUN,
        """        if self._lease_generation != tenure:
""",
        """        if self._lease_generation < tenure:
""",
    ),
    Variant(
        "budget: not handed to the next holder",
        DRAIN,
        """            await self.catalog.release(zone.key, self.holder, spent)
""",
        """            await self.catalog.release(zone.key, self.holder, ())
""",
    ),
    Variant(
        "budget: what a dead holder wrote counts as nothing",
        "shared/decide/rate_limit.py",
        """        if spent is None:
""",
        """        if spent is None:
            return
        if spent is False:
""",
    ),
    Variant(
        "look: one 404 counts at once",
        DOUBT,
        """    missing_at = 0.0 if observed.state != State.GONE or _confirmed(old, began, asks) else now
""",
        """    missing_at = 0.0
""",
    ),
    Variant(
        "sweep: what a list lacks counts as gone",
        CATCH_UP,
        """        if not self.dry_run:
            await self._observe(endpoint_id)
            return
""",
        """        if not self.dry_run:
            stored = await self.recorder.catalog.endpoint(endpoint_id.lower())
            if stored and known:
                gone = Endpoint(known.id, known.kind, tagged=known.tagged, own=known.own, state=State.GONE)
                await self.recorder.record(stored, gone, self.cause, 0.0, ("delete event",))
                return
            await self._observe(endpoint_id)
            return
""",
    ),
    Variant(
        "answer: what the zone holds of a claimant that was not read goes",
        "shared/decide/routing.py",
        """    kept = [ip for ip in there if ip in theirs or (hidden and ip not in others)]
""",
        """    kept: list[str] = []
""",
    ),
    Variant(
        "sweep: the catalog counts as complete before what has to be read is enlisted",
        CATCH_UP,
        """            self._unread.append((listed, await self.recorder.enlist(stored, listed)))
""",
        """            return
""",
    ),
    Variant(
        "sweep: writes record sets itself",
        SWEEP,
        """            marks.append(mark)
""",
        """            if change.after:
                etag = change.before.etag if change.before else None
                await self.applier.record_sets.put(zones[zone], change.after, etag)
                continue
            marks.append(mark)
""",
    ),
    Variant(
        "sweep: complete though endpoints could not be recorded",
        CATCH_UP,
        """        return not late and self.complete
""",
        """        return not late
""",
    ),
    Variant(
        "sweep: completes a catalog that was lost meanwhile",
        SWEEP,
        """        while (stored := await self.recorder.catalog.state()) and stored.value.epoch == epoch:
""",
        """        while stored := await self.recorder.catalog.state() or Versioned(CatalogState(epoch=epoch), None):
""",
    ),
    Variant(
        "lost catalog: a drain does not ask again whether it is complete",
        RUN,
        """        if found.narrows and (not self.task.epoch or await of.complete_epoch() != self.task.epoch):
""",
        """        if found.narrows and not self.task.epoch:
""",
    ),
    Variant(
        "freeze: only new work asks for it, not each write",
        RUN,
        """        if active_freeze(self.zone, orders):
            raise ZoneFrozenError""",
        """        if active_freeze(self.zone, orders) and not self.queue.busy:
            raise ZoneFrozenError""",
    ),
    Variant(
        "clock: not corrected by the catalog's",
        "shared/domain/clock.py",
        """        if least > most or""",
        """        if True or""",
    ),
)
