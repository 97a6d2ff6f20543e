"""What Sympa's SOAP interface is asked and answers, as bytes (RPC, encoded; SOAP 1.1).

Written out here: the WSDL that Sympa publishes names types and parts that its answers do not
have, so that a library which holds answers against it (zeep) refuses them; docs/portal.md.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

SERVICE = "authenticateRemoteAppAndRun"
ACTION = f"urn:sympasoap#{SERVICE}"

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_DEEPEST = 16  # elements in one another; Sympa's answers have 6


class NotAnAnswer(ValueError):  # noqa: N818
    """These bytes are not an answer of Sympa's SOAP interface."""


class Fault(Exception):  # noqa: N818
    """Sympa says that it did not do what it was asked; the message is its own."""


def request(application: str, password: str, person: str, call: str, *values: str) -> bytes:
    """Ask for `call` with these values, as the trusted application, for the person.

    person: their address. It goes into a list of name=value pairs with commas between them;
        the caller makes sure that it has neither (`sympa.usable`).
    """
    envelope = Element(
        "soap:Envelope",
        {
            "xmlns:soap": _SOAP,
            "xmlns:soapenc": _ENCODING,
            "xmlns:xsi": _XSI,
            "xmlns:xsd": "http://www.w3.org/2001/XMLSchema",
            "soap:encodingStyle": _ENCODING,
        },
    )
    body = SubElement(envelope, "soap:Body")
    run = SubElement(body, f"sympa:{SERVICE}", {"xmlns:sympa": "urn:sympasoap"})
    for name, value in (
        ("appname", application),
        ("apppassword", password),
        ("vars", f"USER_EMAIL={person}"),
        ("service", call),
    ):
        SubElement(run, name, {"xsi:type": "xsd:string"}).text = value
    parameters = SubElement(
        run,
        "parameters",
        {"xsi:type": "soapenc:Array", "soapenc:arrayType": f"xsd:string[{len(values)}]"},
    )
    for value in values:
        SubElement(parameters, "item", {"xsi:type": "xsd:string"}).text = value
    text: bytes = tostring(envelope, encoding="utf-8", xml_declaration=True)
    return text


def result(text: bytes) -> Element:
    """The element with the result. Raises Fault, NotAnAnswer."""
    answer = _child(_child(_parse(text), f"{{{_SOAP}}}Body"))
    if answer.tag == f"{{{_SOAP}}}Fault":
        raise Fault((answer.findtext("faultstring") or "").strip())
    if answer.tag != f"{{urn:sympasoap}}{SERVICE}Response":
        raise NotAnAnswer(f"a {answer.tag}")
    # called return, listInfo or result, as each function of Sympa pleases
    return _child(answer)


def items(array: Element) -> list[dict[str, str]]:
    """The structures in an array: of each, the texts of what it has."""
    if array.get(f"{{{_XSI}}}type", "").rpartition(":")[2] != "Array":
        raise NotAnAnswer(f"a result {array.tag} that is not an array")
    # SOAP::Lite puts the names of the fields into the service's namespace or into none
    return [
        {one.tag.rpartition("}")[2]: (one.text or "").strip() for one in item} for item in array
    ]


def _child(parent: Element, tag: str = "") -> Element:
    found = parent.find(tag) if tag else next(iter(parent), None)
    if found is None:
        raise NotAnAnswer(f"no {tag or 'element'} in a {parent.tag}")
    return found


def _parse(text: bytes) -> Element:
    # expat by itself: a document type, and with it every entity, is refused where it begins
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    depth = 0

    def name(expanded: str) -> str:
        return f"{{{expanded}" if "}" in expanded else expanded

    def start(tag: str, attributes: Sequence[str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise NotAnAnswer(f"more than {_DEEPEST} elements in one another")
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        builder.start(name(tag), {name(key): value for key, value in pairs})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name(tag))

    def refuse(*_: object) -> None:
        raise NotAnAnswer("a document type, which SOAP forbids")

    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, LookupError) as error:
        raise NotAnAnswer(f"not XML: {error}") from error
