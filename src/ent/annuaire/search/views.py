"""The pages of the search. Thin: whom to show is in matching, people and structures."""

import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ent.annuaire.directory import directory_as
from ent.annuaire.references import NotAReference, uid_of
from ent.annuaire.search import allowance, indexing
from ent.annuaire.search.config import SearchConfig
from ent.annuaire.search.forms import SearchForm
from ent.annuaire.search.matching import Query, matches
from ent.annuaire.search.people import PublicPerson, account_state, read, read_one
from ent.annuaire.search.structures import StructureCache, Structures
from ent.directory import AccountState
from ent.web.network import client_network
from ent.web.pages import message
from ent.web.texts import in_language

log = logging.getLogger(__name__)


@functools.cache
def structure_cache() -> StructureCache:
    """What the process knows of the structures."""
    return StructureCache()


@dataclass(frozen=True, slots=True)
class Shown:
    """A person of a list."""

    person: PublicPerson
    structure: str


@dataclass(frozen=True, slots=True)
class Results:
    """One page of a list of people.

    capped: there are more than all pages together show.
    """

    people: list[Shown]
    page: int
    pages: int
    capped: bool


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page: the form."""
    return render(request, "search/home.html", {"form": SearchForm(), "section": "search"})


@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """Who was found."""
    form = SearchForm(request.GET or None, initial={"profil": "personnel"})
    context: dict[str, object] = {"form": form, "section": "search"}
    if not form.is_valid():
        return render(request, "search/home.html", context, status=400 if form.is_bound else 200)
    if not _may_be_shown(request):
        return _enough(request)
    structures = _structures()
    words, text = form.cleaned_data["words"], form.cleaned_data["structure"]
    found = structures.find(text) if text else structures.find(form.cleaned_data["nom"])
    context |= {"structures": found[:20], "asked": form.cleaned_data}
    codes = None
    if text:
        codes = frozenset(code for one in found for code in structures.within(one.code))
    if words:
        query = Query(words, form.cleaned_data["profil"], codes)
        context["results"] = _results(request, query, structures)
    return render(
        request,
        "search/results.html",
        context | _whom_to_ask() | {"pages_query": _without_page(request)},
    )


@require_safe
def person(request: HttpRequest, reference: str) -> HttpResponse:
    """Everything public about a person."""
    if not _may_be_shown(request):
        return _enough(request)
    try:
        found = read_one(directory_as("search"), uid_of(reference))
    except NotAReference as error:
        raise Http404(str(error)) from error
    if found is None:
        return message(
            request,
            404,
            _("Personne introuvable"),
            _("L’annuaire public ne montre pas, ou plus, cette personne."),
        )
    state = account_state(directory_as("activation"), found.uid)
    structures = _structures()
    _count(request, 1)
    return render(
        request,
        "search/person.html",
        {
            "person": found,
            "mail": found.mail if state and state.may_sign_in else "",
            "to_activate": state is AccountState.PRE_CREATED,
            "structures": [(code, structures.name(code)) for code in found.structures],
        },
    )


@require_safe
def structure_list(request: HttpRequest) -> HttpResponse:
    """All structures, each under the one it belongs to."""
    return render(
        request,
        "search/structures.html",
        {"branches": _structures().tree(), "section": "structures"},
    )


@require_safe
def structure(request: HttpRequest, code: str) -> HttpResponse:
    """A structure and the first of its people."""
    structures = _structures()
    found = structures.get(code)
    if found is None:
        raise Http404(code)
    if not _may_be_shown(request):
        return _enough(request)
    query = Query((), "personnel", frozenset({found.code}))
    return render(
        request,
        "search/structure.html",
        {
            "structure": found,
            "parent": structures.get(found.parent) if found.parent else None,
            "children": structures.children(found.code),
            "results": _results(request, query, structures),
            "pages_query": "",
            "form": SearchForm(initial={"structure": found.name, "profil": "personnel"}),
            "section": "structures",
        },
    )


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Search engines may know the first page; people are not theirs to copy."""
    return HttpResponse("User-agent: *\nAllow: /$\nDisallow: /\n", content_type="text/plain")


def _results(request: HttpRequest, query: Query, structures: Structures) -> Results:
    """Read from the directory those of the page asked for whom it shows."""
    config: SearchConfig = settings.ANNUAIRE.search
    for last in (False, True):
        uids = matches(query, config.result_limit + 1)
        capped = len(uids) > config.result_limit
        uids = uids[: config.result_limit]
        pages = max(1, -(-len(uids) // config.page_size))
        page = min(_page(request), pages)
        asked = uids[(page - 1) * config.page_size : page * config.page_size]
        shown = read(directory_as("search"), asked)
        gone = [uid for uid in asked if uid not in shown]
        if not gone or last:
            break
        # on the red list or gone since the index saw them: it forgets them now
        indexing.forget(gone)
    people = _described((shown[uid] for uid in asked if uid in shown), structures)
    _count(request, len(people))
    return Results(people, page, pages, capped)


def _described(people: Iterable[PublicPerson], structures: Structures) -> list[Shown]:
    return [
        Shown(one, ", ".join(structures.name(code) for code in one.structures[:1]))
        for one in people
    ]


def _structures() -> Structures:
    return structure_cache().get(directory_as("search"))


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 5 else 1


def _without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return f"{query.urlencode()}&" if query else ""


def _may_be_shown(request: HttpRequest) -> bool:
    config: SearchConfig = settings.ANNUAIRE.search
    return allowance.allows(
        client_network(request), config.hourly_results, config.unlimited_networks
    )


def _count(request: HttpRequest, people: int) -> None:
    allowance.count(client_network(request), people, settings.ANNUAIRE.search.unlimited_networks)


def _enough(request: HttpRequest) -> HttpResponse:
    log.warning("no more people for %s in this hour", client_network(request))
    response = message(
        request,
        429,
        _("Beaucoup de personnes consultées"),
        _(
            "Votre réseau a consulté beaucoup de personnes depuis une heure. "
            "L’annuaire ne peut pas être recopié."
        ),
        _(
            "Réessayez dans une heure. "
            "Si vous en avez besoin pour votre travail, contactez l’assistance."
        ),
    )
    response["Retry-After"] = "3600"
    return response


def _whom_to_ask() -> dict[str, object]:
    config: SearchConfig = settings.ANNUAIRE.search
    language = get_language() or settings.LANGUAGE_CODE
    return {
        "not_found": [in_language(text, language) for text in config.not_found],
        "personnel_phone": config.personnel_phone,
    }
