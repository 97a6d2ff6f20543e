"""What eduPersonAffiliation says of a person, in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What eduPersonAffiliation's values are called; words that fit everybody.
AFFILIATIONS: dict[str, Promise] = {
    "affiliate": _("Personne extérieure associée"),
    "alum": _("Ancien étudiant ou ancienne étudiante"),
    "emeritus": _("Éméritat"),
    "employee": _("Personnel de l’université"),
    "faculty": _("Personnel enseignant-chercheur"),
    "library-walk-in": _("Lecteur ou lectrice de la bibliothèque"),
    "member": _("Membre de l’université"),
    "registered-reader": _("Lecteur ou lectrice de la bibliothèque"),
    "researcher": _("Personnel de recherche"),
    "retired": _("Retraité ou retraitée de l’université"),
    "staff": _("Personnel administratif, technique ou des bibliothèques"),
    "student": _("Étudiant ou étudiante"),
    "teacher": _("Personnel enseignant"),
}


def affiliation_label(primary: str) -> str:
    """An eduPersonAffiliation value in words; an unknown one as it is."""
    return str(AFFILIATIONS.get(primary.lower(), primary))
