import asyncio
import io
import struct

import msgspec
import pytest

from tintype.engine.frames import (
    LARGEST_FRAME,
    FrameError,
    decode_command,
    decode_event,
    frame,
    read_frame,
    receive_frame,
)
from tintype.engine.protocol import LARGEST_IMAGES, MOST_IMAGES, Drawn, Stop, job_of

from .jobs import job

pytestmark = pytest.mark.anyio


def test_a_message_comes_out_as_it_went_in() -> None:
    command = job(prompt="ein Käse 🧀")
    stream = io.BytesIO(frame(command) + frame(Stop()))

    payloads = [read_frame(stream), read_frame(stream), read_frame(stream)]

    assert payloads[0] is not None
    assert decode_command(payloads[0]) == command
    assert payloads[1] is not None
    assert decode_command(payloads[1]) == Stop()
    assert payloads[2] is None


async def test_both_ends_speak_the_same_bytes() -> None:
    event = Drawn(id="1", image=b"\0" * 99, content_type="image/png", width=1, height=1, elapsed=0.5)
    reader = asyncio.StreamReader()
    reader.feed_data(frame(event))
    reader.feed_eof()

    payload = await receive_frame(reader)

    assert payload is not None
    assert decode_event(payload) == event
    assert await receive_frame(reader) is None


@pytest.mark.parametrize("length", [1, 3, 4, 5, 20])
async def test_a_frame_cut_short_is_an_error_and_not_an_end(length: int) -> None:
    cut = frame(job())[:length]
    reader = asyncio.StreamReader()
    reader.feed_data(cut)
    reader.feed_eof()

    with pytest.raises(FrameError, match="the stream ended"):
        read_frame(io.BytesIO(cut))
    with pytest.raises(FrameError, match="the stream ended"):
        await receive_frame(reader)


async def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    head = struct.pack(">I", LARGEST_FRAME + 1)
    reader = asyncio.StreamReader()
    reader.feed_data(head)

    with pytest.raises(FrameError, match="exceeds the limit"):
        read_frame(io.BytesIO(head))
    with pytest.raises(FrameError, match="exceeds the limit"):
        await receive_frame(reader)


def test_the_most_a_job_can_carry_fits_a_frame_and_no_more_does() -> None:
    share = LARGEST_IMAGES // MOST_IMAGES
    largest = job(images=tuple(bytes(share) for _ in range(MOST_IMAGES)), prompt="a" * 2**20)

    payload = read_frame(io.BytesIO(frame(largest)))

    assert payload is not None
    assert decode_command(payload) == largest
    with pytest.raises(FrameError, match="exceeds the limit"):
        frame(job(images=(bytes(LARGEST_FRAME),)))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red kite", "a red kite"),
        ("Käse \U0001f9c0", "Käse \U0001f9c0"),
        ("\ud83e\uddc0", "\U0001f9c0"),
        ("half \ud83e of it", "half \ufffd of it"),
        ("\uddc0", "\ufffd"),
    ],
)
def test_prompts_with_broken_surrogates_are_made_whole(prompt: str, expected: str) -> None:
    asked = job()
    inputs = {"prompt": prompt, "outputFormat": "png"}
    inputs |= {name: getattr(asked, name) for name in ("width", "height", "steps", "guidance", "seed")}

    made = job_of(inputs, id="a", model="m")

    assert made.prompt == expected
    assert decode_command(frame(made)[4:]) == made


def test_a_text_that_is_not_unicode_cannot_be_framed() -> None:
    with pytest.raises(FrameError, match="not well-formed Unicode: surrogates not allowed"):
        frame(job(prompt="\ud800"))


def test_an_event_is_no_command() -> None:
    payload = frame(Drawn(id="1", image=b"", content_type="", width=1, height=1, elapsed=0.0))[4:]

    with pytest.raises(msgspec.ValidationError):
        decode_command(payload)
