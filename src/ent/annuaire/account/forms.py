"""The forms of the own page."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ent.annuaire.activation.forms import FAULTS, CharterForm, SecretField
from ent.annuaire.activation.password import MIN_LENGTH, faults

# RFC 5321, 4.5.3.1.3: a path of 256 characters, its two brackets not counted
_LONGEST_ADDRESS = 254
# Passwords from before this rule may be longer than new ones; nobody types this much.
_LONGEST_PASSWORD = 1024
# Without quotation marks and address literals, which nobody's mailbox has.
_ADDRESS = re.compile(r"[^@\s\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class _Seen(forms.Form):
    """A form that carries the fingerprint of what its page showed (`choices.fingerprint`)."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)


class DisplayForm(_Seen):
    """What the public directory shows."""

    red_list = forms.BooleanField(
        required=False,
        label=gettext_lazy("Ne pas figurer dans l’annuaire public (liste rouge)"),
        help_text=gettext_lazy(
            "Sur la liste rouge, plus personne ne vous trouve dans l’annuaire public, ni vos"
            " collègues,"
            " ni les étudiants : votre fiche, votre téléphone et votre adresse n’y apparaissent"
            " plus."
            " Votre compte et votre messagerie fonctionnent comme avant ; seules les personnes qui"
            " connaissent déjà votre adresse peuvent vous écrire."
        ),
    )
    telephone_hidden = forms.BooleanField(
        required=False,
        label=gettext_lazy("Ne pas montrer mon téléphone dans l’annuaire public"),
        help_text=gettext_lazy(
            "Sans votre téléphone, votre fiche reste visible. Les services de l’université qui ont"
            " besoin du numéro continuent de le connaître."
        ),
    )


class RecoveryForm(_Seen):
    """The personal address, typed twice."""

    address = forms.CharField(
        label=gettext_lazy("Adresse électronique personnelle"),
        help_text=gettext_lazy(
            "Par exemple : prenom.nom@exemple.fr. Pas une adresse de l’université."
        ),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Indiquez une adresse électronique.")},
    )
    confirmation = forms.CharField(
        label=gettext_lazy("La même adresse, une seconde fois"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Tapez l’adresse une seconde fois.")},
    )

    def __init__(self, *arguments: Any, own_domains: tuple[str, ...], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.own_domains = own_domains

    def clean_address(self) -> str:
        """Return an address of somebody else's domain, as it was typed."""
        address: str = self.cleaned_data["address"]
        if len(address) > _LONGEST_ADDRESS:
            raise ValidationError(
                _("Cette adresse est trop longue : pas plus de %(number)s caractères.")
                % {"number": _LONGEST_ADDRESS}
            )
        if not address.isascii():
            raise ValidationError(_("Écrivez l’adresse sans accents ni caractères spéciaux."))
        try:
            EmailValidator(allowlist=[])(address)
        except ValidationError as error:
            raise ValidationError(self._not_one()) from error
        if not _ADDRESS.fullmatch(address):
            raise ValidationError(self._not_one())
        domain = address.rpartition("@")[2].lower()
        for own in self.own_domains:
            if domain == own or domain.endswith(f".{own}"):
                raise ValidationError(
                    _(
                        "Une adresse en %(domain)s est une adresse de l’université : vous ne"
                        " pourriez pas"
                        " la lire sans votre compte. Indiquez une adresse personnelle."
                    )
                    % {"domain": f"@{domain}"}
                )
        return address

    def clean(self) -> dict[str, Any]:
        """Both fields hold the same address."""
        cleaned = super().clean() or {}
        address, again = cleaned.get("address"), cleaned.get("confirmation")
        if address is not None and again is not None and address.lower() != again.lower():
            self.add_error(
                "confirmation",
                _("Les deux adresses sont différentes. Tapez deux fois la même."),
            )
        return cleaned

    def _not_one(self) -> str:
        return _("Ce n’est pas une adresse électronique. Écrivez-la sous la forme nom@exemple.fr.")


class RemovalForm(_Seen):
    """Taking the personal address away: a button."""


class PasswordForm(forms.Form):
    """The present password, and the new one twice. Nothing logs or keeps its values."""

    present = SecretField(
        label=gettext_lazy("Mot de passe actuel"),
        error_messages={"required": gettext_lazy("Tapez votre mot de passe actuel.")},
    )
    password = SecretField(
        label=gettext_lazy("Nouveau mot de passe"),
        help_text=format_lazy(
            gettext_lazy(
                "Choisissez un mot de passe d’au moins {number} caractères, comprenant à la fois"
                " des chiffres et des lettres (au moins une lettre sans accent)."
            ),
            number=MIN_LENGTH,
        ),
        error_messages={"required": gettext_lazy("Choisissez un nouveau mot de passe.")},
    )
    confirmation = SecretField(
        label=gettext_lazy("Nouveau mot de passe, une seconde fois"),
        error_messages={
            "required": gettext_lazy("Tapez le nouveau mot de passe une seconde fois.")
        },
    )

    def __init__(self, *arguments: Any, login: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.login = login
        self.fields["present"].widget.attrs["autocomplete"] = "current-password"

    def clean_present(self) -> str:
        """Return what was typed, unless no password can be that."""
        present: str = self.cleaned_data["present"]
        if len(present) > _LONGEST_PASSWORD:
            raise ValidationError(wrong_password())
        return present

    def clean_password(self) -> str:
        """Return the new password, if it keeps the rule."""
        password: str = self.cleaned_data["password"]
        if found := faults(password, self.login):
            raise ValidationError([str(FAULTS[one]) for one in found])
        return password

    def clean(self) -> dict[str, Any]:
        """Both fields hold the same password, and another one than the present."""
        cleaned = super().clean() or {}
        password, again = cleaned.get("password"), cleaned.get("confirmation")
        if password is not None and again is not None and password != again:
            self.add_error(
                "confirmation",
                _("Les deux mots de passe sont différents. Tapez deux fois le même."),
            )
        elif password is not None and password == cleaned.get("present"):
            self.add_error(
                "password",
                _("Le nouveau mot de passe est le même que l’actuel. Choisissez-en un autre."),
            )
        return cleaned


class ConsentForm(CharterForm):
    """Acceptance of a new version of the charter."""

    def __init__(self, data: Mapping[str, Any] | None, current: str) -> None:
        super().__init__(data, current)
        self.fields["accept"].error_messages["required"] = gettext_lazy(
            "Pour accepter la charte, cochez la case ; sinon, choisissez « Plus tard »."
        )


def wrong_password() -> str:
    """What is said of a present password that is not the one."""
    return _("Ce n’est pas votre mot de passe actuel. Vérifiez la touche des majuscules.")
