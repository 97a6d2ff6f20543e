"""Is the caller who they say they are: the proofs that activation asks for, too.

Staff type what the caller says; the directory compares, and nobody reads. The
answer is yes or no for both proofs together. How often it may be no is counted in
the trail itself, which nobody can reset.
"""

from datetime import date, timedelta

from ent.annuaire.helpdesk.accounts import Account
from ent.annuaire.helpdesk.desk import Actor, Desk
from ent.annuaire.helpdesk.trail import Action, Outcome

_WINDOW = timedelta(hours=1)
# Staff have a Harpège code, students their own number.
_NUMBERS = ("supannEmpId", "supannEtuId")
_BIRTH_DATE = "supannOIDCDateDeNaissance"
LONGEST = 64


class TooManyVerifications(Exception):  # noqa: N818 - says what happened, as callers read it
    """Nothing was compared. by_agent: the limit is that of the agent, not of the person."""

    def __init__(self, *, by_agent: bool) -> None:
        super().__init__("of the agent" if by_agent else "of the person")
        self.by_agent = by_agent


def verify(desk: Desk, actor: Actor, account: Account, number: str, born: date) -> bool:
    """Whether number and birth date are both this person's.

    number: Harpège code or student number, as the caller says it.

    Raises:
        TooManyVerifications: too many were wrong in the last hour.
        DirectoryUnavailable, DatabaseError: nobody was verified.

    """
    number = "".join(number.split())
    with desk.operation(actor, Action.VERIFY, account.uid) as operation:
        # this very attempt is counted already: attempts at the same moment see each other
        since = desk.clock() - _WINDOW
        by_person = desk.store.unproved(since, person=account.uid) > desk.config.person_tries
        by_agent = desk.store.unproved(since, agent=actor.login) > desk.config.agent_tries
        if by_person or by_agent:
            operation.end(Outcome.FAILED, "limit:agent" if by_agent else "limit:person")
            raise TooManyVerifications(by_agent=by_agent)
        # always all of them, so that the time taken tells nothing
        numbers = [bool(number) and _is(desk, account, name, number) for name in _NUMBERS]
        birthday = _is(desk, account, _BIRTH_DATE, born.isoformat())
        right = any(numbers) and birthday
        operation.end(
            Outcome.DONE if right else Outcome.REFUSED, "proofs:right" if right else "proofs:wrong"
        )
    return right


def _is(desk: Desk, account: Account, attribute: str, value: str) -> bool:
    return desk.directory.compare(account.dn, attribute, value[:LONGEST])
