"""What staff and callers type."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ent.annuaire.activation.dates import NotADate, ShortYear, parse_birth_date
from ent.annuaire.activation.password import MAX_LENGTH, Fault, faults
from ent.annuaire.helpdesk import lookup, texts, verification
from ent.annuaire.helpdesk.codes import Code, NotACode, read_code
from ent.annuaire.helpdesk.storage import Selection

_LOGIN_LENGTH = 64
_FAULTS = {
    Fault.SHORT: _("Le mot de passe doit avoir au moins 6 caractères."),
    Fault.NO_LETTER: _("Le mot de passe doit contenir une lettre sans accent (a à z)."),
    Fault.NO_DIGIT: _("Le mot de passe doit contenir un chiffre."),
    Fault.LONG: _("Le mot de passe est trop long : 128 caractères au plus."),
    Fault.NOT_TYPED: _("Le mot de passe contient un caractère qu’aucun clavier ne donne."),
    Fault.LOGIN: _("Le mot de passe ne doit pas être votre identifiant."),
}


class SearchForm(forms.Form):
    """Whom the caller says they are."""

    q = forms.CharField(
        label=_("Nom, identifiant ou adresse"),
        max_length=lookup.LONGEST,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Saisissez un nom, un identifiant ou une adresse.")},
    )


class ProofsForm(forms.Form):
    """What the caller says to prove it; shown again only when it could not be compared."""

    number = forms.CharField(
        label=_("Code Harpège"),
        help_text=_("Numéro d’étudiant pour un étudiant ou une étudiante."),
        max_length=verification.LONGEST,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Saisissez le code que donne la personne.")},
    )
    born = forms.CharField(
        label=_("Date de naissance"),
        help_text=_("Jour, mois, année : 03/02/1975."),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Saisissez la date de naissance que donne la personne.")},
    )

    def clean_born(self) -> date:
        """A date, read as activation reads it."""
        try:
            return parse_birth_date(self.cleaned_data["born"], timezone.localdate())
        except ShortYear as error:
            raise forms.ValidationError(gettext("Écrivez l’année avec quatre chiffres.")) from error
        except NotADate as error:
            raise forms.ValidationError(
                gettext("Ce n’est pas une date de naissance : écrivez-la comme 03/02/1975.")
            ) from error


class RedeemForm(forms.Form):
    """The caller's own form: who, with which code, and the password they choose."""

    login = forms.CharField(
        label=_("Identifiant"),
        help_text=_("Celui que vous indique l’assistance, et non votre adresse électronique."),
        max_length=_LOGIN_LENGTH,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
        error_messages={"required": _("Saisissez votre identifiant.")},
    )
    code = forms.CharField(
        label=_("Code donné par l’assistance"),
        help_text=_("Neuf chiffres ; les espaces ne comptent pas."),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        error_messages={"required": _("Saisissez le code que vous a donné l’assistance.")},
    )
    password = forms.CharField(
        label=_("Nouveau mot de passe"),
        help_text=_("Au moins 6 caractères, avec des chiffres et des lettres."),
        strip=False,
        max_length=4 * MAX_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Choisissez un mot de passe.")},
    )
    again = forms.CharField(
        label=_("Nouveau mot de passe, une seconde fois"),
        strip=False,
        max_length=4 * MAX_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Saisissez le mot de passe une seconde fois.")},
    )

    def clean_login(self) -> str:
        """As logins are written."""
        login = str(self.cleaned_data["login"]).strip().lower()
        if "@" in login:
            # its owner is not looked up here: that would tell whether there is one
            raise forms.ValidationError(
                gettext(
                    "Saisissez votre identifiant, et non votre adresse électronique."
                    " L’assistance vous le rappellera au besoin. Cet essai n’est pas compté."
                )
            )
        return login

    def clean_code(self) -> Code:
        """A code that can be one: a slip of the ear or the finger costs no try."""
        try:
            return read_code(self.cleaned_data["code"])
        except NotACode as error:
            raise forms.ValidationError(
                gettext(
                    "Ce n’est pas un code de l’assistance : vérifiez chacun des neuf chiffres."
                    " Cet essai n’est pas compté."
                )
            ) from error

    def clean_password(self) -> str:
        """The rule of activation (guide, G6e), in characters."""
        password = str(self.cleaned_data["password"])
        # fields are cleaned in their order; a login with an error is not there
        if found := faults(password, self.cleaned_data.get("login", "")):
            raise forms.ValidationError([_FAULTS[one] for one in found])
        return password

    def clean(self) -> dict[str, Any]:
        """Both passwords are the same."""
        values = super().clean() or {}
        password, again = values.get("password"), values.get("again")
        if password and again and password != again:
            self.add_error("again", gettext("Les deux mots de passe sont différents."))
        return values


class SelectionForm(forms.Form):
    """Which lines of the trail."""

    person = forms.CharField(label=_("Personne (identifiant)"), max_length=64, required=False)
    agent = forms.CharField(label=_("Agent (identifiant)"), max_length=64, required=False)
    action = forms.ChoiceField(label=_("Action"), required=False)
    outcome = forms.ChoiceField(label=_("Résultat"), required=False)
    since = forms.DateField(
        label=_("Du"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label=_("Au"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    steps = forms.BooleanField(
        label=_("Montrer aussi le début de chaque opération"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, labels, everything in (
            ("action", texts.ACTIONS, _("toutes")),
            ("outcome", texts.OUTCOMES, _("tous")),
        ):
            choices = [("", everything), *((str(key), label) for key, label in labels.items())]
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def selection(self) -> Selection:
        """What was chosen; days begin and end as they do here. For a valid form."""
        values = self.cleaned_data
        since, until = values.get("since"), values.get("until")
        return Selection(
            person=values["person"].strip().lower(),
            agent=values["agent"].strip().lower(),
            action=values["action"],
            outcome=values["outcome"],
            since=_midnight(since) if since else None,
            # the last day that a calendar has has no next one
            before=_midnight(until + timedelta(days=1)) if until and until < date.max else None,
            steps=values["steps"],
        )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))
