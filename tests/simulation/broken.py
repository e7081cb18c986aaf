"""The variants: what is taken away, where, and how. `old` stands exactly once in its file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A replacement of text in one file."""

    name: str
    file: str
    old: str
    new: str


RECORD, DRAIN, RUN, SWEEP = "shared/record.py", "shared/drain.py", "shared/run.py", "shared/sweep.py"
MEMORY, DNS = "shared/catalog/memory.py", "shared/arm/private_dns.py"

VARIANTS = (
    Variant(
        "catalog row: written without a condition",
        MEMORY,
        """        key = row.endpoint.key
        _check(self._endpoints.get(key), etag, f"endpoint row {key}")
""",
        """        key = row.endpoint.key
""",
    ),
    Variant(
        "catalog row: after a conflict the old observation is written again",
        RECORD,
        """            except Conflict:
                continue
            return observed
""",
        """            except Conflict:
                await self.write(await self.catalog.endpoint(endpoint_id.lower()), observed)
            return observed
""",
    ),
    Variant(
        "catalog row: not written when nothing has changed",
        RECORD,
        """        row = EndpointRow(observed, todo, self.clock())
""",
        """        if not todo and stored:
            return
        row = EndpointRow(observed, todo, self.clock())
""",
    ),
    Variant(
        "catalog row: no tombstone for what was never seen",
        RECORD,
        """        row = EndpointRow(observed, todo, self.clock())
""",
        """        if stored is None and observed.state == "gone":
            return
        row = EndpointRow(observed, todo, self.clock())
""",
    ),
    Variant(
        "catalog row: todo is emptied before the marks are there",
        RECORD,
        """        await all_of(self.catalog.index(name, row.endpoint.key, now) for name in sorted(row.todo))
""",
        """        with suppress(Conflict):
            etag = await self.catalog.put_endpoint(EndpointRow(row.endpoint, frozenset(), row.seen_at), etag)
        await all_of(self.catalog.index(name, row.endpoint.key, now) for name in sorted(row.todo))
""",
    ),
    Variant(
        "catalog row: marked before the index leads to it",
        RECORD,
        """        await all_of(self.catalog.index(name, row.endpoint.key, now) for name in sorted(row.todo))
        await self.mark(urgencies, cause)
""",
        """        await self.mark(urgencies, cause)
        await all_of(self.catalog.index(name, row.endpoint.key, now) for name in sorted(row.todo))
""",
    ),
    Variant(
        "event: acknowledged though nothing was recorded",
        "shared/reconcile.py",
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
        """        rows[dirty.name] = Stored(dirty, next(self._etags))

    async def dirty(""",
        """        rows[dirty.name] = Stored(dirty, rows[dirty.name].etag if old else next(self._etags))

    async def dirty(""",
    ),
    Variant(
        "dirty row: read late, after the claims",
        RUN,
        """        with suppress(Conflict):  # Marked again meanwhile: again.
            await self.of.catalog.clear(""",
        """        row = await self.of.catalog.dirty_name(self.zone.key, name) or row
        with suppress(Conflict):  # Marked again meanwhile: again.
            await self.of.catalog.clear(""",
    ),
    Variant(
        "dirty row: cleared though nothing was narrowed yet",
        RUN,
        """            await self._later(row, UNKNOWN_PAUSE, error, failed=False)
""",
        """            await self.of.catalog.clear(self.zone.key, dirty.name, row.etag)
""",
    ),
    Variant(
        "record set: written without a condition",
        DNS,
        """        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": _known(etag)}
""",
        """        headers = {"If-None-Match": "*"} if etag is None else {}
""",
    ),
    Variant(
        "record set: If-Match: *",
        DNS,
        """        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": _known(etag)}
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
        "shared/plan.py",
        """    if actual and mark != owner and not adopt:
""",
        """    if actual and mark == "nobody" and not adopt:
""",
    ),
    Variant(
        "record set: nothing is done on what was remembered",
        RUN,
        """        if not isinstance(found, Change) and known.row != row.etag:
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
            return Lease(zone.key, self.clock() + LEASE)
""",
    ),
    Variant(
        "lease: not looked at again before a write",
        RUN,
        """        while self._left() <= REQUEST:  # Taking it may have taken long.
            await self._prolong()
""",
        "",
    ),
    Variant(
        "lease: what was decided before it lapsed is written",
        RUN,
        """        if self._tenure != tenure:
""",
        """        if self._tenure < tenure:
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
        "shared/budget.py",
        """        if spent is None:
""",
        """        if spent is None:
            return
        if spent is False:
""",
    ),
    Variant(
        "sweep: what a list lacks counts as gone",
        SWEEP,
        """        if not self.dry_run:
            await self._look(endpoint_id)
            return
""",
        """        if not self.dry_run:
            stored = await self.recorder.catalog.endpoint(endpoint_id.lower())
            if stored and known:
                await self.recorder.write(stored, replace(known, state=State.GONE), self.cause)
                return
            await self._look(endpoint_id)
            return
""",
    ),
    Variant(
        "sweep: writes record sets itself",
        SWEEP,
        """            marks.append(mark)
""",
        """            if change.after:
                etag = change.before.etag if change.before else None
                await self.drainer.record_sets.put(zones[zone], change.after, etag)
                continue
            marks.append(mark)
""",
    ),
    Variant(
        "sweep: complete though endpoints could not be recorded",
        SWEEP,
        """        return not late and not self._blind
""",
        """        return not late
""",
    ),
    Variant(
        "sweep: completes a catalog that was lost meanwhile",
        SWEEP,
        """        while (stored := await self.recorder.catalog.marker()) and stored.value.epoch == epoch:
""",
        """        while stored := await self.recorder.catalog.marker() or Stored(Marker(epoch=epoch), None):
""",
    ),
    Variant(
        "lost catalog: a drain does not ask again whether it is complete",
        RUN,
        """        if found.narrows and (not self.task.epoch or await of.complete() != self.task.epoch):
""",
        """        if found.narrows and not self.task.epoch:
""",
    ),
    Variant(
        "freeze: only new work asks for it, not each write",
        RUN,
        """        if freeze(self.zone, orders):
            raise FrozenError""",
        """        if freeze(self.zone, orders) and not self.queue.busy:
            raise FrozenError""",
    ),
    Variant(
        "clock: not corrected by the catalog's",
        "shared/clock.py",
        """        if least > most or""",
        """        if True or""",
    ),
)
