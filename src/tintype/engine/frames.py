"""Frames on a byte stream: four bytes of length (big endian), then one msgpack message.

The host reads and writes files, the worker asyncio streams; both sides speak the same bytes.
"""

import asyncio
import struct
from typing import BinaryIO

import msgspec

from tintype.engine.protocol import LARGEST_IMAGES, Command, Event

LARGEST_FRAME = LARGEST_IMAGES + 8 * 2**20
"""Bytes. A job's reference pictures are the most there is to say. The largest picture that is drawn,
2048 × 2048 of pure noise as PNG, is under 13 MB."""

_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


class FrameError(Exception):
    """A message cannot be framed; or a stream does not hold whole, readable frames, and nothing after
    this point can be trusted."""


def frame(message: Command | Event) -> bytearray:
    """The message as one frame.

    Raises `FrameError` if it is larger than `LARGEST_FRAME`, or a text in it is not well-formed Unicode.
    """
    framed = bytearray(_LENGTH.size)
    try:
        _encoder.encode_into(message, framed, _LENGTH.size)
    except UnicodeEncodeError as error:
        raise FrameError(f"a text is not well-formed Unicode: {error.reason}") from error
    _LENGTH.pack_into(framed, 0, _checked(len(framed) - _LENGTH.size))
    return framed


def decode_command(payload: bytes) -> Command:
    """Raises `msgspec.ValidationError` for a well-formed message that is no command."""
    return _commands.decode(payload)


def decode_event(payload: bytes) -> Event:
    """Raises `msgspec.ValidationError` for a well-formed message that is no event."""
    return _events.decode(payload)


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next payload of a blocking stream; None if the stream ended after a whole frame.

    Raises `FrameError` if the stream ends within a frame, or the frame is too large.
    """
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    length = _length(head)
    payload = stream.read(length)
    if len(payload) < length:
        raise FrameError(f"the stream ended {length - len(payload)} bytes short of a whole frame")
    return payload


async def receive_frame(reader: asyncio.StreamReader) -> bytes | None:
    """As `read_frame`, from an asyncio stream."""
    try:
        head = await reader.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        head = error.partial
    length = _length(head)
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        missing = length - len(error.partial)
        raise FrameError(f"the stream ended {missing} bytes short of a whole frame") from error


def _length(head: bytes) -> int:
    if len(head) < _LENGTH.size:
        raise FrameError("the stream ended within the length of a frame")
    (length,) = _LENGTH.unpack(head)
    return _checked(length)


def _checked(length: int) -> int:
    if length > LARGEST_FRAME:
        raise FrameError(f"a frame of {length} bytes exceeds the limit of {LARGEST_FRAME}")
    return length
