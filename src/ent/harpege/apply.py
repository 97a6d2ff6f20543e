"""Write a plan to the directory: structures from the top, then people, several at a time.

Every operation leaves its entry complete, so that a run that is cut off anywhere is
finished by the next. What somebody else changed since the plan was made is noticed by the
directory; the person is then read again and decided anew.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from ent.directory import (
    AlreadyExists,
    Change,
    Conflict,
    Directory,
    DirectoryMisconfigured,
    DirectoryRefused,
    Entry,
    NoSuchEntry,
    Scope,
    StaleEntry,
    WriteUncertain,
    any_of,
    equals,
)
from ent.harpege import people, structures
from ent.harpege.config import FeedConfig
from ent.harpege.messages import Text, mark, tell
from ent.harpege.plan import Action, Plan
from ent.harpege.rules import Person
from ent.naming import login_candidates

log = logging.getLogger(__name__)
# Times a person is decided anew within one run; more means that somebody works on the entry.
_TRIES = 5
# Refusals in a row from the first on, after which it is not the people who are wrong.
_HOPELESS = 50


class Failure(NamedTuple):
    """An operation that the directory refused; the others went on."""

    code: str
    login: str
    message: Text

    def to_json(self) -> dict[str, object]:
        """For run records."""
        return {**self._asdict(), "message": self.message.to_json()}


@dataclass
class Outcome:
    """What was written: operations done, found done already, and failed."""

    done: int = 0
    already: int = 0
    failures: list[Failure] = field(default_factory=list)


def apply_plan(
    plan: Plan,
    directory: Directory,
    config: FeedConfig,
    outcome: Outcome,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Do what the plan says, and count it in `outcome` as it goes.

    Raises DirectoryUnavailable when the directory went away: what was written is complete
    in itself, and the next run does the rest. A plan with a refusal is a ValueError.
    """
    if plan.refusal is not None:
        raise ValueError("a refused plan is not applied")
    _Writer(plan, directory, config, outcome, progress or (lambda done, total: None)).run()


class _Writer:
    def __init__(
        self,
        plan: Plan,
        directory: Directory,
        config: FeedConfig,
        outcome: Outcome,
        progress: Callable[[int, int], None],
    ) -> None:
        self.directory, self.config, self.today = directory, config, plan.today
        self.plan, self.progress = plan, progress
        self.outcome = outcome
        self.lock = threading.Lock()
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Write; the people on several connections at once."""
        actions = self.plan.actions()
        first_person = self._structures(actions)
        if first_person is None:
            return
        waiting: queue.Queue[Action | None] = queue.Queue(self.config.ldap.connections * 4)
        writers = [
            threading.Thread(target=self._work, args=(waiting,), name=f"writer-{number}")
            for number in range(self.config.ldap.connections)
        ]
        for one in writers:
            one.start()
        try:
            waiting.put(first_person)
            for action in actions:
                if self.failed is not None:
                    break
                waiting.put(action)
        finally:
            for _ in writers:
                waiting.put(None)
            for one in writers:
                one.join()
        if self.failed is not None:
            raise self.failed

    def _structures(self, actions: Iterator[Action]) -> Action | None:
        """Write the structures one after the other; the first action that is a person's."""
        for action in actions:
            if action.unit is None:
                return action
            self._do(action, self._structure)
        return None

    def _work(self, waiting: queue.Queue[Action | None]) -> None:
        while (action := waiting.get()) is not None:
            if self.failed is not None:
                continue  # take what is left, so that nobody waits for room in the queue
            try:
                self._do(action, self._person)
            except BaseException as error:
                self.failed = error

    def _do(self, action: Action, write: Callable[[Action], bool]) -> None:
        try:
            wrote = write(action)
        except DirectoryRefused as error:
            log.error(
                "refused by the directory",
                extra={"code": action.code, "login": action.login, "answer": str(error)},
            )
            message = tell(_REFUSED, kind=type(error).__name__, answer=str(error))
            with self.lock:
                self.outcome.failures.append(Failure(action.code, action.login, message))
                hopeless = not self.outcome.done and len(self.outcome.failures) >= _HOPELESS
            if hopeless:
                raise DirectoryMisconfigured(
                    f"the first {_HOPELESS} changes were all refused; the last: {error}"
                ) from error
            return
        with self.lock:
            if wrote:
                self.outcome.done += 1
            else:
                self.outcome.already += 1
            done = self.outcome.done + self.outcome.already
        if done % 50 == 0 or done == self.plan.size:
            self.progress(done, self.plan.size)

    # One operation each. True: written; False: it was so already.

    def _structure(self, action: Action) -> bool:
        unit = action.unit
        if unit is None:
            raise ValueError(f"no structure: {action.kind} {action.code}")
        changes = action.changes
        for _ in range(_TRIES):
            try:
                if action.kind == "add" and not changes:
                    self.directory.add(unit.dn(self.config.ldap.suffix), unit.attributes())
                else:
                    self.directory.modify(unit.dn(self.config.ldap.suffix), changes)
            except (AlreadyExists, StaleEntry, WriteUncertain) as error:
                log.info("structure read again", extra={"code": unit.code, "cause": str(error)})
                entry = self.directory.one(
                    f"ou=structures,{self.config.ldap.suffix}",
                    equals("supannCodeEntite", unit.code),
                    structures.ATTRIBUTES,
                    Scope.CHILDREN,
                )
                if entry is None:
                    continue
                changes = tuple(structures.difference(entry, unit))
                if not changes:
                    return isinstance(error, WriteUncertain)
            else:
                log.info(
                    "structure written",
                    extra={"code": unit.code, "attributes": _attributes(action.kind, changes)},
                )
                return True
        raise StaleEntry(f"{unit.code} changed {_TRIES} times")

    def _person(self, action: Action) -> bool:
        person = action.person
        if person is None:
            raise ValueError(f"no person: {action.kind} {action.code}")
        if action.kind == "create":
            return self._create(person, action.login)
        return self._change(person, action.login, list(action.changes))

    def _create(self, person: Person, login: str) -> bool:
        for _ in range(_TRIES):
            try:
                self.directory.add(
                    f"uid={login},{self._base}",
                    people.new_entry(person, login, self.config.domain, self.today),
                )
            except (AlreadyExists, Conflict, WriteUncertain) as error:
                # who is it that is there: this person, or another one of that name?
                entry = self._read(person)
                if entry is not None:
                    uncertain = isinstance(error, WriteUncertain)
                    return self._again(person, entry) or uncertain
                if isinstance(error, WriteUncertain):
                    continue
                if not isinstance(error, AlreadyExists) and not self._taken(login):
                    raise
                login = self._next_login(person, login)
            else:
                log.info("created", extra={"code": person.code, "login": login})
                return True
        raise AlreadyExists(f"{_TRIES} logins were taken in the meantime, the last was {login}")

    def _change(self, person: Person, login: str, changes: list[Change]) -> bool:
        for _ in range(_TRIES):
            try:
                self.directory.modify(f"uid={login},{self._base}", changes)
            except (StaleEntry, NoSuchEntry, WriteUncertain) as error:
                log.info(
                    "read again", extra={"code": person.code, "login": login, "cause": str(error)}
                )
                entry = self._read(person)
                if entry is None:
                    raise NoSuchEntry(f"no entry has supannEmpId {person.code} any more") from error
                login = entry.text("uid")
                changes = self._difference(person, entry)
                if not changes:
                    return isinstance(error, WriteUncertain)
            else:
                log.info(
                    "changed",
                    extra={
                        "code": person.code,
                        "login": login,
                        "attributes": _attributes("change", tuple(changes)),
                    },
                )
                return True
        raise StaleEntry(f"changed by others {_TRIES} times during this run")

    def _again(self, person: Person, entry: Entry) -> bool:
        """The entry is there after all: bring it to what it should say."""
        changes = self._difference(person, entry)
        return bool(changes) and self._change(person, entry.text("uid"), changes)

    def _difference(self, person: Person, entry: Entry) -> list[Change]:
        wanted = people.wish(person, people.known(entry), self.config.policy, self.today)
        return people.difference(entry, wanted, self.config.domain)

    def _read(self, person: Person) -> Entry | None:
        return self.directory.one(
            self._base, equals("supannEmpId", person.code), people.ATTRIBUTES, Scope.CHILDREN
        )

    def _taken(self, login: str) -> bool:
        """Whether somebody has this login, or the principal name that goes with it."""
        principal = f"{login}@{self.config.domain}"
        where = any_of(equals("uid", login), equals("eduPersonPrincipalName", principal))
        return bool(self.directory.search(self._base, where, (), Scope.CHILDREN, limit=1))

    def _next_login(self, person: Person, taken: str) -> str:
        with self.lock:
            self.plan.taken.add(taken)
            login = next(
                one
                for one in login_candidates(person.given_name, person.surname)
                if one not in self.plan.taken
            )
            self.plan.taken.add(login)
        return login

    @property
    def _base(self) -> str:
        return f"ou=people,{self.config.ldap.suffix}"


def _attributes(kind: str, changes: tuple[Change, ...]) -> list[str]:
    """The names of what changed, for the log; values are nobody's business there."""
    return sorted({one.attribute for one in changes}) if changes else [kind]


def entry_of(plan_day: date, action: Action, domain: str) -> dict[str, tuple[str, ...]]:
    """The entry that a `create` or `add` makes, for `plan`."""
    if action.unit is not None:
        return action.unit.attributes()
    if action.person is None:
        raise ValueError(f"nothing to show: {action.kind} {action.code}")
    return people.new_entry(action.person, action.login, domain, plan_day)


_REFUSED = mark("refusé par l’annuaire ({kind}) : {answer}")
