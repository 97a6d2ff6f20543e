"""Activation as this process's settings describe it."""

import functools

from django.conf import settings

from ent.annuaire.activation.charter import Charter, load
from ent.annuaire.activation.flow import Activation
from ent.annuaire.directory import directory_as


@functools.cache
def activation() -> Activation:
    """The steps, on the directory as identity annuaire-activation."""
    config = settings.ANNUAIRE.activation
    return Activation(directory_as("activation"), config.domain, config.legacy_domains)


@functools.cache
def charter() -> Charter:
    """The charter that is in force; a new file needs a restart, which the role makes."""
    return load(settings.ANNUAIRE.activation.charter_path)


def is_offered(uid: str) -> bool:
    """Whether the page of this person offers « activer mon compte » (guide, G6c).

    Raises DirectoryUnavailable.
    """
    person = activation().find(uid)
    return person is not None and person.offered
