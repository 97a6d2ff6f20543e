"""The form of the search."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ent.annuaire.search.names import asked_words

LONGEST = 100


class SearchForm(forms.Form):
    """Name, profile, structure. `cleaned_data["words"]` are the words of the name."""

    nom = forms.CharField(
        label=_("Nom"),
        help_text=_("Nom, prénom ou les deux. Le début suffit ; les accents sont facultatifs."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    profil = forms.ChoiceField(
        label=_("Profil"),
        choices=(
            ("personnel", _("Personnel")),
            ("etudiant", _("Étudiant")),
            ("tous", _("Tous")),
        ),
        initial="personnel",
        required=False,
        widget=forms.RadioSelect,
    )
    structure = forms.CharField(
        label=_("Structure"),
        help_text=_("Composante, laboratoire ou service : quelques mots de son nom, ou son sigle."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_nom(self) -> str:
        """Bounded."""
        return _bounded(self.cleaned_data["nom"])

    def clean_structure(self) -> str:
        """Bounded."""
        return _bounded(self.cleaned_data["structure"])

    def clean_profil(self) -> str:
        """Personnel unless something else was chosen."""
        return self.cleaned_data["profil"] or "personnel"

    def clean(self) -> dict[str, Any]:
        """Enough to look for: a name of two letters, or a structure."""
        data = super().clean() or {}
        if self.errors:
            return data
        data["words"] = asked_words(data["nom"])
        if not data["words"] and not data["structure"]:
            self.add_error("nom", _("Saisissez un nom, ou une structure."))
        elif data["nom"] and max(map(len, data["words"]), default=0) < 2:
            self.add_error("nom", _("Saisissez au moins deux lettres du nom."))
        return data


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise forms.ValidationError(_("Ce texte est trop long : 100 caractères au maximum."))
    return text
