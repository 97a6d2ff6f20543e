"""Pages of the own page that say one thing: what happened, and what to do now."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from ent.annuaire.activation.messages import in_words
from ent.annuaire.limits.attempts import TooManyAttempts
from ent.directory import AccountState
from ent.web.pages import Action, message


def closed(request: HttpRequest, state: AccountState | None) -> HttpResponse:
    """The account was closed while the session was open; the session is over."""
    reasons: dict[AccountState | None, str] = {
        AccountState.SUSPENDED: _("Votre compte a été suspendu par l’administration."),
        AccountState.DEPARTED: _(
            "Votre compte a été suspendu après la fin de votre contrat ou de votre affectation."
        ),
        AccountState.EXPIRED: _("Votre compte a expiré après votre départ de l’université."),
        AccountState.PRE_CREATED: _(
            "Votre compte doit être activé de nouveau, à partir de votre fiche dans l’annuaire."
        ),
    }
    return message(
        request,
        403,
        _("Votre session est terminée"),
        reasons.get(state, _("Votre compte n’est plus actif.")),
        _("Rien de ce que vous veniez d’envoyer n’a été enregistré."),
        _("Si vous pensez que c’est une erreur, appelez l’assistance au %(phone)s.")
        % {"phone": settings.ENT_SITE.support_phone},
        actions=(Action(_("Aller à l’annuaire public"), reverse("home")),),
    )


def directory_down(request: HttpRequest) -> HttpResponse:
    """The directory does not answer; nothing was changed."""
    return message(
        request,
        503,
        _("Page momentanément indisponible"),
        _("L’annuaire de l’université ne répond pas pour l’instant."),
        _("Rien n’a été modifié. Réessayez dans quelques minutes."),
        actions=(Action(_("Réessayer"), request.path),),
    )


def outcome_unknown(request: HttpRequest) -> HttpResponse:
    """The directory stopped answering in the middle of a change."""
    return message(
        request,
        503,
        _("Modification peut-être enregistrée"),
        _("L’annuaire de l’université a cessé de répondre au moment de l’enregistrement."),
        _(
            "Dans quelques minutes, cliquez sur « Vérifier » : la page montrera ce qui est"
            " enregistré."
            " Recommencez seulement si votre modification n’y est pas."
        ),
        actions=(Action(_("Vérifier"), request.path),),
    )


def password_unknown(request: HttpRequest) -> HttpResponse:
    """The directory stopped answering in the middle of a change of password."""
    return message(
        request,
        503,
        _("Mot de passe peut-être changé"),
        _("L’annuaire de l’université a cessé de répondre au moment du changement."),
        _(
            "Gardez les deux mots de passe. Dans quelques minutes, revenez à cette page et"
            " donnez le"
            " nouveau comme mot de passe actuel, ou connectez-vous à un service : celui des"
            " deux qui"
            " est accepté est le vôtre."
        ),
        _("Si aucun des deux n’est accepté, appelez l’assistance au %(phone)s.")
        % {"phone": settings.ENT_SITE.support_phone},
        actions=(Action(_("Revenir au changement de mot de passe"), reverse("account:password")),),
    )


def password_changed(request: HttpRequest) -> HttpResponse:
    """The password was changed, and the session could not be renewed."""
    return message(
        request,
        200,
        _("Votre mot de passe est changé"),
        _("Servez-vous dès maintenant du nouveau, partout où vous vous connectez."),
        _(
            "Une partie du service ne répond pas : vos autres connexions à cette page n’ont pas"
            " pu être"
            " fermées. Elles prendront fin d’elles-mêmes."
        ),
        actions=(Action(_("Revenir à mon compte"), reverse("account:home")),),
    )


def password_locked(request: HttpRequest) -> HttpResponse:
    """The directory tries no password of this account: too many wrong ones, here or elsewhere."""
    seconds = settings.ANNUAIRE.account.lockout_seconds
    if seconds:
        wait = _(
            "Le verrouillage prend fin de lui-même, au plus tard dans %(delay)s. Réessayez ensuite."
        ) % {"delay": in_words(seconds)}
    else:
        wait = _("Seule l’assistance peut lever le verrouillage.")
    return message(
        request,
        429,
        _("Compte verrouillé"),
        _(
            "Trop de mots de passe faux ont été essayés pour votre compte, ici ou ailleurs : un"
            " téléphone"
            " ou un logiciel de messagerie qui a gardé un ancien mot de passe en est souvent la"
            " cause."
        ),
        _("Votre mot de passe n’a pas été changé."),
        wait,
        _("Si c’est urgent, ou si ce n’était pas vous, appelez l’assistance au %(phone)s.")
        % {"phone": settings.ENT_SITE.support_phone},
        actions=(Action(_("Revenir à mon compte"), reverse("account:home")),),
    )


def wait(request: HttpRequest, refusal: TooManyAttempts) -> HttpResponse:
    """Too many wrong present passwords: later, or after the help desk has lifted the lock."""
    back = (Action(_("Revenir à mon compte"), reverse("account:home")),)
    if refusal.wait is None:
        return message(
            request,
            429,
            _("Changement de mot de passe bloqué"),
            _("Trop de mots de passe actuels faux ont été donnés ici."),
            _(
                "Appelez l’assistance au %(phone)s : elle vérifiera votre identité et lèvera le"
                " blocage,"
                " ou vous aidera à choisir un nouveau mot de passe si vous avez oublié l’ancien."
            )
            % {"phone": settings.ENT_SITE.support_phone},
            actions=back,
        )
    response = message(
        request,
        429,
        _("Patientez avant de réessayer"),
        _(
            "Plusieurs mots de passe actuels faux ont été donnés. Votre mot de passe n’a pas"
            " changé."
        ),
        _("Vous pourrez réessayer dans %(delay)s.") % {"delay": in_words(refusal.wait)},
        _("Si vous avez oublié votre mot de passe, appelez l’assistance au %(phone)s.")
        % {"phone": settings.ENT_SITE.support_phone},
        actions=back,
    )
    response["Retry-After"] = str(refusal.wait)
    return response
