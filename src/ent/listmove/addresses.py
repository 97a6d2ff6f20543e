"""Whose an address is, and what has to be moved. No directory and no database in here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ent.directory import AccountState, Entry

ATTRIBUTES = ("uid", "mail", "supannAutreMail", "supannRessourceEtat")


def canonic(address: str) -> str:
    """An address as Sympa compares it: without spaces around it, A to Z as a to z."""
    return (
        address.strip()
        .encode("utf-8", "surrogateescape")
        .lower()
        .decode("utf-8", "surrogateescape")
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """A person of the directory, as far as addresses go.

    mail: the address in use, canonic, or "". addresses: all they have or had, `mail` included.
    follows: whether what is held under their other addresses belongs under `mail`: the account
        was activated, and receives mail.
    """

    uid: str
    mail: str
    addresses: frozenset[str]
    follows: bool

    @classmethod
    def from_entry(cls, entry: Entry) -> "Holder":
        """From an entry read with ATTRIBUTES."""
        mail = canonic(entry.text("mail"))
        state = AccountState.of(entry.texts("supannRessourceEtat"))
        others = (canonic(one) for one in entry.texts("supannAutreMail"))
        return cls(
            uid=entry.text("uid"),
            mail=mail,
            addresses=frozenset(one for one in (mail, *others) if one),
            follows=bool(mail) and state is not None and state.receives_mail,
        )


@dataclass(frozen=True)
class SamePeople:
    """The domains in which the same local part is the same person, as Postfix has it."""

    domains: tuple[str, ...]

    def twins(self, address: str) -> Iterator[str]:
        """The address in the other ones of these domains."""
        local, _, domain = address.rpartition("@")
        if local and domain in self.domains:
            yield from (f"{local}@{other}" for other in self.domains if other != domain)

    def candidates(self, holder: Holder) -> set[str]:
        """The addresses that are the person's, unless the directory gives them to another."""
        return set(holder.addresses).union(*(self.twins(one) for one in holder.addresses))


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """An address that is not moved, as the directory does not say whose it is."""

    address: str
    uids: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.address} could be {' or '.join(self.uids)}"


def owner(
    address: str, holders: Iterable[Holder], same_people: SamePeople
) -> Holder | Ambiguous | None:
    """Whose a canonic address is.

    The one whose `mail` it is; else the one who has or had it, in whatever state; else, in a
    legacy domain, the one who has or had the same local part in another one. Several of the
    same rank: ambiguous. None: nobody's.

    holders: at least everybody who has or had the address or one of its twins.
    """
    twins = set(same_people.twins(address))
    ranks: tuple[dict[str, Holder], ...] = ({}, {}, {})
    for holder in holders:
        if holder.mail == address:
            ranks[0][holder.uid] = holder
        elif address in holder.addresses:
            ranks[1][holder.uid] = holder
        elif twins & holder.addresses:
            ranks[2][holder.uid] = holder
    for rank in ranks:
        if len(rank) > 1:
            return Ambiguous(address, tuple(sorted(rank)))
        if rank:
            return next(iter(rank.values()))
    return None


@dataclass
class Held:
    """The addresses under which Sympa holds something.

    canonic: in their canonic form. odd: canonic form of those of which Sympa holds another
        spelling, which it does not find itself.
    """

    canonic: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)

    def add(self, address: str) -> None:
        """Add an address as a table has it."""
        form = canonic(address)
        self.canonic.add(form)
        if form != address:
            self.odd.add(form)


@dataclass
class Plan:
    """What a comparison of all found.

    moves: old address → login and new address. ambiguous: those that somebody should look at.
    people: how many were compared.
    """

    moves: dict[str, tuple[str, str]] = field(default_factory=dict)
    ambiguous: list[Ambiguous] = field(default_factory=list)
    people: int = 0

    @property
    def logins(self) -> list[str]:
        """Everybody who has to be looked at, each once."""
        concerned = {uid for uid, _ in self.moves.values()}
        return sorted(concerned.union(*(one.uids for one in self.ambiguous)))


def compare(held: Held, people: Iterable[Holder], same_people: SamePeople) -> Plan:
    """What differs between all that Sympa holds and all people.

    People are seen once, one by one; kept is only who claims an address that is held and is not
    theirs to be written to, which is next to nothing when there is nothing to move. `held` is
    used up.
    """
    plan = Plan()
    claims: dict[str, dict[str, Holder]] = {}
    for holder in people:
        plan.people += 1
        if holder.mail in held.canonic and holder.mail not in held.odd:
            # in its place, whoever else may have had it
            held.canonic.discard(holder.mail)
            claims.pop(holder.mail, None)
        for address in same_people.candidates(holder) & held.canonic:
            claims.setdefault(address, {})[holder.uid] = holder
    for address, holders in claims.items():
        whose = owner(address, holders.values(), same_people)
        if isinstance(whose, Ambiguous):
            if any(holders[uid].follows for uid in whose.uids):
                plan.ambiguous.append(whose)
        elif whose and whose.follows and (address != whose.mail or address in held.odd):
            plan.moves[address] = (whose.uid, whose.mail)
    return plan


def owned(
    addresses: Iterable[str],
    holder: Holder,
    others: Sequence[Holder],
    same_people: SamePeople,
) -> tuple[set[str], list[Ambiguous]]:
    """Which of these canonic addresses are the holder's, and which could be theirs.

    others: everybody who has or had one of the addresses or of their twins.
    """
    theirs: set[str] = set()
    unclear: list[Ambiguous] = []
    everybody: Mapping[str, Holder] = {one.uid: one for one in (*others, holder)}
    for address in sorted(set(addresses)):
        whose = owner(address, everybody.values(), same_people)
        if isinstance(whose, Ambiguous) and holder.uid in whose.uids:
            unclear.append(whose)
        elif whose is holder:
            theirs.add(address)
    return theirs, unclear
