"""Pages of the activation that say one thing: what happened, and what to do now."""

import math

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from ent.annuaire.limits.attempts import TooManyAttempts
from ent.directory import AccountState
from ent.web.pages import Action, message

_SECONDS_AT_MOST = 90


def nobody(request: HttpRequest) -> HttpResponse:
    """The address names nobody (any more)."""
    return message(
        request,
        404,
        _("Personne introuvable"),
        _("Cette adresse ne mène, ou ne mène plus, à personne de l’annuaire."),
        _("Recherchez votre nom, puis repartez de votre fiche."),
        actions=(Action(_("Rechercher mon nom"), reverse("home")),),
    )


def not_offered(request: HttpRequest, state: AccountState | None) -> HttpResponse:
    """The account is in another state than "to be activated"."""
    if state is not None and state.may_sign_in:
        return message(
            request,
            409,
            _("Ce compte est déjà activé"),
            _(
                "Connectez-vous à l’ENT avec votre identifiant et le mot de passe"
                " que vous avez choisi."
            ),
            _(
                "Si vous n’avez pas activé ce compte vous-même, ou si vous avez oublié"
                " le mot de passe, appelez l’assistance au %(phone)s."
            )
            % {"phone": settings.ENT_SITE.support_phone},
            actions=(
                Action(_("Aller à l’ENT"), settings.ANNUAIRE.activation.portal_url),
                # of the other process: see urls_helpdesk
                Action(_("Mot de passe oublié ?"), "/assistance/"),
            ),
        )
    return message(
        request,
        409,
        _("Ce compte ne peut pas être activé"),
        _("Rien n’a été activé."),
        _("Un compte s’active tant que le contrat ou l’affectation est en cours."),
        _(
            "Si vous travaillez à l’université, adressez-vous à la division du personnel,"
            " au %(personnel)s. Pour toute autre question, appelez l’assistance au %(phone)s."
        )
        % {
            "personnel": settings.ANNUAIRE.activation.personnel_phone,
            "phone": settings.ENT_SITE.support_phone,
        },
        actions=(Action(_("Revenir à la recherche"), reverse("home")),),
    )


def begin_again(request: HttpRequest, reference: str) -> HttpResponse:
    """The charter has not been accepted in this session, or too long ago."""
    return message(
        request,
        403,
        _("Reprenez au début"),
        _("Rien n’a été activé."),
        _(
            "La page est restée ouverte plus de %(minutes)s minutes, le texte de la charte"
            " a changé, ou votre navigateur refuse les cookies."
        )
        % {"minutes": settings.ANNUAIRE.activation.minutes},
        _(
            "Acceptez à nouveau la charte. Si cette page revient, autorisez les cookies"
            " pour ce site dans les réglages du navigateur."
        ),
        actions=(
            Action(_("Reprendre l’activation"), reverse("activation:start", args=[reference])),
        ),
    )


def wait(request: HttpRequest, refusal: TooManyAttempts) -> HttpResponse:
    """Too many wrong attempts: later, or after the help desk has lifted the lock."""
    if refusal.wait is None:
        return message(
            request,
            429,
            _("Activation bloquée"),
            _("Trop d’essais n’ont pas abouti : l’activation de ce compte est bloquée."),
            _(
                "Appelez l’assistance au %(phone)s : elle vérifiera votre identité"
                " et lèvera le blocage."
            )
            % {"phone": settings.ENT_SITE.support_phone},
            actions=(Action(_("Revenir à la recherche"), reverse("home")),),
        )
    response = message(
        request,
        429,
        _("Patientez avant de réessayer"),
        _("Plusieurs essais n’ont pas abouti. Rien n’a été activé."),
        _("Vous pourrez réessayer dans %(delay)s. Vérifiez d’ici là votre code Harpège.")
        % {"delay": in_words(refusal.wait)},
        actions=(Action(_("Réessayer"), request.path),),
    )
    response["Retry-After"] = str(refusal.wait)
    return response


def in_words(seconds: int) -> str:
    """A delay as people say it: seconds up to a minute and a half, then minutes; at least two."""
    if seconds <= _SECONDS_AT_MOST:
        return _("%(number)s secondes") % {"number": max(seconds, 2)}
    return _("%(number)s minutes") % {"number": math.ceil(seconds / 60)}


def directory_down(request: HttpRequest, *, nothing_done: bool = True) -> HttpResponse:
    """The directory does not answer, and nothing was changed."""
    texts = [_("L’annuaire de l’université ne répond pas pour l’instant.")]
    if nothing_done:
        texts.append(_("Rien n’a été activé, et cet essai n’est pas compté."))
    texts.append(_("Réessayez dans quelques minutes."))
    return message(
        request,
        503,
        _("Activation momentanément impossible"),
        *texts,
        actions=(Action(_("Réessayer"), request.path),),
    )


def outcome_unknown(request: HttpRequest, reference: str) -> HttpResponse:
    """The directory stopped answering in the middle; the account is one or the other."""
    return message(
        request,
        503,
        _("Votre compte est peut-être activé"),
        _("L’annuaire de l’université a cessé de répondre au moment de l’activation."),
        _(
            "Dans quelques minutes, cliquez sur « Vérifier ». Si votre compte est activé, la page"
            " le dira : connectez-vous avec le mot de passe que vous venez de choisir. Sinon, elle"
            " vous proposera de reprendre l’activation."
        ),
        actions=(Action(_("Vérifier"), reverse("activation:start", args=[reference])),),
    )
