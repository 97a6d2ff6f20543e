"""What staff and auditors read: causes, actions, outcomes, in words."""

from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ent.annuaire.helpdesk.diagnosis import Cause, Finding
from ent.annuaire.helpdesk.moves import Move
from ent.annuaire.helpdesk.trail import Action, Outcome
from ent.annuaire.helpdesk.unlocking import Where
from ent.annuaire.limits.attempts import ACTIVATION, CODE, PASSWORD
from ent.directory import AccountState

ACTIONS: dict[str, Promise] = {
    Action.ACCESS: gettext_lazy("Accès à l’assistance"),
    Action.SEARCH: gettext_lazy("Recherche"),
    Action.VIEW: gettext_lazy("Consultation d’un compte"),
    Action.VERIFY: gettext_lazy("Vérification d’identité"),
    Action.ISSUE: gettext_lazy("Remise d’un code"),
    Action.UNLOCK: gettext_lazy("Levée d’un blocage"),
    Action.REDEEM: gettext_lazy("Choix d’un mot de passe avec un code"),
    Action.READ: gettext_lazy("Lecture du journal"),
    Action.EXPORT: gettext_lazy("Export du journal"),
    Action.CHECK: gettext_lazy("Contrôle du journal"),
    Action.EXPIRE: gettext_lazy("Suppression des lignes anciennes"),
}
OUTCOMES: dict[str, Promise] = {
    Outcome.BEGUN: gettext_lazy("Commencé"),
    Outcome.DONE: gettext_lazy("Fait"),
    Outcome.REFUSED: gettext_lazy("Refusé"),
    Outcome.FAILED: gettext_lazy("Échec"),
    Outcome.UNCERTAIN: gettext_lazy("Incertain"),
}
# The words of a line's detail; what follows a colon is shown after them.
DETAILS: dict[str, Promise] = {
    "again": gettext_lazy("formulaire envoyé deux fois"),
    "broken": gettext_lazy("rompu à la ligne"),
    "directory": gettext_lazy("annuaire"),
    "error": gettext_lazy("erreur"),
    "expired": gettext_lazy("code expiré"),
    "found": gettext_lazy("personnes affichées"),
    "group": gettext_lazy("pas membre du groupe"),
    "limit": gettext_lazy("trop d’essais"),
    "minutes": gettext_lazy("durée en minutes"),
    "no-code": gettext_lazy("aucun code"),
    "not-spent": gettext_lazy("code non marqué comme utilisé"),
    "not-verified": gettext_lazy("appelant non vérifié"),
    "proofs": gettext_lazy("code Harpège et date de naissance"),
    "replaced": gettext_lazy("code remplacé"),
    "rule": gettext_lazy("mot de passe refusé par l’annuaire"),
    "sign-on": gettext_lazy("service de connexion"),
    "attempts": gettext_lazy("formulaires de l’annuaire"),
    "state": gettext_lazy("compte fermé ou pas encore activé"),
    "tries": gettext_lazy("trop d’essais de ce code"),
    "until": gettext_lazy("jusqu’à la ligne"),
    "used": gettext_lazy("code déjà utilisé"),
    "whole": gettext_lazy("intact jusqu’à la ligne"),
    "wrong-code": gettext_lazy("code faux"),
}
_VALUES: dict[str, Promise] = {
    "right": gettext_lazy("exacts"),
    "wrong": gettext_lazy("inexacts"),
    "agent": gettext_lazy("de cet agent"),
    "person": gettext_lazy("pour cette personne"),
}
_TASKS: dict[str, Promise] = {
    ACTIVATION: gettext_lazy("Activation du compte bloquée"),
    PASSWORD: gettext_lazy("Changement de mot de passe bloqué"),
    CODE: gettext_lazy("Saisie du code de l’assistance bloquée"),
}
PLACES: dict[Where, Promise] = {
    Where.DIRECTORY: gettext_lazy("Verrouillage de l’annuaire"),
    Where.SIGN_ON: gettext_lazy("Ralentissement de la page de connexion"),
    Where.ATTEMPTS: gettext_lazy("Limites des formulaires de l’annuaire"),
}


STATES: dict[AccountState | None, Promise] = {
    AccountState.PRE_CREATED: gettext_lazy("pas encore activé"),
    AccountState.ACTIVE: gettext_lazy("actif"),
    AccountState.GRACE: gettext_lazy("délai de grâce"),
    AccountState.SUSPENDED: gettext_lazy("suspendu par l’administration"),
    AccountState.DEPARTED: gettext_lazy("suspendu après un départ"),
    AccountState.EXPIRED: gettext_lazy("expiré"),
    None: gettext_lazy("état inconnu"),
}


# What the worker that moves subscriptions writes down (docs/listmove.md).
ROLES: dict[str, Promise] = {
    "subscriber": gettext_lazy("Abonnement"),
    "owner": gettext_lazy("Propriétaire"),
    "editor": gettext_lazy("Modération"),
}
MOVES: dict[str, Promise] = {
    "moved": gettext_lazy("Passé à la nouvelle adresse."),
    "merged": gettext_lazy("Réuni avec ce que la nouvelle adresse avait déjà."),
    "failed": gettext_lazy("Pas passé."),
    "failed:included": gettext_lazy(
        "Pas passé : l’ancienne adresse vient d’une source de la liste, à corriger par ses"
        " propriétaires."
    ),
    "failed:closed": gettext_lazy("Pas passé : la liste est fermée."),
    "failed:ambiguous": gettext_lazy(
        "Pas passé : l’annuaire ne dit pas à qui est l’ancienne adresse. Signalez-le à l’équipe qui"
        " administre l’annuaire."
    ),
    "failed:refused": gettext_lazy(
        "Pas encore passé : le serveur de listes a refusé. Un nouvel essai suivra."
    ),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A finding in words: what it is, why, and what to tell the caller."""

    title: str
    reason: str
    advice: str
    blocking: bool


def state(value: AccountState | None) -> str:
    """The state of an account in a word or two."""
    return str(STATES[value])


def action(name: str) -> Promise | str:
    """An action in words."""
    return ACTIONS.get(name, name)


def outcome(name: str) -> Promise | str:
    """An outcome in words."""
    return OUTCOMES.get(name, name)


def detail(text: str) -> str:
    """A line's detail in words; an unknown one as it is."""
    word, _colon, value = text.partition(":")
    if word not in DETAILS:
        return text
    if not value:
        return str(DETAILS[word])
    if word in ("limit", "proofs"):
        return f"{DETAILS[word]} {_VALUES.get(value, value)}"
    return _("%(what)s : %(value)s") % {"what": DETAILS[word], "value": value.partition(":")[0]}


def role(name: str) -> Promise | str:
    """A person's role in a mailing list, in a word; an unknown one as it is."""
    return ROLES.get(name, name)


def became(move: Move) -> Promise | str:
    """What became of a subscription under an old address; an unknown outcome as it is."""
    key = f"{move.outcome}:{move.reason}" if move.reason else move.outcome
    return MOVES.get(key) or MOVES.get(move.outcome) or key


def columns() -> tuple[str, ...]:
    """Headings of the exported table."""
    return (
        _("Ligne"),
        _("Date et heure"),
        _("Agent"),
        _("Adresse réseau"),
        _("Action"),
        _("Personne"),
        _("Résultat"),
        _("Précision"),
        _("Opération"),
        _("Empreinte"),
    )


def day(value: date | datetime | None) -> str:
    """A day, or an instant, as people write it here; "" for None."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = timezone.localtime(value)
        return _("%(day)s à %(time)s") % {
            "day": date_format(local, "DATE_FORMAT"),
            "time": date_format(local, "H:i"),
        }
    return date_format(value, "DATE_FORMAT")


def explain(finding: Finding) -> Explanation:
    """What staff read about a finding."""
    if finding.cause in _STATES:
        return _STATES[finding.cause](finding)
    if finding.cause is Cause.ATTEMPTS:
        return _attempts(finding)
    return _LOCKS[finding.cause](finding)


def _since(finding: Finding) -> str:
    if finding.since is None:
        return _("Date inconnue.")
    return _("Depuis le %(day)s.") % {"day": day(finding.since)}


def _not_activated(finding: Finding) -> Explanation:
    return Explanation(
        _("Compte pas encore activé"),
        _("La personne est dans l’annuaire, mais n’a pas encore activé son compte.")
        + " "
        + _since(finding),
        _(
            "Invitez-la à chercher son nom sur l’annuaire, puis à cliquer sur « activer mon"
            " compte » : elle y choisit elle-même son mot de passe. Aucun code n’est nécessaire."
        ),
        blocking=True,
    )


def _suspended(finding: Finding) -> Explanation:
    return Explanation(
        _("Compte suspendu par l’administration"),
        _("L’administration de l’université a suspendu ce compte.") + " " + _since(finding),
        _(
            "Vous ne pouvez pas le rouvrir. Orientez la personne vers le service qui a demandé la"
            " suspension. Son courrier continue d’arriver."
        ),
        blocking=True,
    )


def _departed(finding: Finding) -> Explanation:
    return Explanation(
        _("Compte suspendu après un départ"),
        _("Harpège indique que la personne a quitté l’université ; le délai de grâce est passé.")
        + " "
        + _since(finding),
        _(
            "Si elle travaille toujours à l’université, la division du personnel doit mettre son"
            " dossier à jour ; le compte rouvre le lendemain de la saisie."
        ),
        blocking=True,
    )


def _expired(finding: Finding) -> Explanation:
    return Explanation(
        _("Compte expiré"),
        _("La personne a quitté l’université et son compte est fermé.") + " " + _since(finding),
        _(
            "Si elle revient, son compte sera à activer de nouveau le lendemain de la saisie de son"
            " dossier par la division du personnel."
        ),
        blocking=True,
    )


def _unknown(finding: Finding) -> Explanation:
    return Explanation(
        _("État du compte inconnu"),
        _("L’annuaire ne donne pour ce compte aucun état connu : il ne peut pas se connecter."),
        _("Signalez-le à l’équipe qui administre l’annuaire, en donnant l’identifiant."),
        blocking=True,
    )


def _grace(finding: Finding) -> Explanation:
    until = (
        _("Le compte fonctionne jusqu’au %(day)s.") % {"day": day(finding.until)}
        if finding.until
        else _("Le compte fonctionne encore ; la date de fermeture n’est pas connue.")
    )
    return Explanation(
        _("Départ enregistré : délai de grâce"),
        until,
        _(
            "La personne peut se connecter. Si elle ne part pas, la division du personnel doit"
            " mettre son dossier à jour avant cette date."
        ),
        blocking=False,
    )


def _nothing(finding: Finding) -> Explanation:
    return Explanation(
        _("Rien n’empêche la connexion"),
        _("Le compte est actif et n’est pas bloqué.")
        + (f" {_since(finding)}" if finding.since else ""),
        _(
            "Faites vérifier l’identifiant, le verrouillage des majuscules et l’adresse du site. Si"
            " le mot de passe est oublié, vérifiez l’identité de la personne puis donnez-lui un"
            " code."
        ),
        blocking=False,
    )


def _directory_lock(finding: Finding) -> Explanation:
    until = (
        _("Le verrouillage prend fin de lui-même le %(day)s.") % {"day": day(finding.until)}
        if finding.until
        else _("Il ne prend pas fin de lui-même.")
    )
    return Explanation(
        _("Compte verrouillé par des mots de passe faux"),
        _("Trop de mots de passe faux ont été essayés.") + " " + until,
        _(
            "Demandez si un téléphone ou un logiciel de messagerie garde un ancien mot de passe :"
            " il verrouillerait le compte de nouveau. Vous pouvez lever le verrouillage."
        ),
        blocking=True,
    )


def _administrator_lock(finding: Finding) -> Explanation:
    return Explanation(
        _("Compte verrouillé par l’administrateur de l’annuaire"),
        _("Ce verrouillage a été posé à la main et ne prend pas fin de lui-même."),
        _("Vous ne pouvez pas le lever : adressez-vous à l’équipe qui administre l’annuaire."),
        blocking=True,
    )


def _sign_on_closed(finding: Finding) -> Explanation:
    return Explanation(
        _("Page de connexion ralentie"),
        _("Essais faux récents sur la page de connexion : %(count)d.") % {"count": finding.count}
        + " "
        + _("Elle n’accepte plus cet identifiant jusqu’au %(day)s.") % {"day": day(finding.until)},
        _("La personne peut attendre, ou vous pouvez lever le blocage."),
        blocking=True,
    )


def _sign_on_unknown(finding: Finding) -> Explanation:
    return Explanation(
        _("Page de connexion : pas de réponse"),
        _("Le service de connexion n’a pas dit s’il bloque cet identifiant."),
        _("Si la personne voit « Connexion suspendue quelques minutes », qu’elle attende un peu."),
        blocking=False,
    )


def _attempts(finding: Finding) -> Explanation:
    reason = _("Essais faux : %(count)d.") % {"count": finding.count}
    end = (
        _("De nouveaux essais sont possibles à partir du %(day)s.") % {"day": day(finding.until)}
        if finding.until
        else _("Le blocage ne prend pas fin de lui-même.")
    )
    return Explanation(
        str(_TASKS.get(finding.task, finding.task)),
        f"{reason} {end}",
        _(
            "Demandez à la personne ce qu’elle a saisi (code Harpège, date de naissance) avant de"
            " lever le blocage."
        )
        if finding.task == ACTIVATION
        else _("Vous pouvez lever le blocage."),
        # an activated person signs in all the same
        blocking=finding.task == ACTIVATION,
    )


_STATES = {
    Cause.NOT_ACTIVATED: _not_activated,
    Cause.SUSPENDED: _suspended,
    Cause.DEPARTED: _departed,
    Cause.EXPIRED: _expired,
    Cause.UNKNOWN_STATE: _unknown,
    Cause.GRACE: _grace,
    Cause.NOTHING: _nothing,
}
_LOCKS = {
    Cause.DIRECTORY_LOCK: _directory_lock,
    Cause.ADMINISTRATOR_LOCK: _administrator_lock,
    Cause.SIGN_ON_CLOSED: _sign_on_closed,
    Cause.SIGN_ON_UNKNOWN: _sign_on_unknown,
}
