"""§3 and §4: encodings, commitments and leaves."""

import base64
import binascii
import io

import blake3
import cbor2

from codes import Refused, need


KINDS = {1: "interaction", 2: "tool_call", 3: "guardrail", 4: "approval", 5: "lifecycle", 6: "key",
         7: "heartbeat"}


def u64(number):
    return number.to_bytes(8, "big")


def unbase64(text, code):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refused(code, "base64") from error
    # Loose bits and odd padding have another canonical form.
    need(base64.b64encode(data).decode() == text, code, "base64")
    return data


def derive(context, data):
    return blake3.blake3(data, derive_key_context=context).digest()


def commit(field, salt, value):
    return derive("nfa 2026-01-01 field commitment v1", u64(field) + salt + u64(len(value)) + value)


def extend(head, parts):
    return derive("nfa 2026-01-01 context chain v1", head + u64(len(parts)) + b"".join(parts))


def decode_leaf(data):
    """The leaf as a dict, or the code of what is met first from left to right."""
    need(len(data) <= 16384, "leaf_encoding", "too long")
    # Bytes that are not CBOR after a version or kind of the future: the page gives the first.
    stream = io.BytesIO(data)
    first = stream.read(1)
    need(first in (b"\xa9", b"\xaa"), "leaf_encoding", "not a map of 9 or 10")
    keys = [0, 1, 2, 3, 4, 5, 6, 7] + ([8] if first == b"\xaa" else []) + [9]
    leaf = {}
    for key in keys:
        need(item(stream) == key, "leaf_encoding", f"key {key}")
        if key == 9:
            leaf[key] = decode_fields(stream)
            continue
        value = item(stream)
        if key in (0, 2, 6, 7):
            need(type(value) is int and 0 <= value < 2**64, "leaf_encoding", f"key {key}")
        elif key == 1:
            need(type(value) is str, "leaf_encoding", "domain")
        else:
            size = 32 if key == 8 else 16
            need(type(value) is bytes and len(value) == size, "leaf_encoding", f"key {key}")
        if key == 0:
            need(value == 1, "leaf_version")
        if key == 1:
            need(value == "nfa/proof-of-prompt", "leaf_domain")
        if key == 2:
            need(value in KINDS, "leaf_kind")
        leaf[key] = value
    need(stream.read(1) == b"", "leaf_encoding", "trailing bytes")
    return leaf


def decode_fields(stream):
    count = head(stream, 4)
    need(count <= 256, "leaf_encoding", "too many fields")
    fields, last = {}, 0
    for _ in range(count):
        need(head(stream, 4) == 3, "leaf_encoding", "a commitment has three items")
        field = item(stream)
        need(type(field) is int and last < field <= 65535, "leaf_encoding", "field id")
        algorithm = item(stream)
        need(type(algorithm) is int and algorithm >= 0, "leaf_encoding", "algorithm")
        need(algorithm == 1, "leaf_algorithm")
        commitment = item(stream)
        need(type(commitment) is bytes and len(commitment) == 32, "leaf_encoding", "commitment")
        fields[field], last = commitment, field
    return fields


def item(stream):
    """One data item by cbor2, refused unless cbor2 writes it back as the same bytes."""
    start = stream.tell()
    try:
        value = cbor2.CBORDecoder(io.BytesIO(stream.getvalue()[start:])).decode()
        written = cbor2.dumps(value, canonical=True)
    except Exception as error:  # whatever cbor2 does not like is not a leaf
        raise Refused("leaf_encoding", str(error)) from error
    need(stream.read(len(written)) == written, "leaf_encoding", "not the shortest form")
    return value


def head(stream, major):
    """The count of an array whose items are read one by one."""
    initial = stream.read(1)
    need(initial and initial[0] >> 5 == major, "leaf_encoding", "array")
    low = initial[0] & 31
    if low < 24:
        return low
    need(low in (24, 25, 26, 27), "leaf_encoding", "indefinite length")
    width = 1 << (low - 24)
    more = stream.read(width)
    need(len(more) == width, "leaf_encoding", "cut")
    count = int.from_bytes(more, "big")
    need(count >= (24, 2**8, 2**16, 2**32)[low - 24], "leaf_encoding", "not the shortest form")
    return count
