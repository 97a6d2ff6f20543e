"""HTTP to the CAS server: bounded in time, verified, no redirects, no cookies kept."""

import logging
import time
from typing import Any

import requests

log = logging.getLogger(__name__)
TIMEOUT = (3.0, 10.0)  # seconds to connect, seconds between bytes


class CasUnavailable(Exception):  # noqa: N818
    """The CAS server gave no usable answer. The message is for the log."""


class CasSession(requests.Session):
    """What python-cas validates tickets with. Every failure is a `CasUnavailable`."""

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """As requests does it, with time limits and without redirects."""
        kwargs.setdefault("timeout", TIMEOUT)
        # a validator that is redirected was not understood; following would end in a form
        kwargs["allow_redirects"] = False
        try:
            response = super().request(method, url, *args, **kwargs)
        except requests.RequestException as error:
            raise CasUnavailable(f"{method!s} to the CAS server: {error}") from error
        if response.status_code >= 500 or response.is_redirect:
            raise CasUnavailable(f"the CAS server answered {response.status_code}")
        return response


class Probe:
    """Asks whether the CAS server serves its form, remembering a yes for a moment.

    Done before a browser is sent there: a server that is down shows people the
    browser's own error page, which tells them nothing.
    """

    def __init__(self, url: str, ca_file: str, remember: float = 5.0) -> None:
        self._url = url
        self._ca_file = ca_file
        self._remember = remember
        self._yes_until = 0.0

    def answers(self) -> bool:
        """Whether the form can be shown to somebody now."""
        if time.monotonic() < self._yes_until:
            return True
        try:
            with CasSession() as session:
                session.get(self._url, timeout=(2.0, 4.0), verify=self._ca_file)
        except CasUnavailable as error:
            log.warning("%s", error)
            return False
        self._yes_until = time.monotonic() + self._remember
        return True
