# Reads golden files without Spar and without any package: a small msgpack reader, and arrays as docs/records.md describes
# them. Usage: read.py FILE.msgpack FILE.json, where an array in the JSON is {dtype, shape, values}, 64-bit integers being
# strings. Prints "same" or says what differs. Where the package msgpack is installed, it has to read the same.

import array
import json
import struct
import sys

FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
NUMBERS = {0xCA: '>f', 0xCB: '>d', 0xCC: '>B', 0xCD: '>H', 0xCE: '>I', 0xCF: '>Q', 0xD0: '>b', 0xD1: '>h', 0xD2: '>i', 0xD3: '>q'}
LENGTHS = {0xC4: '>B', 0xC5: '>H', 0xC6: '>I', 0xD9: '>B', 0xDA: '>H', 0xDB: '>I', 0xDC: '>H', 0xDD: '>I', 0xDE: '>H', 0xDF: '>I'}
DTYPES = {'|u1': 'B', '|i1': 'b', '<u2': 'H', '<i2': 'h', '<u4': 'I', '<i4': 'i', '<u8': 'Q', '<i8': 'q', '<f4': 'f', '<f8': 'd'}


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        part = self.data[self.at:self.at + length]
        assert len(part) == length, 'unexpected end'
        self.at += length
        return part

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        tag = self.take(1)[0]
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag in FIXED:
            return FIXED[tag]
        if tag in NUMBERS:
            return self.number(NUMBERS[tag])
        if tag < 0x90:
            return self.map(tag & 0x0F)
        if tag < 0xA0:
            return self.list(tag & 0x0F)
        if tag < 0xC0:
            return self.take(tag & 0x1F).decode()
        length = self.number(LENGTHS[tag])
        if tag <= 0xC6:
            return bytes(self.take(length))
        if tag <= 0xDB:
            return self.take(length).decode()
        return self.list(length) if tag <= 0xDD else self.map(length)

    def list(self, length):
        return [self.value() for _ in range(length)]

    def map(self, length):
        return {self.value(): self.value() for _ in range(length)}


def numbers(wire):
    """The numbers of an array of the wire, flat."""
    items = struct.unpack(f"<{len(wire['data']) // array.array(DTYPES[wire['dtype']]).itemsize}{DTYPES[wire['dtype']]}", wire['data'])
    count = 1
    for length in wire['shape']:
        count *= length
    assert count == len(items), 'the shape does not fit'
    return items


def described(value):
    """A value as the JSON beside it describes it."""
    if isinstance(value, dict) and set(value) == {'dtype', 'shape', 'data'}:
        wide = value['dtype'] in ('<u8', '<i8')
        return {'dtype': value['dtype'], 'shape': value['shape'], 'values': [str(item) if wide else item for item in numbers(value)]}
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    if isinstance(value, list):
        return [described(item) for item in value]
    return value


def read(path):
    with open(path, 'rb') as file:
        data = file.read()
    reader = Reader(data)
    value = reader.value()
    assert reader.at == len(data), 'bytes are left'
    try:
        import msgpack
    except ImportError:
        return value
    assert msgpack.unpackb(data) == value, 'the package msgpack reads something else'
    return value


with open(sys.argv[2], encoding='utf-8') as file:
    expected = json.load(file)
found = described(read(sys.argv[1]))
print('same' if found == expected else f'different: {found}')
