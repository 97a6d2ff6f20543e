"""Telling search engines to keep out."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def keep_out(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: nothing but the first page is for the index of a search engine."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path != "/":
            response.setdefault("X-Robots-Tag", "noindex, nofollow, noarchive")
        return response

    return middleware
