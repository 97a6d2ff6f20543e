"""The worker: follows the directory, compares, and has Sympa move what differs.

Two reasons to look at a person: the directory told of a change, and an address of theirs is held
in Sympa; the comparison of all that Sympa holds with all people, at the start and every
`reconcile_seconds`. Looking at somebody once too often costs a little time and does no harm.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ent.directory import (
    DirectoryUnavailable,
    Entry,
    Filter,
    Scope,
    any_of,
    equals,
    present,
)
from ent.directory.following import Follower
from ent.listmove.addresses import (
    ATTRIBUTES,
    Ambiguous,
    Holder,
    Plan,
    SamePeople,
    canonic,
    compare,
    owned,
)
from ent.listmove.database import DatabaseUnavailable
from ent.listmove.ledger import Done, Intent, InUseError, Ledger, Wanted
from ent.listmove.settings import Settings
from ent.listmove.sympa import Sympa, SympaUnavailable
from ent.listmove.tables import EXCLUDED, Row, Tables
from ent.web.directory import directory_of

log = logging.getLogger(__name__)

# Seconds until the next try: when something is away, and when Sympa did not do it.
_AWAY = (1, 2, 5, 15, 30, 60)
_REFUSED = (60, 300, 900, 3600)
_AGAIN = (DirectoryUnavailable, DatabaseUnavailable, SympaUnavailable)
# Retries fall due without anybody saying so.
_POLL = 1.0
_PEOPLE_AT_ONCE = 1000
_DETAILS = {
    "included": "a data source of the list gives this address: correct it there",
    "closed": "the list is closed or cannot be loaded",
    "refused": "Sympa left it as it was, see its log",
}


class WorkerError(Exception):
    """The worker cannot run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look at a person found and did.

    done: what was moved, and what could not be, as the ledger notes it. excluded: exclusions
    that followed. again: whether it is worth trying again what failed.
    """

    done: tuple[Done, ...] = ()
    excluded: int = 0
    again: bool = False


class Worker:
    """All of it together."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self.tables = Tables(settings.sympa)
        self.sympa = Sympa(settings.helper, settings.move_timeout)
        self.directory = directory_of(settings.ldap)
        self.same_people = SamePeople(settings.legacy_domains)
        self._people = f"ou=people,{self.directory.settings.suffix}"
        self._work = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    # The parts that go on at the same time

    def run(self) -> None:
        """Work until `stop`.

        Raises WorkerError when a part of it failed in a way that trying again does not mend.
        """
        follower = Follower(
            self.directory.settings,
            base=self._people,
            where=present("supannRessourceEtat"),
            attributes=ATTRIBUTES,
            cookie=self.ledger.cookie,
            changed=self.changed,
            forget=self.ledger.forget_cookie,
            longest=self.settings.retry_seconds,
            passing=(DatabaseUnavailable, InUseError),
        )
        comparer = threading.Thread(
            target=self._for_ever, args=(self._compare,), name="comparison", daemon=True
        )
        mover = threading.Thread(
            target=self._for_ever, args=(self._move_next,), name="mover", daemon=True
        )
        threads = (follower, comparer, mover)
        for thread in threads:
            thread.start()
        while not self._ended.wait(_POLL):
            if not all(thread.is_alive() for thread in threads):
                self.stop()
                raise WorkerError(
                    f"a part of the worker ended: {follower.failure or self._failure!r}"
                )
        follower.stop()
        for thread in threads:
            thread.join()
        self.close()

    def stop(self) -> None:
        """End `run`: the move that is being made is finished, the rest waits."""
        self._ended.set()
        self._work.set()

    def close(self) -> None:
        """Close the connections, all but the ledger's."""
        self.sympa.close()
        self.tables.close()
        self.directory.close()

    def _for_ever(self, part: Callable[[], None]) -> None:
        """Do a part again and again; what is away is waited for."""
        failures = 0
        try:
            while not self._ended.is_set():
                try:
                    part()
                    failures = 0
                except (*_AGAIN, InUseError) as error:
                    pause = self._pause(failures)
                    failures += 1
                    log.warning("%s; again in %d s", error, pause)
                    self._ended.wait(pause)
        except BaseException as error:
            self._failure = error
            raise

    def _pause(self, tries: int) -> int:
        """Seconds until the next try of what is away."""
        return min(_AWAY[min(tries, len(_AWAY) - 1)], self.settings.retry_seconds)

    def _compare(self) -> None:
        self.reconcile()
        self._ended.wait(self.settings.reconcile_seconds)

    def _move_next(self) -> None:
        wanted = self.ledger.take()
        if wanted is None:
            self.sympa.begin()
            self._work.wait(_POLL)
            self._work.clear()
        else:
            self.attend(wanted)

    # Whom to look at

    def changed(self, entries: Sequence[Entry], cookie: str | None) -> None:
        """The directory told of changes: look at those under whose addresses something is held.

        Raises DatabaseUnavailable; then the directory is asked to tell it again.
        """
        candidates: dict[str, set[str]] = {}
        targets: dict[str, str] = {}
        for entry in entries:
            holder = Holder.from_entry(entry)
            if holder.follows:
                targets[holder.uid] = holder.mail
                for address in self.same_people.candidates(holder):
                    candidates.setdefault(address, set()).add(holder.uid)
        concerned = {
            uid
            for row in self.tables.rows(candidates)
            for uid in candidates[canonic(row.address)]
            if row.address != targets[uid]
        }
        self.ledger.want(concerned, cookie=cookie)
        if concerned:
            self._work.set()

    def plan(self) -> Plan:
        """Compare all that Sympa holds with all people. Raises one of `_AGAIN`."""
        held = self.tables.held()
        return compare(held, self._everybody(), self.same_people)

    def reconcile(self) -> Plan:
        """Compare, and have those looked at of whom something differs."""
        started = time.monotonic()
        self.ledger.forget_old(self.settings.journal_days)
        plan = self.plan()
        self.ledger.also_want(plan.logins)
        log.info(
            "compared with %d people in %.1f s: %d addresses to move, %d ambiguous",
            plan.people,
            time.monotonic() - started,
            len(plan.moves),
            len(plan.ambiguous),
        )
        return plan

    def _everybody(self) -> Iterator[Holder]:
        for entry in self.directory.paged(
            self._people,
            present("uid"),
            ATTRIBUTES,
            Scope.CHILDREN,
            page_size=_PEOPLE_AT_ONCE,
        ):
            yield Holder.from_entry(entry)

    def person(self, uid: str) -> Holder | None:
        """The person with this login, or None."""
        entry = self.directory.one(self._people, equals("uid", uid), ATTRIBUTES, Scope.CHILDREN)
        return Holder.from_entry(entry) if entry else None

    def people_with(self, addresses: Iterable[str]) -> list[Holder]:
        """Everybody who has or had one of these addresses."""
        wanted: list[Filter] = []
        for address in sorted(set(addresses)):
            wanted += [equals("mail", address), equals("supannAutreMail", address)]
        if not wanted:
            return []
        found = self.directory.search(self._people, any_of(*wanted), ATTRIBUTES, Scope.CHILDREN)
        return [Holder.from_entry(entry) for entry in found]

    # Looking at one person

    def attend(self, wanted: Wanted) -> None:
        """One look at one person, and what comes after it: done, or again later.

        Raises DatabaseUnavailable or InUseError when the ledger is away.
        """
        uid, again = wanted.uid, None
        try:
            if self.look(uid, interrupted=wanted.interrupted).again:
                again = _REFUSED[min(wanted.tries, len(_REFUSED) - 1)]
        except _AGAIN as error:
            again = self._pause(wanted.tries)
            log.warning("%s: %s; again in %d s", uid, error, again)
        except InUseError:
            raise
        except Exception:
            # a fault of ours with one person must not keep the others waiting
            again = _REFUSED[-1]
            log.exception("%s: unexpected; again in %d s", uid, again)
        if self._ended.is_set():
            return  # perhaps not with all of it: they stay wanted
        if again is None:
            self.ledger.looked_at(wanted)
        else:
            self.ledger.retry(wanted, again)

    def look(self, uid: str, *, interrupted: bool = True) -> Outcome:
        """Move what is held under a person's other addresses, and see that it was moved.

        interrupted: whether an earlier attempt may have been cut off.
        Raises one of `_AGAIN` when it could not be done, or not wholly.
        """
        holder = self.person(uid)
        intents = self.ledger.intents(uid) if interrupted else []
        if holder is None or not holder.follows:
            return Outcome(tuple(self._take_up(intents, given_up=True)))
        rows = self.tables.rows(self.same_people.candidates(holder))
        there = {(row.list, row.role) for row in rows if row.address == holder.mail}
        rows = [row for row in rows if row.address != holder.mail]
        begun = {canonic(one.old_address) for one in intents} - {holder.mail}
        theirs, unclear = self._owned({canonic(row.address) for row in rows} | begun, holder)
        movable = {canonic(row.address) for row in rows if not row.included}
        for address in sorted(begun & theirs - movable):
            # on no list any more, but their preferences may be there
            self.sympa.move(address, holder.mail)
        done = self._take_up(intents)
        done += self._report(holder, rows, {one.address: str(one) for one in unclear}, "ambiguous")
        excluded = 0
        for address in sorted(theirs):
            if self._ended.is_set():
                break
            # what a data source gives, Sympa does not move, and writes to the list's owners
            under = [row for row in rows if canonic(row.address) == address]
            done += self._report(
                holder, [row for row in under if row.included], {address: ""}, "included"
            )
            done += self._move(holder, [row for row in under if not row.included], there)
            excluded += sum(row.role == EXCLUDED for row in under)
        if excluded:
            log.info("%s: %d exclusions follow to %s", uid, excluded, holder.mail)
        return Outcome(tuple(done), excluded, any(one.reason == "refused" for one in done))

    def _owned(self, addresses: set[str], holder: Holder) -> tuple[set[str], list[Ambiguous]]:
        related = addresses.union(*(self.same_people.twins(one) for one in addresses))
        others = [one for one in self.people_with(related) if one.uid != holder.uid]
        return owned(addresses, holder, others, self.same_people)

    def _take_up(self, intents: Sequence[Intent], *, given_up: bool = False) -> list[Done]:
        """Note what an attempt that was cut off did get done; the rest is made again."""
        done, remaining = self._became(intents)
        settled = intents if given_up else [one for one in intents if one not in remaining]
        return self._note(settled, done)

    def _report(
        self, holder: Holder, rows: Sequence[Row], details: dict[str, str], reason: str
    ) -> list[Done]:
        """Note that rows under the addresses of `details` are not moved."""
        return self._note(
            (),
            [
                Done(
                    *(holder.uid, row.address, holder.mail, row.list, row.role),
                    *("failed", reason, details[canonic(row.address)] or _DETAILS[reason]),
                )
                for row in rows
                if canonic(row.address) in details and row.role != EXCLUDED
            ],
        )

    def _move(self, holder: Holder, rows: Sequence[Row], there: set[tuple[str, str]]) -> list[Done]:
        """Have Sympa move what is held under one address, however it is written there.

        there: lists and roles of the new address; those that are moved are added.
        """
        if not rows:
            return []
        intents = []
        for row in rows:
            if row.role != EXCLUDED:
                key = row.list, row.role
                intents.append(Intent(holder.uid, row.address, holder.mail, *key, key in there))
                there.add(key)
        self.ledger.intend(intents)
        left = {
            (one.address, one.list, one.role): one
            for address in sorted({row.address for row in rows})
            for one in self.sympa.move(address, holder.mail)
        }
        done, remaining = self._became(intents)
        for one in remaining:
            why = left.get((one.old_address, one.list, one.role))
            reason = why.reason if why else "refused"
            detail = (why.detail if why else "") or _DETAILS[reason]
            done.append(_done(one, "failed", reason, detail))
        return self._note(intents, done)

    def _became(self, intents: Sequence[Intent]) -> tuple[list[Done], list[Intent]]:
        """What Sympa's tables say became of intents: those done, and those that are not."""
        if not intents:
            return [], []
        addresses = {canonic(one.old_address) for one in intents}
        addresses |= {canonic(one.new_address) for one in intents}
        there = {(row.address, row.list, row.role) for row in self.tables.rows(addresses)}
        done, remaining = [], []
        for one in intents:
            if (one.old_address, one.list, one.role) in there:
                remaining.append(one)
            elif (one.new_address, one.list, one.role) in there:
                done.append(_done(one, "merged" if one.merged else "moved"))
            # else: taken off the list meanwhile, by the person or by an owner
        return done, remaining

    def _note(self, intents: Sequence[Intent], done: list[Done]) -> list[Done]:
        if intents or done:
            for one in self.ledger.settle(intents, done):
                level = logging.WARNING if one.outcome == "failed" else logging.INFO
                log.log(level, "%s", _words(one))
        return done


def _done(intent: Intent, outcome: str, reason: str = "", detail: str = "") -> Done:
    return Done(
        *(intent.login, intent.old_address, intent.new_address, intent.list, intent.role),
        *(outcome, reason, detail),
    )


def _words(done: Done) -> str:
    what = f"{done.login}: {done.role} of {done.list}"
    if done.outcome == "failed":
        return f"{what} under {done.old_address} not moved: {done.detail or done.reason}"
    return f"{what} {done.outcome}, {done.old_address} to {done.new_address}"
