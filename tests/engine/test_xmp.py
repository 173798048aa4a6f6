"""What pictures say to programs that know nothing of Tintype, read with other libraries than our own."""

import io
from typing import Any
from xml.dom import minidom

import numpy as np
import pytest
from PIL import Image

from tintype.engine.images import xmp
from tintype.engine.images.encode import encode
from tintype.engine.images.inspection import inspect
from tintype.engine.images.metadata import describe, read_metadata
from tintype.engine.protocol import OutputFormat

from .jobs import job

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
FORMATS: tuple[OutputFormat, ...] = ("png", "jpeg")
STRANGE = "a <b> & \"c\" ]]> 'd' ü 🧀 \x07 \ufffe"


def drawn(output_format: OutputFormat = "png", *, references: tuple[str, ...] = (), **fields: Any) -> bytes:
    """A picture as an engine encodes it."""
    asked = job(output_format=output_format, description={"model": "a/b"}, **fields)
    metadata = describe(
        asked,
        checkpoint="tiny",
        fingerprint="f" * 32,
        versions={"tintype": "0.1.0"},
        references=references,
    )
    return encode(np.full((64, 64, 3), 7, np.uint8), output_format, metadata)


def packet_of(image: bytes) -> str:
    """The XMP packet, as Pillow finds it."""
    info = Image.open(io.BytesIO(image)).info
    packet = info["xmp"]
    return packet.decode() if isinstance(packet, bytes) else str(packet)


def stated(packet: str, name: str) -> list[str]:
    """The texts of an IPTC property, as an XML parser of somebody else's finds them."""
    elements = minidom.parseString(packet.encode()).getElementsByTagNameNS(IPTC, name)
    return ["".join(node.data for node in element.childNodes) for element in elements]  # type: ignore[misc]


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_picture_says_that_a_trained_model_made_it(output_format: OutputFormat) -> None:
    packet = packet_of(drawn(output_format))

    assert stated(packet, "DigitalSourceType") == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    ]
    assert stated(packet, "AIPromptInformation") == ["a red kite"]
    assert stated(packet, "AISystemUsed") == ["Tintype, tiny"]
    assert stated(packet, "AISystemVersionUsed") == ["0.1.0"]


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_picture_drawn_after_others_says_that_too(output_format: OutputFormat) -> None:
    packet = packet_of(drawn(output_format, references=("ab" * 32,)))

    assert stated(packet, "DigitalSourceType") == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    ]


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_prompt_can_hold_what_xml_cannot(output_format: OutputFormat) -> None:
    image = drawn(output_format, prompt=STRANGE)

    assert stated(packet_of(image), "AIPromptInformation") == [
        STRANGE.replace("\x07", "�").replace("\ufffe", "�")
    ]
    assert read_metadata(image)["inputs"]["prompt"] == STRANGE


def test_a_prompt_too_long_for_a_jpeg_leaves_room_for_the_source() -> None:
    image = drawn("jpeg", prompt="&" * 50_000)

    assert stated(packet_of(image), "DigitalSourceType") == [xmp.DRAWN]
    assert read_metadata(image)["promptShortened"] is True
    assert stated(packet_of(image), "AIPromptInformation") == [read_metadata(image)["inputs"]["prompt"]]


@pytest.mark.parametrize("output_format", FORMATS)
def test_minimal_metadata_keep_the_source_and_tell_no_inputs(output_format: OutputFormat) -> None:
    image = drawn(
        output_format, prompt="my secret garden", seed=424242, metadata="minimal", references=("ab" * 32,)
    )

    said = read_metadata(image)
    assert b"secret" not in image
    assert b"424242" not in image
    assert b"abab" not in image
    assert stated(packet_of(image), "DigitalSourceType") == [xmp.EDITED]
    assert "inputs" not in said
    assert (said["checkpoint"], said["fingerprint"]) == ("tiny", "f" * 32)


_OPEN = f'<rdf:Description xmlns:i="{IPTC}">'


@pytest.mark.parametrize(
    "body",
    [
        f'<rdf:Description xmlns:i="{IPTC}" i:DigitalSourceType="{xmp.DRAWN}"/>',
        f'{_OPEN}<i:DigitalSourceType rdf:resource="{xmp.DRAWN}"/></rdf:Description>',
        f"{_OPEN}<i:DigitalSourceType> {xmp.DRAWN} </i:DigitalSourceType></rdf:Description>",
    ],
)
def test_the_packets_of_others_are_read_in_every_form(body: str) -> None:
    rdf = f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{body}</rdf:RDF>'
    packet = f'<?xpacket begin="\ufeff" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}</x:xmpmeta>'
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "WEBP", xmp=packet.encode() + b" " * 40)

    assert inspect(stream.getvalue()).digital_source_type == xmp.DRAWN


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "<x",
        "\0\0",
        b"\xff\xfe<\0x\0",
        f'<!DOCTYPE a [<!ENTITY e "{xmp.DRAWN}">]>'
        f'<a xmlns:i="{IPTC}"><i:DigitalSourceType>&e;</i:DigitalSourceType></a>',
    ],
)
def test_damaged_and_hostile_packets_say_nothing(packet: str | bytes) -> None:
    assert xmp.read_packet(packet) == {}
