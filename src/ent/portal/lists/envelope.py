"""What Sympa's SOAP interface is asked and answers, as bytes (RPC, encoded; SOAP 1.1).

Written out here: the WSDL that Sympa publishes names types and parts that its answers do not
have, so that a library which holds answers against it (zeep) refuses them; docs/portal.md.
"""

from lxml import etree
from lxml.etree import QName, SubElement, _Element

SERVICE = "authenticateRemoteAppAndRun"
ACTION = f"urn:sympasoap#{SERVICE}"

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSD = "http://www.w3.org/2001/XMLSchema"
_SYMPA = "urn:sympasoap"
_TYPE = QName(_XSI, "type")


class NotAnAnswer(ValueError):  # noqa: N818
    """These bytes are not an answer of Sympa's SOAP interface."""


class Fault(Exception):  # noqa: N818
    """Sympa says that it did not do what it was asked; the message is its own."""


def request(application: str, password: str, person: str, call: str, *values: str) -> bytes:
    """Ask for `call` with these values, as the trusted application, for the person.

    person: their address. It goes into a list of name=value pairs with commas between them;
        the caller makes sure that it has neither (`sympa.usable`).
    """
    envelope = etree.Element(
        QName(_SOAP, "Envelope"),
        {QName(_SOAP, "encodingStyle"): _ENCODING},
        nsmap={"soap": _SOAP, "soapenc": _ENCODING, "xsi": _XSI, "xsd": _XSD},
    )
    body = SubElement(envelope, QName(_SOAP, "Body"))
    run = SubElement(body, QName(_SYMPA, SERVICE), nsmap={"sympa": _SYMPA})
    for name, value in (
        ("appname", application),
        ("apppassword", password),
        ("vars", f"USER_EMAIL={person}"),
        ("service", call),
    ):
        SubElement(run, name, {_TYPE: "xsd:string"}).text = value
    parameters = SubElement(
        run,
        "parameters",
        {
            _TYPE: "soapenc:Array",
            QName(_ENCODING, "arrayType"): f"xsd:string[{len(values)}]",
        },
    )
    for value in values:
        SubElement(parameters, "item", {_TYPE: "xsd:string"}).text = value
    text: bytes = etree.tostring(envelope, encoding="utf-8", xml_declaration=True)
    return text


def result(text: bytes) -> _Element:
    """The element with the result. Raises Fault, NotAnAnswer."""
    answer = _child(_child(_parse(text), QName(_SOAP, "Body")))
    if answer.tag == QName(_SOAP, "Fault"):
        raise Fault((answer.findtext("faultstring") or "").strip())
    if answer.tag != QName(_SYMPA, f"{SERVICE}Response"):
        raise NotAnAnswer(f"a {answer.tag}")
    # called return, listInfo or result, as each function of Sympa pleases
    return _child(answer)


def items(array: _Element) -> list[dict[str, str]]:
    """The structures in an array: of each, the texts of what it has."""
    if array.get(_TYPE, "").rpartition(":")[2] != "Array":
        raise NotAnAnswer(f"a result {array.tag} that is not an array")
    # SOAP::Lite puts the names of the fields into the service's namespace or into none
    return [{QName(one).localname: (one.text or "").strip() for one in item} for item in array]


def _child(parent: _Element, tag: QName | None = None) -> _Element:
    found = next(iter(parent), None) if tag is None else parent.find(tag)
    if found is None:
        raise NotAnAnswer(f"no {tag or 'element'} in a {parent.tag}")
    return found


def _parse(text: bytes) -> _Element:
    # one for each answer: threads do not share a parser
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotAnAnswer(f"not XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise NotAnAnswer("a document type, which SOAP forbids")
    return root
