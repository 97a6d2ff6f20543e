"""The two forms of the activation. Values of the second are secrets: nothing logs or keeps them."""

import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ent.annuaire.activation.dates import NotADate, ShortYear, parse_birth_date
from ent.annuaire.activation.password import MAX_LENGTH, MIN_LENGTH, Fault, faults

# Longer than any code is; the directory's attribute holds 128.
_LONGEST_CODE = 64
_LONGEST_DATE = 40

FAULTS: dict[Fault, str | Promise] = {
    Fault.SHORT: format_lazy(
        gettext_lazy("Le mot de passe est trop court : il faut au moins {number} caractères."),
        number=MIN_LENGTH,
    ),
    Fault.NO_LETTER: gettext_lazy(
        "Le mot de passe doit comprendre au moins une lettre, de a à z ou de A à Z, sans accent."
    ),
    Fault.NO_DIGIT: gettext_lazy("Le mot de passe doit comprendre au moins un chiffre, de 0 à 9."),
    Fault.LONG: format_lazy(
        gettext_lazy("Le mot de passe est trop long : pas plus de {number} caractères."),
        number=MAX_LENGTH,
    ),
    Fault.NOT_TYPED: gettext_lazy(
        "Le mot de passe contient un caractère que l’on ne peut pas taper au clavier."
        " Tapez-le au lieu de le copier."
    ),
    Fault.LOGIN: gettext_lazy(
        "Le mot de passe ne doit pas être votre identifiant : c’est le premier que l’on essaierait."
    ),
}


class SecretField(forms.Field):
    """A password field: the value as it was typed, whatever it is; never given back to the page."""

    def __init__(self, **options: Any) -> None:
        widget = forms.PasswordInput(
            attrs={"autocomplete": "new-password", "autocapitalize": "none", "spellcheck": "false"}
        )
        super().__init__(widget=widget, **options)


class CharterForm(forms.Form):
    """Acceptance of the version of the charter that the page showed."""

    version = forms.CharField(widget=forms.HiddenInput, required=False)
    accept = forms.BooleanField(
        label=gettext_lazy(
            "J’ai pris connaissance de la charte d’usage des ressources informatiques"
            " et je l’accepte."
        ),
        error_messages={
            "required": gettext_lazy(
                "Pour activer votre compte, acceptez la charte en cochant la case."
            )
        },
    )

    def __init__(self, data: Mapping[str, Any] | None, current: str) -> None:
        super().__init__(data, initial={"version": current})
        self.current = current

    def clean(self) -> dict[str, Any]:
        """Only what the person has read can be accepted."""
        cleaned = super().clean() or {}
        if cleaned.get("version") != self.current:
            # the page shows the new text, and the new version goes with it
            self.data = {"version": self.current}
            raise forms.ValidationError(
                _("Le texte de la charte a changé. Relisez-le, puis acceptez-le.")
            )
        return cleaned


class DetailsForm(forms.Form):
    """Proofs of identity, and the password that the person chooses (guide, G6e)."""

    code = forms.CharField(
        label=gettext_lazy("Code Harpège"),
        help_text=gettext_lazy("Le numéro que la division du personnel vous a communiqué."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "class": "short",
            }
        ),
        error_messages={"required": gettext_lazy("Indiquez votre code Harpège.")},
    )
    birth_date = forms.CharField(
        label=gettext_lazy("Date de naissance"),
        help_text=gettext_lazy("Jour, mois, année : par exemple 03/02/1975."),
        widget=forms.TextInput(attrs={"autocomplete": "bday", "class": "short"}),
        error_messages={"required": gettext_lazy("Indiquez votre date de naissance.")},
    )
    password = SecretField(
        label=gettext_lazy("Mot de passe"),
        help_text=format_lazy(
            gettext_lazy(
                "Choisissez un mot de passe d’au moins {number} caractères, comprenant à la fois"
                " des chiffres et des lettres (au moins une lettre sans accent)."
            ),
            number=MIN_LENGTH,
        ),
        error_messages={"required": gettext_lazy("Choisissez un mot de passe.")},
    )
    confirmation = SecretField(
        label=gettext_lazy("Mot de passe, une seconde fois"),
        error_messages={"required": gettext_lazy("Tapez le mot de passe une seconde fois.")},
    )

    def clean_code(self) -> str:
        """Return the code as the directory holds it: without the spaces of a printed one."""
        code = "".join(unicodedata.normalize("NFKC", self.cleaned_data["code"]).split())
        if len(code) > _LONGEST_CODE:
            raise forms.ValidationError(
                _("Ce code est trop long pour un code Harpège. Vérifiez-le.")
            )
        return code

    def clean_birth_date(self) -> date:
        """Return the date that was meant."""
        text = self.cleaned_data["birth_date"]
        try:
            if len(text) > _LONGEST_DATE:
                raise NotADate("too long")
            return parse_birth_date(text, timezone.localdate())
        except ShortYear as error:
            raise forms.ValidationError(
                _("Écrivez l’année de naissance avec quatre chiffres, par exemple 03/02/1975.")
            ) from error
        except NotADate as error:
            raise forms.ValidationError(
                _("Cette date de naissance n’existe pas. Écrivez jour, mois, année : 03/02/1975.")
            ) from error

    def clean_password(self) -> str:
        """Return the password, if it keeps the rule."""
        password: str = self.cleaned_data["password"]
        if found := faults(password):
            raise forms.ValidationError([str(FAULTS[one]) for one in found])
        return password

    def clean(self) -> dict[str, Any]:
        """Both fields hold the same password."""
        cleaned = super().clean() or {}
        password, again = cleaned.get("password"), cleaned.get("confirmation")
        if password is not None and again is not None and password != again:
            self.add_error(
                "confirmation",
                _("Les deux mots de passe sont différents. Tapez deux fois le même."),
            )
        return cleaned
