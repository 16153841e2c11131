"""Frames and values, without a server.

The golden frames are those of the TypeScript side: what it writes is read here, what it refuses is refused here with the same
status. Random values go through a frame and back, and random bytes end in a frame or in a status, never in another error.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spar_trainer.bridge import BridgeError, Code
from spar_trainer.bridge.arrays import DTYPES, from_wire, to_wire
from spar_trainer.bridge.frames import Accept, CallKind, Cancel, Credit, End, Frame, Here, Item, Open, Ping, Pong, Reference, Status, decode, encode
from spar_trainer.bridge.limits import ArrayLimits
from spar_trainer.bridge.values import pack, unpack

GOLDEN: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "test" / "bridge" / "golden.json").read_text("utf8"))
# JavaScript has no such integers; Python has, and the wire leaves the refusal to JavaScript.
ONLY_JAVASCRIPT_REFUSES = {"an integer beyond 2^53"}


def from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    return bytes.fromhex(value["$bytes"]) if "$bytes" in value else {key: from_json(item) for key, item in value.items()}


def read_all(data: bytes) -> Frame:
    """With the value of its message."""
    frame = decode(data)
    message = getattr(frame, "message", None)
    if isinstance(message, Here):
        unpack(message.packed)
    return frame


@pytest.mark.parametrize("golden", [golden for golden in GOLDEN if not golden.get("invalid")], ids=lambda golden: golden["name"])
def test_a_golden_frame_is_read_and_written(golden: dict[str, Any]) -> None:
    data = bytes.fromhex(golden["hex"])
    written = encode(read_all(data))
    assert msgpack.unpackb(written) == from_json(golden["frame"])
    if not golden.get("lenient"):
        assert written == data, "what was read is written as it was"


@pytest.mark.parametrize("golden", [golden for golden in GOLDEN if not golden.get("invalid")], ids=lambda golden: golden["name"])
def test_the_message_of_a_golden_frame_is_written_as_it_was(golden: dict[str, Any]) -> None:
    message = getattr(decode(bytes.fromhex(golden["hex"])), "message", None)
    if isinstance(message, Here):
        # Arrays become NumPy's and maps of the wire again; MessagePack has two forms of large positive integers.
        assert msgpack.unpackb(pack(unpack(message.packed))) == msgpack.unpackb(message.packed)


@pytest.mark.parametrize("golden", [golden for golden in GOLDEN if golden.get("invalid")], ids=lambda golden: golden["name"])
def test_an_invalid_golden_frame_is_refused(golden: dict[str, Any]) -> None:
    if golden["name"] in ONLY_JAVASCRIPT_REFUSES:
        read_all(bytes.fromhex(golden["hex"]))
        return
    with pytest.raises(BridgeError) as caught:
        read_all(bytes.fromhex(golden["hex"]))
    assert caught.value.code == golden["status"]


counts = st.integers(0, 2**53 - 1)
texts = st.text(max_size=50)
metadata = st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True), texts | st.binary(max_size=50), max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
messages = values.map(lambda value: Here(pack(value))) | st.builds(Reference, texts, counts, st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
opens = st.builds(Open, st.sampled_from([CallKind.UNARY, CallKind.SERVER_STREAM]), counts, metadata, counts, st.just(True), messages) | st.builds(
    Open, st.sampled_from([CallKind.CLIENT_STREAM, CallKind.BIDIRECTIONAL]), counts, metadata, counts, st.booleans(), st.none()
)
frames = (
    opens
    | st.builds(Accept, metadata, counts)
    | st.builds(Item, counts, messages)
    | st.builds(End, counts)
    | st.builds(Status, counts, st.sampled_from(Code), texts, metadata, st.none() | messages)
    | st.builds(Credit, counts, st.none() | counts)
    | st.builds(Cancel, texts)
    | st.builds(Ping, counts, st.none() | counts)
    | st.builds(Pong, counts, st.none() | counts)
)


@given(frames)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(frames, st.lists(values, min_size=1, max_size=3))
def test_items_behind_the_known_ones_are_ignored(frame: Frame, more: list[Any]) -> None:
    assume(getattr(frame, "given", 0) is not None)
    data = encode(frame)
    assert data[0] & 0xF0 == 0x90, "a frame is a short list"
    longer = bytes([data[0] + len(more)]) + data[1:] + b"".join(map(pack, more))
    assert decode(longer) == frame


@given(frames, st.data())
def test_a_frame_that_is_cut_off_is_refused(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    with pytest.raises(BridgeError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=200) | st.tuples(st.integers(0x90, 0x9F), st.integers(0, 9), st.binary(max_size=100)).map(lambda parts: bytes(parts[:2]) + parts[2]))
def test_garbage_is_a_frame_or_a_status(data: bytes) -> None:
    try:
        read_all(data)
    except BridgeError:
        return


@given(values)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_an_array_comes_back_as_it_was(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape)
    back = unpack(pack({"array": array}))["array"]
    assert (back.dtype.str, back.shape) == (dtype, shape)
    np.testing.assert_array_equal(back, array)


def test_arrays_are_read_without_a_copy_and_written_little_endian() -> None:
    data = bytes(range(8))
    assert from_wire({"dtype": "<u2", "shape": [4], "data": data}).base is not None
    big = np.array([[1, 2], [3, 4]], dtype=">i4")
    for array in (big, np.asfortranarray(big.astype("<i4"))):
        assert bytes(to_wire(array)["data"]) == np.array([1, 2, 3, 4], dtype="<i4").tobytes()
    assert unpack(pack([np.float32(1.5), np.int64(7), np.bool_(True)])) == [1.5, 7, True]


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["text"]), np.array([1 + 2j]), np.array([True]), np.array([1], dtype="f2")], ids=lambda array: array.dtype.str)
def test_an_array_of_another_type_is_not_sent(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="dtype"):
        pack(array)


@pytest.mark.parametrize(
    ("dtype", "shape", "data"),
    [
        ("|O", [1], b"12345678"), (">i4", [1], b"1234"), (["<i4"], [1], b"1234"), ("<i4", [2], b"1234"), ("<i4", [-1], b""), ("<i4", [-1, -1], b"1234"),
        ("<i4", [1.0], b"1234"), ("<i4", [True], b"1234"), ("<i4", 1, b"1234"), ("<i4", [1], "1234"), ("|u1", [2**62, 2**62, 0], b"1"),
        ("|u1", [1] * 9, b"1"), ("|u1", [2**40], b"1"),
    ],
)
def test_an_array_that_does_not_fit_itself_is_refused(dtype: Any, shape: Any, data: Any) -> None:
    with pytest.raises(BridgeError) as caught:
        unpack(pack({"dtype": dtype, "shape": shape, "data": data}))
    assert caught.value.code is Code.INTERNAL


def test_an_array_has_a_largest_size() -> None:
    with pytest.raises(ValueError, match="items_max"):
        from_wire({"dtype": "|u1", "shape": [3], "data": b"123"}, ArrayLimits(items_max=2))
