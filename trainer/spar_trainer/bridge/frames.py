"""Frames: what stands in a NATS message of the bridge (docs/bridge.md).

A MessagePack array whose first item is its kind. Items behind the known ones are ignored; everything else that does not fit
is INTERNAL. What a message holds stays packed here: `values` reads it when it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgpack

from .limits import LIMITS
from .status import BridgeError, Code, Metadata

VERSION = 1
TEXT_MAX = 1_024


class CallKind(IntEnum):
    UNARY = 0
    SERVER_STREAM = 1
    CLIENT_STREAM = 2
    BIDIRECTIONAL = 3

    @property
    def streams_up(self) -> bool:
        return self in (CallKind.CLIENT_STREAM, CallKind.BIDIRECTIONAL)

    @property
    def streams_down(self) -> bool:
        return self in (CallKind.SERVER_STREAM, CallKind.BIDIRECTIONAL)


@dataclass(frozen=True)
class Here:
    """A message in its frame, as the MessagePack of its value."""

    packed: bytes


@dataclass(frozen=True)
class Reference:
    """A message that lies among the objects of the bus."""

    object: str
    size: int
    sha256: str


Message = Here | Reference


@dataclass(frozen=True)
class Open:
    call: CallKind
    time_left_ms: int = 0
    metadata: Metadata = field(default_factory=dict)
    credit: int = 0
    ended: bool = True
    message: Message | None = None


@dataclass(frozen=True)
class Accept:
    metadata: Metadata = field(default_factory=dict)
    credit: int = 0


@dataclass(frozen=True)
class Item:
    """A frame of kind MESSAGE."""

    sequence: int
    message: Message


@dataclass(frozen=True)
class End:
    sequence: int


@dataclass(frozen=True)
class Status:
    sequence: int
    code: Code = Code.OK
    text: str = ""
    metadata: Metadata = field(default_factory=dict)
    message: Message | None = None


@dataclass(frozen=True)
class Credit:
    bytes: int
    given: int | None = None
    """Bytes that were given back in this call so far, these among them; None where it is not said."""


@dataclass(frozen=True)
class Cancel:
    text: str = ""


@dataclass(frozen=True)
class Ping:
    sequence: int
    given: int | None = None


@dataclass(frozen=True)
class Pong:
    sequence: int
    given: int | None = None


Frame = Open | Accept | Item | End | Status | Credit | Cancel | Ping | Pong


def encode(frame: Frame) -> bytes:
    """Raises INTERNAL for metadata that are none, RESOURCE_EXHAUSTED for those that are too large."""
    match frame:
        case Open():
            return _array(0, VERSION, int(frame.call), frame.time_left_ms, _checked(frame.metadata), frame.credit, frame.ended, frame.message)
        case Accept():
            return _array(1, _checked(frame.metadata), frame.credit)
        case Item():
            return _array(2, frame.sequence, frame.message)
        case End():
            return _array(3, frame.sequence)
        case Status():
            return _array(4, frame.sequence, int(frame.code), _sendable(frame.text), _checked(frame.metadata), frame.message)
        case Credit():
            return _array(5, frame.bytes, *_given(frame.given))
        case Cancel():
            return _array(6, _sendable(frame.text))
        case Ping():
            return _array(7, frame.sequence, *_given(frame.given))
        case Pong():
            return _array(8, frame.sequence, *_given(frame.given))


def _given(given: int | None) -> tuple[int, ...]:
    return () if given is None else (given,)


def _sendable(text: str) -> str:
    """Cut, and without halves of surrogates."""
    return text[:TEXT_MAX].encode("utf-8", "replace").decode()


def _array(*items: Any) -> bytes:
    packer = msgpack.Packer(autoreset=False)
    packer.pack_array_header(len(items))
    for item in items:
        if isinstance(item, Here):
            head: bytes = packer.bytes()
            return head + b"\x92\x00" + item.packed
        if isinstance(item, Reference):
            packer.pack([1, item.object, item.size, item.sha256])
        else:
            packer.pack(item)
    written: bytes = packer.bytes()
    return written


def _checked(metadata: Metadata) -> Metadata:
    for key, value in metadata.items():
        if not _is_entry(key, value):
            raise BridgeError(Code.INTERNAL, f'Cannot use the metadata "{key}": they are strings or bytes under keys in lower case')
    try:
        size = len(msgpack.packb(metadata)) if metadata else 0
    except UnicodeEncodeError as error:
        raise BridgeError(Code.INTERNAL, f"Cannot use metadata: {error}") from error
    if size > LIMITS.metadata_bytes_max:
        raise BridgeError(Code.RESOURCE_EXHAUSTED, f"Cannot use metadata of {size} bytes: metadata_bytes_max is {LIMITS.metadata_bytes_max}")
    return metadata


def _is_entry(key: Any, value: Any) -> bool:
    return isinstance(key, str) and key != "" and key == key.lower() and isinstance(value, (str, bytes))


def decode(data: bytes) -> Frame:
    """Raises INTERNAL; UNIMPLEMENTED for a newer version; RESOURCE_EXHAUSTED for metadata that are too large."""
    try:
        return _Reader(data).frame()
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise unreadable(str(error) or type(error).__name__) from error


def unreadable(why: str) -> BridgeError:
    return BridgeError(Code.INTERNAL, f"Cannot read a frame: {why}")


def _refuse_extension(code: int, data: bytes) -> Any:
    raise ValueError(f"extension {code} is not of the wire")


class _Reader:
    """Walks over the items of a frame; the value of a message is stepped over and cut out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._unpacker = msgpack.Unpacker(max_buffer_size=max(len(data), 1), ext_hook=_refuse_extension)
        self._unpacker.feed(data)
        self._left = 0

    def frame(self) -> Frame:
        self._left = self._unpacker.read_array_header()
        kind = self._count("its kind")
        if kind >= len(_READERS):
            raise unreadable("its kind is not known")
        frame = _READERS[kind](self)
        for _ in range(self._left):
            self._unpacker.skip()
        if self._unpacker.tell() != len(self._data):
            raise unreadable("there are bytes behind it")
        return frame

    def _next(self, what: str) -> None:
        if self._left == 0:
            raise unreadable(f"it ends before {what}")
        self._left -= 1

    def _count(self, what: str) -> int:
        self._next(what)
        value = self._unpacker.unpack()
        if type(value) is not int or not 0 <= value < 2**53:
            raise unreadable(f"{what} is no count")
        return value

    def _count_or_none(self) -> int | None:
        """None where it is not there, or something else that a newer side may have put there."""
        if self._left == 0:
            return None
        self._next("")
        value = self._unpacker.unpack()
        return value if type(value) is int and 0 <= value < 2**53 else None

    def _text(self, what: str) -> str:
        self._next(what)
        value = self._unpacker.unpack()
        if not isinstance(value, str):
            raise unreadable(f"{what} is no text")
        return value

    def _flag(self, what: str) -> bool:
        self._next(what)
        value = self._unpacker.unpack()
        if not isinstance(value, bool):
            raise unreadable(f"{what} is no boolean")
        return value

    def _metadata(self) -> Metadata:
        self._next("its metadata")
        value = self._unpacker.unpack()
        if not isinstance(value, dict):
            raise unreadable("its metadata are no map")
        return _checked(value)

    def _message_or_none(self) -> Message | None:
        self._next("its message")
        at = self._unpacker.tell()
        if self._data[at : at + 1] == b"\xc0":
            self._unpacker.skip()
            return None
        return self._message_items()

    def _message(self) -> Message:
        message = self._message_or_none()
        if message is None:
            raise unreadable("its message is null")
        return message

    def _message_items(self) -> Message:
        outer, self._left = self._left, self._unpacker.read_array_header()
        form = self._count("the form of its message")
        if form == 0:
            message: Message = Here(self._value())
        elif form == 1:
            message = Reference(self._text("its object"), self._count("the size of its object"), self._digest())
        else:
            raise unreadable("the form of its message is not known")
        for _ in range(self._left):
            self._unpacker.skip()
        self._left = outer
        return message

    def _value(self) -> bytes:
        self._next("the value of its message")
        start = self._unpacker.tell()
        self._unpacker.skip()
        return self._data[start : self._unpacker.tell()]

    def _digest(self) -> str:
        digest = self._text("the digest of its message")
        if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
            raise unreadable("the digest of its message is none")
        return digest

    def open(self) -> Open:
        version = self._count("its version")
        if version > VERSION:
            raise BridgeError(Code.UNIMPLEMENTED, f"This side speaks version {VERSION} of the bridge, the call is of version {version}")
        if version != VERSION:
            raise unreadable(f"there is no version {version}")
        kind = self._count("its kind of call")
        if kind > CallKind.BIDIRECTIONAL:
            raise unreadable("its kind of call is not known")
        call = CallKind(kind)
        opened = Open(call, self._count("its time left"), self._metadata(), self._count("its credit"), self._flag("whether it has ended"), self._message_or_none())
        fits = opened.ended or opened.message is None if call.streams_up else opened.ended and opened.message is not None
        if not fits:
            raise unreadable("its message does not fit its kind of call")
        return opened

    def accept(self) -> Accept:
        return Accept(self._metadata(), self._count("its credit"))

    def item(self) -> Item:
        return Item(self._count("its sequence"), self._message())

    def end(self) -> End:
        return End(self._count("its sequence"))

    def status(self) -> Status:
        sequence, code = self._count("its sequence"), self._count("its code")
        if code > Code.UNAUTHENTICATED:
            raise unreadable("its code is none")
        return Status(sequence, Code(code), self._text("its text"), self._metadata(), self._message_or_none())

    def credit(self) -> Credit:
        return Credit(self._count("its bytes"), self._count_or_none())

    def cancel(self) -> Cancel:
        return Cancel(self._text("its text"))

    def ping(self) -> Ping:
        return Ping(self._count("its sequence"), self._count_or_none())

    def pong(self) -> Pong:
        return Pong(self._count("its sequence"), self._count_or_none())


_READERS: list[Callable[[_Reader], Frame]] = [
    _Reader.open, _Reader.accept, _Reader.item, _Reader.end, _Reader.status, _Reader.credit, _Reader.cancel, _Reader.ping, _Reader.pong,
]
