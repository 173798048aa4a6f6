"""XMP packets: what a picture says to programs that know nothing of Tintype.

Format: ISO 16684-1; the properties are those of the IPTC Photo Metadata Standard 2025.1
(https://iptc.org/std/photometadata/specification/IPTC-PhotoMetadata), the kinds of source those of
http://cv.iptc.org/newscodes/digitalsourcetype/.
"""

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree
from xml.sax.saxutils import escape

DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""Made by a trained model alone."""
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""Other pictures, changed or added to by a trained model."""

SOURCE = "Iptc4xmpExt:DigitalSourceType"
SYSTEM = "Iptc4xmpExt:AISystemUsed"
SYSTEM_VERSION = "Iptc4xmpExt:AISystemVersionUsed"
PROMPT = "Iptc4xmpExt:AIPromptInformation"
TOOL = "xmp:CreatorTool"

_SPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""


def packet(properties: Mapping[str, str]) -> str:
    """The packet; `properties` are simple texts, each with the prefix of its namespace."""
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _SPACES.items())
    texts = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in properties.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about=""{spaces}>{texts}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )


def read_packet(packet: bytes | str) -> dict[str, str]:
    """The simple properties that a packet of anybody's has, of those named here; none if it is damaged.

    They may be elements, attributes or resources. A packet with a document type, which could declare
    entities, is not read.
    """
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    if "<!DOCTYPE" in text:
        return {}
    try:
        root = ElementTree.fromstring(text.strip("\0\ufeff \t\r\n"))
    except (ElementTree.ParseError, ValueError):
        return {}
    found = dict(_properties(root))
    names = {f"{{{uri}}}": prefix for prefix, uri in _SPACES.items()}
    return {
        f"{prefix}:{name.removeprefix(space)}": value
        for name, value in found.items()
        for space, prefix in names.items()
        if name.startswith(space)
    }


def _properties(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for element in root.iter():
        yield from element.attrib.items()
        value = element.get(f"{{{_RDF}}}resource") or (element.text or "").strip()
        if value and not len(element):
            yield element.tag, value


def _text(value: str) -> str:
    # A carriage return would be read as a line feed.
    return escape(_NO_XML.sub("\ufffd", value), {"\r": "&#13;"})
