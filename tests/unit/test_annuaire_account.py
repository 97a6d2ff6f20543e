"""What happens on one's own page, without HTTP; tests/integration has the real directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

import annuaire_app
from annuaire_account import PASSWORD, AccountDirectory
from annuaire_activation import Down, dn

annuaire_app.start()

from django.db import OperationalError  # noqa: E402

from ent.annuaire.account import consent, password, versions  # noqa: E402
from ent.annuaire.account.choices import (  # noqa: E402
    RECOVERY,
    RED_LIST,
    TELEPHONE_HIDDEN,
    ChangedMeanwhile,
    Choices,
    OutcomeUnknown,
    fingerprint,
    flag,
)
from ent.annuaire.account.config import AccountConfig  # noqa: E402
from ent.annuaire.account.forms import RecoveryForm  # noqa: E402
from ent.annuaire.account.password import PasswordChange  # noqa: E402
from ent.annuaire.account.person import Own, StateDates, find  # noqa: E402
from ent.annuaire.account.record import record, state_in_words  # noqa: E402
from ent.annuaire.activation.charter import Charter, CharterError  # noqa: E402
from ent.annuaire.limits.attempts import Limits, TooManyAttempts  # noqa: E402
from ent.annuaire.limits.config import LimitsConfig  # noqa: E402
from ent.annuaire.limits.models import Count  # noqa: E402
from ent.directory import (  # noqa: E402
    AccountLocked,
    AccountState,
    Conflict,
    DirectoryUnavailable,
    PasswordRefused,
    WriteUncertain,
    WrongPassword,
)
from lab import REPOSITORY  # noqa: E402

HOME = "192.0.2.7"
NEW = "nouveau-2027"
DOMAINS = ("univ-provence.fr", "up.univ-aix.fr")


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    with annuaire_app.public():
        yield
    Count.objects.all().delete()


@pytest.fixture
def directory() -> AccountDirectory:
    made = AccountDirectory()
    made.account()
    return made


@pytest.fixture
def choices(directory: AccountDirectory) -> Choices:
    return Choices(directory, patience=0.6)


def own(directory: AccountDirectory, uid: str = "jdurand") -> Own:
    found = find(directory, uid)
    assert found
    return found


def uncertain(_: int) -> None:
    raise WriteUncertain("no answer")


# Choices


def test_red_list_in_one_change(directory: AccountDirectory, choices: Choices) -> None:
    me = own(directory)
    seen = fingerprint(me, RED_LIST, TELEPHONE_HIDDEN)
    wanted = {RED_LIST: flag(True), TELEPHONE_HIDDEN: flag(False)}
    assert choices.change(me, wanted, seen)
    assert directory.values("jdurand", RED_LIST) == ["TRUE"]
    assert directory.values("jdurand", TELEPHONE_HIDDEN) == ["FALSE"]
    assert directory.writes == 1
    # the same form once more: nothing to do, no error
    assert not choices.change(own(directory), wanted, seen)
    assert directory.writes == 1


def test_the_old_value_is_in_the_change(directory: AccountDirectory, choices: Choices) -> None:
    directory.people["jdurand"][RECOVERY] = ["old@exemple.fr"]
    me = own(directory)
    choices.change(me, {RECOVERY: ("new@exemple.fr",)}, fingerprint(me, RECOVERY))
    [(where, changes)] = directory.modified
    assert where == dn("jdurand")
    assert [(one.operation.name, one.attribute, one.values) for one in changes] == [
        ("DELETE", RECOVERY, ("old@exemple.fr",)),
        ("ADD", RECOVERY, ("new@exemple.fr",)),
    ]


def test_removal(directory: AccountDirectory, choices: Choices) -> None:
    directory.people["jdurand"][RECOVERY] = ["one@exemple.fr", "two@exemple.fr"]
    me = own(directory)
    assert choices.change(me, {RECOVERY: ()}, fingerprint(me, RECOVERY))
    assert directory.values("jdurand", RECOVERY) == []


def test_changed_since_the_form_was_shown(directory: AccountDirectory, choices: Choices) -> None:
    seen = fingerprint(own(directory), RECOVERY)
    directory.people["jdurand"][RECOVERY] = ["helpdesk@exemple.fr"]
    with pytest.raises(ChangedMeanwhile):
        choices.change(own(directory), {RECOVERY: ("new@exemple.fr",)}, seen)
    assert directory.values("jdurand", RECOVERY) == ["helpdesk@exemple.fr"]
    assert directory.writes == 0


@pytest.mark.parametrize("before", [[], ["FALSE"]])
def test_changed_between_look_and_write(
    directory: AccountDirectory, choices: Choices, before: list[str]
) -> None:
    """slapd says "no such value" or, of an attribute that had none, "one value only"."""
    directory.people["jdurand"][RED_LIST] = list(before)
    directory.people["jdurand"][TELEPHONE_HIDDEN] = ["FALSE"]
    me = own(directory)

    def other_window(_: int) -> None:
        directory.people["jdurand"][RED_LIST] = ["TRUE"] if before else ["FALSE"]

    directory.before_write = other_window
    wanted = {RED_LIST: flag(True), TELEPHONE_HIDDEN: flag(True)}
    with pytest.raises(ChangedMeanwhile):
        choices.change(me, wanted, fingerprint(me, RED_LIST, TELEPHONE_HIDDEN))
    assert directory.values("jdurand", TELEPHONE_HIDDEN) == ["FALSE"]


def test_a_rule_that_refuses_is_not_somebody_else(
    directory: AccountDirectory, choices: Choices
) -> None:
    me = own(directory)
    with pytest.raises(Conflict):
        choices.change(me, {RECOVERY: ("refused@exemple.fr",)}, fingerprint(me, RECOVERY))


def test_no_answer_and_it_was_made(directory: AccountDirectory, choices: Choices) -> None:
    directory.after_write = uncertain
    me = own(directory)
    assert choices.change(me, {RECOVERY: ("a@exemple.fr",)}, fingerprint(me, RECOVERY))
    assert directory.writes == 1


def test_no_answer_and_it_was_not_made(directory: AccountDirectory, choices: Choices) -> None:
    directory.before_write = uncertain
    me = own(directory)
    with pytest.raises(DirectoryUnavailable):
        choices.change(me, {RECOVERY: ("a@exemple.fr",)}, fingerprint(me, RECOVERY))
    assert directory.writes == 1


def test_no_answer_and_then_silence(directory: AccountDirectory, choices: Choices) -> None:
    me = own(directory)

    def dies(_: int) -> None:
        directory.before_read = Down()
        raise WriteUncertain("no answer")

    directory.after_write = dies
    with pytest.raises(OutcomeUnknown):
        choices.change(me, {RECOVERY: ("a@exemple.fr",)}, fingerprint(me, RECOVERY))


def test_back_after_a_moment(directory: AccountDirectory, choices: Choices) -> None:
    me = own(directory)

    def dies(_: int) -> None:
        directory.before_read = Down(1)
        raise WriteUncertain("no answer")

    directory.after_write = dies
    assert choices.change(me, {RECOVERY: ("a@exemple.fr",)}, fingerprint(me, RECOVERY))


def test_down(directory: AccountDirectory, choices: Choices) -> None:
    me = own(directory)
    directory.before_write = Down()
    with pytest.raises(DirectoryUnavailable):
        choices.change(me, {RECOVERY: ("a@exemple.fr",)}, fingerprint(me, RECOVERY))
    assert directory.values("jdurand", RECOVERY) == []


def test_fingerprints(directory: AccountDirectory) -> None:
    me = own(directory)
    seen = fingerprint(me, RED_LIST, TELEPHONE_HIDDEN)
    assert seen == fingerprint(me, TELEPHONE_HIDDEN, RED_LIST)
    directory.people["jdurand"][RED_LIST] = ["FALSE"]
    assert fingerprint(own(directory), RED_LIST, TELEPHONE_HIDDEN) != seen


# The personal address


@pytest.mark.parametrize(
    "address",
    [
        "jeanne.durand@exemple.fr",
        "Jeanne+ent@mail.exemple.co.uk",
        "o'hara@exemple.fr",
        "a@univ-provence.fr.exemple.net",
        "a@notuniv-provence.fr",
    ],
)
def test_personal_addresses(address: str) -> None:
    form = RecoveryForm({"address": address, "confirmation": address}, own_domains=DOMAINS)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["address"] == address


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "Indiquez une adresse"),
        ("jeanne", "Ce n’est pas une adresse"),
        ("jeanne@exemple", "Ce n’est pas une adresse"),
        ("jeanne@localhost", "Ce n’est pas une adresse"),
        ("jeanne@[192.0.2.1]", "Ce n’est pas une adresse"),
        ('"jeanne durand"@exemple.fr', "Ce n’est pas une adresse"),
        ("a@b@exemple.fr", "Ce n’est pas une adresse"),
        ("a@exemple.fr\nBcc: b@exemple.fr", "Ce n’est pas une adresse"),
        ("a@exemple.fr, b@exemple.fr", "Ce n’est pas une adresse"),
        ("jeanne@exémple.fr", "sans accents"),
        ("jeanne\u202e@exemple.fr", "sans accents"),
        ("jeanne@univ-provence.fr", "@univ-provence.fr est une adresse de l’université"),
        ("jeanne@UNIV-Provence.FR", "est une adresse de l’université"),
        ("jeanne@listes.univ-provence.fr", "est une adresse de l’université"),
        ("jeanne.durand@up.univ-aix.fr", "est une adresse de l’université"),
        ("a" * 300 + "@exemple.fr", "trop longue"),
    ],
)
def test_no_personal_addresses(address: str, said: str) -> None:
    form = RecoveryForm({"address": address, "confirmation": address}, own_domains=DOMAINS)
    assert not form.is_valid()
    assert said in " ".join(form.errors["address"])


def test_typed_twice() -> None:
    typed = {"address": "a@exemple.fr", "confirmation": "b@exemple.fr"}
    form = RecoveryForm(typed, own_domains=DOMAINS)
    assert "différentes" in " ".join(form.errors["confirmation"])
    assert RecoveryForm(typed | {"confirmation": "A@exemple.fr"}, own_domains=DOMAINS).is_valid()


# Password


@pytest.fixture
def change(directory: AccountDirectory) -> PasswordChange:
    return PasswordChange(directory, Limits(LimitsConfig()), patience=0.6)


def failures() -> int:
    return sum(one.failures for one in Count.objects.filter(task="password"))


def test_password(directory: AccountDirectory, change: PasswordChange) -> None:
    change.make(own(directory), PASSWORD, NEW, HOME)
    assert directory.passwords["jdurand"] == NEW
    assert failures() == 0


def test_a_wrong_password_is_counted_and_delays(
    directory: AccountDirectory, change: PasswordChange
) -> None:
    for _ in range(4):
        with pytest.raises(WrongPassword):
            change.make(own(directory), "wrong", NEW, HOME)
    assert failures() == 4
    # now not even the right one is tried
    with pytest.raises(TooManyAttempts) as caught:
        change.make(own(directory), PASSWORD, NEW, HOME)
    assert caught.value.wait
    assert directory.passwords["jdurand"] == PASSWORD
    assert directory.failures == 4


def test_guessing_here_does_not_lock_the_mailbox(directory: AccountDirectory) -> None:
    """Within slapd's 15 minutes fewer wrong ones get through than lock (ent_lockout_failures)."""
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    end = now.timestamp() + 900
    limits = Limits(LimitsConfig(), lambda: now)
    while now.timestamp() < end:
        with pytest.raises((WrongPassword, TooManyAttempts)) as caught:
            PasswordChange(directory, limits).make(own(directory), "wrong", NEW, HOME)
        if isinstance(caught.value, TooManyAttempts):
            assert caught.value.wait
            now = datetime.fromtimestamp(now.timestamp() + caught.value.wait, UTC)
    assert directory.failures < directory.lock_after - 1


def test_a_right_password_forgets_the_failures(
    directory: AccountDirectory, change: PasswordChange
) -> None:
    with pytest.raises(WrongPassword):
        change.make(own(directory), "wrong", NEW, HOME)
    with pytest.raises(PasswordRefused):
        change.make(own(directory), PASSWORD, "refused-1", HOME)
    assert failures() == 0


def test_the_directorys_lock_is_no_failure_of_this_try(
    directory: AccountDirectory, change: PasswordChange
) -> None:
    directory.locked = True
    with pytest.raises(AccountLocked):
        change.make(own(directory), PASSWORD, NEW, HOME)
    assert failures() == 0


def test_down_is_no_failure(directory: AccountDirectory, change: PasswordChange) -> None:
    me = own(directory)
    directory.before_read = Down()
    with pytest.raises(DirectoryUnavailable):
        change.make(me, PASSWORD, NEW, HOME)
    assert failures() == 0


def test_no_answer_and_the_password_is_new(
    directory: AccountDirectory, change: PasswordChange
) -> None:
    directory.after_write = uncertain
    change.make(own(directory), PASSWORD, NEW, HOME)
    assert failures() == 0


def test_no_answer_and_the_password_is_old(
    directory: AccountDirectory, change: PasswordChange
) -> None:
    directory.before_write = uncertain
    with pytest.raises(DirectoryUnavailable):
        change.make(own(directory), PASSWORD, NEW, HOME)
    assert directory.passwords["jdurand"] == PASSWORD


def test_no_answer_at_all(directory: AccountDirectory, change: PasswordChange) -> None:
    def dies(_: int) -> None:
        directory.before_read = Down()
        raise WriteUncertain("no answer")

    directory.after_write = dies
    with pytest.raises(password.OutcomeUnknown):
        change.make(own(directory), PASSWORD, NEW, HOME)


def test_what_cannot_be_counted_is_not_tried(
    directory: AccountDirectory, change: PasswordChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("down")

    monkeypatch.setattr(Limits, "begin", broken)
    with pytest.raises(OperationalError):
        change.make(own(directory), PASSWORD, NEW, HOME)
    assert directory.passwords["jdurand"] == PASSWORD


# What the page says


def lines(directory: AccountDirectory, uid: str = "jdurand") -> dict[str, tuple[str, ...]]:
    return {
        str(line.label): line.values
        for section in record(own(directory, uid), directory)
        for line in section.lines
    }


def test_in_words(directory: AccountDirectory) -> None:
    directory.account(
        "mblanc",
        supannCivilite="Mme",
        supannOIDCGenre="female",
        supannEntiteAffectation=["DSI", "INCONNUE"],
        supannEmpCorps="{NCORPS}301",
        supannEmpProfil="[etab={UAI}0131842G][affil=staff][corps={NCORPS}301][affect=DSI]",
        supannEmpDateFin="20271231000000Z",
        supannRessourceEtatDate="{COMPTE}A:SupannActif:20260901:",
        postalAddress="Université de Provence$3 place Victor-Hugo$13003 Marseille \\24",
        supannParrainDN="uid=jmartin,ou=people,dc=univ-provence,dc=fr",
    )
    directory.people["mblanc"]["supannAutreMail"] += ["m.blanc@up.univ-aix.fr"]
    said = lines(directory, "mblanc")
    assert said["Structure principale"] == ("Direction des systèmes d’information",)
    assert said["Autres structures"] == ("INCONNUE",)
    assert said["Corps"] == ("301 (NCORPS)",)
    assert said["Situation"] == (
        "établissement\u00a0: 0131842G (UAI), population\u00a0: Personnel administratif, technique"
        " ou des bibliothèques, corps\u00a0: 301 (NCORPS), structure\u00a0: Direction des systèmes"
        " d’information",
    )
    assert said["Dernier jour connu"] == ("31 décembre 2027",)
    assert said["Sexe à l’état civil"] == ("Féminin",)
    assert said["État du compte"] == ("Actif",)
    assert said["Dans cet état depuis le"] == ("1 septembre 2026",)
    assert said["Adresse professionnelle"] == (
        "Université de Provence, 3 place Victor-Hugo, 13003 Marseille $",
    )
    assert said["Personne référente"] == ("jmartin",)
    assert said["Anciennes et autres adresses"] == ("m.blanc@up.univ-aix.fr",)
    assert said["Qualité"][0] == "Personnel administratif, technique ou des bibliothèques"
    assert "Bureau" not in said


def test_grace(directory: AccountDirectory) -> None:
    directory.account("mblanc", supannRessourceEtatDate="{COMPTE}A:SupannSursis:20260901:20261130")
    directory.people["mblanc"]["supannRessourceEtat"] = [AccountState.GRACE.value]
    me = own(directory, "mblanc")
    assert me.state_dates == StateDates(date(2026, 9, 1), date(2026, 11, 30))
    assert state_in_words(me).endswith("jusqu’au 30 novembre 2026 inclus")


@pytest.mark.parametrize(
    "dated", ["{COMPTE}I:SupannPrecree:20260901:", "{COMPTE}A:SupannActif:hier:demain", "x"]
)
def test_dates_that_say_nothing(directory: AccountDirectory, dated: str) -> None:
    directory.account("mblanc", supannRessourceEtatDate=dated)
    assert own(directory, "mblanc").state_dates == StateDates(None, None)


def test_structures_unnamed_while_the_directory_is_away(directory: AccountDirectory) -> None:
    me = own(directory)
    directory.before_read = Down()
    [line] = [
        line
        for section in record(me, directory)
        for line in section.lines
        if line.label == "Structure principale"
    ]
    assert line.values == ("DSI",)


# The same in another form; and numbers of other applications, which may be the Harpège code.
NOT_SHOWN = {
    *("eduPersonOrgDN", "eduPersonOrgUnitDN", "eduPersonPrimaryOrgUnitDN"),
    *("supannRefId", "objectClass", "structuralObjectClass", "entry"),
}


def test_everything_that_may_be_read_is_read() -> None:
    """The table of access decides what the directory tells this page; the page hides nothing."""
    table = yaml.safe_load((REPOSITORY / "roles/openldap/files/acl.yml").read_text())
    readable = {
        attribute
        for row in table["rows"]
        if row["region"] == "people" and row["rights"].get("annuaire-account") not in (None, "none")
        for attribute in table["sets"][row["set"]]
    }
    assert readable - NOT_SHOWN == set(Own.ATTRIBUTES)
    assert readable.isdisjoint(table["sets"]["proofs"])


def test_everything_that_is_read_is_said(directory: AccountDirectory) -> None:
    """Each attribute alone brings a line, but those that the page itself shows elsewhere."""
    elsewhere = {
        *("supannConsentement", "supannListeRouge", "entTelephoneHidden", "supannMailPerso"),
        *("cn", "supannRessourceEtatDate", "supannRessourceEtat"),
    }
    for attribute in set(Own.ATTRIBUTES) - elsewhere:
        entry = own(directory).entry
        bare = Own("x", "x", "x", None, replace(entry, attributes={attribute.lower(): (b"wert",)}))
        [section] = record(bare, directory)
        assert len(section.lines) == 1, attribute


# The charter

OLD = Charter(
    "2025-1",
    "Charte",
    "<h2>Article 1</h2><p>Le mot de passe est <strong>personnel</strong> et ne se prête pas.</p>"
    "<h2>Article 2</h2><ul><li>Rien n’est imprimé.</li><li>Tout est &lt;lu&gt;.</li></ul>",
)
PRESENT = Charter(
    "2026-1",
    "Charte",
    "<h2>Article 1</h2><p>Le mot de passe est <strong>personnel</strong> et ne se donne pas.</p>"
    "<h2>Article 2</h2><ul><li>Tout est &lt;lu&gt;.</li></ul><h2>Article 3</h2><p>Nouveau.</p>",
)


def test_differences() -> None:
    found = versions.differences(OLD, PRESENT)
    assert [(one.heading, one.kind) for one in found] == [
        ("Article 1", "reworded"),
        ("Article 2", "removed"),
        ("Article 3", "added"),
        ("Article 3", "added"),
    ]
    assert [(one.kind, one.text.strip()) for one in found[0].pieces] == [
        ("kept", "Le mot de passe est personnel et ne se"),
        ("removed", "prête"),
        ("added", "donne"),
        ("kept", "pas."),
    ]
    assert found[1].pieces[0].text == "Rien n’est imprimé."
    assert versions.differences(PRESENT, PRESENT) == []


def test_due_and_accepted(directory: AccountDirectory, choices: Choices) -> None:
    now = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    later = replace(PRESENT, version="2027-1")
    assert not consent.is_due(own(directory), PRESENT)
    assert consent.is_due(own(directory), later)
    assert consent.accept(choices, own(directory), later, now)
    assert directory.values("jdurand", "supannConsentement") == [
        "{CHARTE}2026-1:20261123083000Z",
        "{CHARTE}2027-1:20261124093000Z",
    ]
    assert not consent.is_due(own(directory), later)
    assert not consent.accept(choices, own(directory), later, now)
    assert [one.version for one in consent.acceptances(own(directory))] == ["2026-1", "2027-1"]


def test_an_acceptance_without_answer(directory: AccountDirectory, choices: Choices) -> None:
    later = replace(PRESENT, version="2027-1")
    directory.after_write = uncertain
    assert consent.accept(choices, own(directory), later, datetime.now(UTC))
    directory.after_write = lambda _: None
    directory.before_write = uncertain
    newest = replace(PRESENT, version="2028-1")
    with pytest.raises(DirectoryUnavailable):
        consent.accept(choices, own(directory), newest, datetime.now(UTC))


def test_what_changed_since(directory: AccountDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "earlier_charters", lambda: {"2025-1": OLD})
    directory.people["jdurand"]["supannConsentement"] = [
        "{CHARTE}2024-1:20241123083000Z",
        "{CHARTE}2025-1:20251123083000Z",
        "{AUTRE}x",
    ]
    since = consent.changes_since(own(directory), PRESENT)
    assert since
    assert since[0] == "2025-1"
    assert len(since[1]) == 4
    directory.people["jdurand"]["supannConsentement"] = ["{CHARTE}2024-1:20241123083000Z"]
    assert consent.changes_since(own(directory), PRESENT) is None


def test_put_off() -> None:
    session: dict[str, Any] = {}
    assert not consent.is_put_off(session, PRESENT)
    consent.put_off(session, PRESENT)
    assert consent.is_put_off(session, PRESENT)
    assert not consent.is_put_off(session, OLD)


# Settings


def test_config(tmp_path: Path) -> None:
    old = tmp_path / "2025.md"
    old.write_text("---\nversion: 2025-1\ntitle: Charte\n---\nTexte.\n")
    AccountConfig(earlier_charters=(str(old),))
    with pytest.raises(ValueError, match="both version 2025-1"):
        AccountConfig(earlier_charters=(str(old), str(old)))
    with pytest.raises(CharterError):
        AccountConfig(earlier_charters=(str(tmp_path / "none.md"),))
    with pytest.raises(ValueError, match="lockout_seconds is -1"):
        AccountConfig(lockout_seconds=-1)
