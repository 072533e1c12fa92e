#!/usr/bin/env python3
"""A verifier of proof bundles, written from docs/proof-of-prompt.md alone.

    verify.py BUNDLE --key VKEY [--witness VKEY]... [--witnesses N] [--cutoff VKEY=SIZE]...
    verify.py --audit FOLDER --key VKEY [...]
    verify.py --vectors FOLDER

It shares no code with the Rust verifier: CBOR is cbor2's, Ed25519 is OpenSSL's, BLAKE3 and JSON
are Python packages; keccak is written out below. Exit codes: 0 valid, 1 invalid or vectors disagree, 2 the policy is unmet,
3 cannot read.
"""

import argparse
import base64
import binascii
import hashlib
import io
import json
import pathlib
import sys
import unicodedata

import blake3
import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

MAX_INTEGER = 2**53 - 1
KINDS = {1: "interaction", 2: "tool_call", 3: "guardrail", 4: "approval", 5: "lifecycle", 6: "key",
         7: "heartbeat"}
CONTEXT, CONTEXT_PART = 18, 19
KEY_EVENT, OLD_KEY, NEW_KEY, KEY_SIGNATURE, CUTOFF_SIZE = 96, 97, 98, 99, 100
UNREADABLE = {"note_malformed", "key_malformed", "checkpoint_malformed", "anchor_malformed",
              "checkpoint_missing", "checkpoints_malformed", "tile_missing", "tile_malformed",
              "entries_missing", "entries_malformed", "bundle_too_large", "bundle_json",
              "bundle_format", "bundle_version", "bundle_not_canonical", "bundle_limits",
              "bundle_order", "leaf_encoding", "leaf_version", "leaf_domain", "leaf_kind",
              "leaf_algorithm"}
UNMET = {"log_key_unknown", "log_signature_missing", "log_key_cut_off", "witnesses_missing"}


class Refused(Exception):
    """A rule of the page is broken; `code` is the page's."""

    def __init__(self, code, why=""):
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code


def need(condition, code, why=""):
    if not condition:
        raise Refused(code, why)


# §0 and §3: encodings and commitments


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


# §4: leaf


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


# §5: tree


def hasher(name):
    if name == "sha256":
        return lambda data: hashlib.sha256(data).digest()
    return lambda data: blake3.blake3(data).digest()


def tree_root(h, hashes):
    if not hashes:
        return h(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return h(b"\x01" + tree_root(h, hashes[:k]) + tree_root(h, hashes[k:]))


def verify_inclusion(h, leaf_hash, index, size, proof, root):
    need(index < size, "index_out_of_range")
    fn, sn, r = index, size - 1, leaf_hash
    for p in proof:
        need(sn != 0, "inclusion_proof_length")
        if fn & 1 or fn == sn:
            r = h(b"\x01" + p + r)
            while fn != 0 and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = h(b"\x01" + r + p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "inclusion_proof_length")
    need(r == root, "inclusion_mismatch")


def verify_many(h, leaves, size, proof, root):
    """One proof for (index, leaf hash) pairs."""
    indices = [index for index, _ in leaves]
    need(indices and all(a < b for a, b in zip(indices, indices[1:])), "index_order")
    need(indices[-1] < size, "index_out_of_range")
    rest, hashes = list(proof), dict(leaves)

    def rebuild(low, high, inside):
        if not inside:
            need(rest, "inclusion_proof_length")
            return rest.pop(0)
        if high - low == 1:
            return hashes[low]
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        left = rebuild(low, middle, [i for i in inside if i < middle])
        right = rebuild(middle, high, [i for i in inside if i >= middle])
        return h(b"\x01" + left + right)

    found = rebuild(0, size, indices)
    need(not rest, "inclusion_proof_length")
    need(found == root, "inclusion_mismatch")


def verify_consistency(h, old, new, proof, old_root, new_root):
    need(old <= new, "consistency_sizes")
    if old in (0, new):
        need(not proof, "consistency_proof_length")
        need(old_root == (h(b"") if old == 0 else new_root), "consistency_mismatch")
        return
    if old & (old - 1) == 0:
        proof = [old_root] + proof
    need(proof, "consistency_proof_length")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        need(sn != 0, "consistency_proof_length")
        if fn & 1 or fn == sn:
            fr, sr = h(b"\x01" + c + fr), h(b"\x01" + c + sr)
            while fn != 0 and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = h(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "consistency_proof_length")
    need(fr == old_root and sr == new_root, "consistency_mismatch")


# §6: notes and keys

ED25519_P = 2**255 - 19


def check_name(name, code):
    odd = any(c == "+" or c.isspace() or unicodedata.category(c) == "Cc" for c in name)
    need(name and len(name.encode()) <= 255 and not odd, code, "name")


def double_is_neutral_after_three(y):
    """Whether 8 times a point with this y is the neutral element: its order is small.

    On the curve -x^2 + y^2 = 1 + d x^2 y^2, doubling takes y to (x^2 + y^2) / (2 + x^2 - y^2).
    """
    p, d = ED25519_P, -121665 * pow(121666, -1, ED25519_P) % ED25519_P
    for _ in range(3):
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        y = (x2 + y * y) * pow(2 + x2 - y * y, -1, p) % p
    return y == 1


def on_curve(y):
    p, d = ED25519_P, -121665 * pow(121666, -1, ED25519_P) % ED25519_P
    x2 = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    return x2 == 0 or pow(x2, (p - 1) // 2, p) == 1


class Key:
    def __init__(self, vkey):
        parts = vkey.split("+", 2)
        need(len(parts) == 3, "key_malformed", "name+id+key")
        self.vkey, (self.name, key_id, key) = vkey, parts
        check_name(self.name, "key_malformed")
        data = unbase64(key, "key_malformed")
        need(len(data) == 33 and data[0] in (1, 4), "key_malformed", "type or length")
        self.type, self.public = data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        need(self.id.hex() == key_id, "key_malformed", "id")
        y = int.from_bytes(self.public, "little") & (2**255 - 1)
        need(y < ED25519_P and on_curve(y), "key_malformed", "not a point")
        need(not double_is_neutral_after_three(y), "key_malformed", "small order")

    def verify(self, text, signature):
        """The time of a cosignature, None for another signature."""
        time, message = None, text.encode()
        if self.type == 4:
            need(len(signature) == 72, "signature_invalid", self.name)
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            need(time < 2**63, "signature_invalid", self.name)
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        need(self.made(signature, message), "signature_invalid", self.name)
        return time

    def made(self, signature, message):
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return len(signature) == 64

    def __eq__(self, other):
        return self.vkey == other.vkey

    def __hash__(self):
        return hash(self.vkey)


class Note:
    def __init__(self, data):
        code = "note_malformed"
        need(len(data) <= 65536, code, "too long")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(code, "UTF-8") from error
        split = whole.rfind("\n\n")
        need(split >= 0, code, "no blank line")
        self.text, lines = whole[: split + 1], whole[split + 2 :]
        need(not any(c < " " and c != "\n" for c in self.text), code, "control character")
        need(lines.endswith("\n"), code, "last newline")
        self.signatures = {}
        for line in lines[:-1].split("\n"):
            need(line.startswith("\u2014 "), code, "dash")
            name, space, signature = line[2:].partition(" ")
            need(space, code, "signature line")
            signature = unbase64(signature, code)
            need(len(signature) > 4, code, "short signature")
            check_name(name, code)
            who = (name, signature[:4])
            need(who not in self.signatures, code, "signed twice")
            self.signatures[who] = signature[4:]
        need(len(self.signatures) <= 100, code, "too many signatures")

    def signed_by(self, keys):
        """(key, time) of those of `keys` that signed; every one of them must have."""
        known = {(key.name, key.id): key for key in keys}
        return [
            (known[who], known[who].verify(self.text, signature))
            for who, signature in self.signatures.items()
            if who in known
        ]


def plain_size(text):
    """A size in its one form, or None."""
    if not (text.isascii() and text.isdigit() and str(int(text)) == text):
        return None
    return int(text) if int(text) <= MAX_INTEGER else None


def key_event(shown):
    """(old key, new key or None, cut-off or None) of what a key leaf discloses, or None."""
    code = "key_event_invalid"
    if not {KEY_EVENT, OLD_KEY, KEY_SIGNATURE} <= set(shown):
        return None

    def key(field):
        if field not in shown:
            return None
        try:
            return Key(shown[field].decode("utf-8"))
        except (Refused, UnicodeDecodeError) as error:
            raise Refused(code, "key") from error

    old, new, cutoff = key(OLD_KEY), key(NEW_KEY), None
    if CUTOFF_SIZE in shown:
        cutoff = plain_size(shown[CUTOFF_SIZE].decode("latin-1"))
        need(cutoff is not None, code, "cutoff")
    name = shown[KEY_EVENT]
    need(name in (b"rotate", b"revoke"), code, "event")
    need((new is not None) if name == b"rotate" else (new is None and cutoff is not None), code)
    need(old.type == 1, code, "a cosignature key")
    if new is not None:
        need(new.type == 1 and new.name == old.name and new != old, code, "new key")
    lines = ["nfa key event v1", old.name, name.decode(), old.vkey, new.vkey if new else "",
             "" if cutoff is None else str(cutoff)]
    statement = "".join(line + "\n" for line in lines).encode()
    need(old.made(shown[KEY_SIGNATURE], statement), code, "signature")
    return old, new, cutoff


class Policy:
    def __init__(self, log_keys, witnesses=(), required=0, cutoffs=()):
        self.log_keys, self.witnesses, self.required = list(log_keys), list(witnesses), required
        self.cutoffs = list(cutoffs)

    def own(self, origin):
        own = [key for key in self.log_keys if key.type == 1 and key.name == origin]
        need(own, "log_key_unknown")
        return own

    def cosigners(self, note):
        logs = {key.public for key in self.log_keys}
        return {key.public for key, _ in note.signed_by(self.witnesses)} - logs

    def speaker(self, note, checkpoint, events=()):
        """The key that speaks for the log; `events` are (index, event) of its key leaves."""
        own = self.own(checkpoint.origin)

        def cutoff(key):
            named = [size for cut, size in self.cutoffs if cut == key]
            said = [event[2] for _, event in events if event[0] == key and event[2] is not None]
            return min(named + said, default=None)

        since = {key: -1 for key in own}
        for index, (old, new, _) in sorted(events, key=lambda event: event[0]):
            if new is None or new in since or old not in since or since[old] >= index:
                continue
            if any(cut == old for cut, _ in self.cutoffs):
                continue
            if cutoff(old) is None or index < cutoff(old):
                since[new] = index
        signed = {key for key, _ in note.signed_by(list(since))}
        signed = [key for key in since if key in signed]
        need(signed, "log_signature_missing")
        signed = [key for key in signed if cutoff(key) is None or checkpoint.size < cutoff(key)]
        need(signed, "log_key_cut_off")
        return signed[0]


# §7: checkpoint


class Checkpoint:
    def __init__(self, text):
        code = "checkpoint_malformed"
        need(text.endswith("\n"), code, "last newline")
        lines = text[:-1].split("\n")
        need(len(lines) >= 3, code, "three lines")
        self.origin, size, root, *extensions = lines
        check_name(self.origin, code)
        self.size = plain_size(size)
        need(self.size is not None, code, "size")
        self.root = unbase64(root, code)
        need(len(self.root) == 32, code, "root")
        for line in extensions:
            control = any(unicodedata.category(c) == "Cc" for c in line)
            need(line and not control, code, "extension")
        named = [line for line in extensions if line.startswith("hasher ")]
        need(named in ([], ["hasher blake3"]), code, "hasher")
        self.hasher = "blake3" if named else "sha256"


# §8 and §9: bundle


def once(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "bundle_json", "a member twice")
    return members


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def shape(value, required, optional=()):
    need(type(value) is dict, "bundle_json", "object")
    need(set(required) <= set(value) <= set(required) | set(optional), "bundle_json", "members")
    for name, check in required.items():
        check(value[name])


def text(value):
    need(type(value) is str, "bundle_json", "text")


def integer(value):
    need(type(value) is int and 0 <= value <= MAX_INTEGER, "bundle_json", "integer")


def field_id(value):
    need(type(value) is int and 1 <= value <= 65535, "bundle_json", "field id")


def octets(length=None):
    def check(value):
        text(value)
        need(length in (None, len(unbase64(value, "bundle_json"))), "bundle_json", "length")

    return check


def array(check):
    def checked(value):
        need(type(value) is list, "bundle_json", "array")
        for element in value:
            check(element)

    return checked


def shaped(required):
    return lambda value: shape(value, required)


def leaf_shape(value):
    shape(
        value,
        {
            "disclosed": array(shaped({"field": field_id, "salt": octets(32), "value": octets()})),
            "erased": array(field_id),
            "index": integer,
            "leaf": octets(),
            "proof": array(octets(32)),
        },
        ("context",),
    )
    if "context" in value:
        part = {"part": integer, "salt": octets(32), "step": integer, "value": octets()}
        shape(
            value["context"],
            {
                "parts": array(shaped(part)),
                "start": octets(32),
                "steps": array(array(octets(32))),
            },
        )


def bounded(value, least, most):
    need(least <= len(value) <= most, "bundle_limits")


def increasing(items):
    need(all(a < b for a, b in zip(items, items[1:])), "bundle_order")


def read_bundle(data):
    need(len(data) <= 16777216, "bundle_too_large")
    try:
        bundle = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused("bundle_json", str(error)) from error
    need(type(bundle) is dict, "bundle_json", "object")
    need(bundle.get("format") == "nfa-proof-bundle", "bundle_format")
    version = bundle.get("version")
    need(type(version) is int and version == 1, "bundle_version")
    shape(
        bundle,
        {
            "anchors": array(shaped({"data": octets(), "kind": text})),
            "checkpoint": text,
            "digest": octets(32),
            "format": text,
            "hasher": text,
            "leaves": array(leaf_shape),
            "origin": text,
            "version": integer,
        },
    )
    need(bundle["hasher"] in ("sha256", "blake3"), "bundle_json", "hasher")
    need(canonical(bundle) == data, "bundle_not_canonical")

    bounded(bundle["leaves"], 1, 1024)
    bounded(bundle["checkpoint"].encode(), 1, 65536)
    bounded(bundle["anchors"], 0, 16)
    for anchor in bundle["anchors"]:
        bounded(anchor["kind"].encode(), 1, 64)
        bounded(base64.b64decode(anchor["data"]), 0, 65536)
    increasing([leaf["index"] for leaf in bundle["leaves"]])
    for leaf in bundle["leaves"]:
        bounded(base64.b64decode(leaf["leaf"]), 0, 16384)
        bounded(leaf["proof"], 0, 64)
        bounded(leaf["disclosed"], 0, 256)
        bounded(leaf["erased"], 0, 256)
        increasing([opening["field"] for opening in leaf["disclosed"]])
        increasing(leaf["erased"])
        if "context" in leaf:
            increasing([(part["step"], part["part"]) for part in leaf["context"]["parts"]])
    return bundle


def verify_leaf(proof, checkpoint):
    data = base64.b64decode(proof["leaf"])
    leaf = decode_leaf(data)
    h = hasher(checkpoint.hasher)
    path = [base64.b64decode(sibling) for sibling in proof["proof"]]
    verify_inclusion(h, h(b"\0" + data), proof["index"], checkpoint.size, path, checkpoint.root)
    for field in proof["erased"]:
        need(field in leaf[9], "field_unknown")
    shown = {}
    for opening in proof["disclosed"]:
        field, value = opening["field"], base64.b64decode(opening["value"])
        need(field in leaf[9], "field_unknown")
        need(field not in proof["erased"], "field_erased_and_disclosed")
        salt = base64.b64decode(opening["salt"])
        need(commit(field, salt, value) == leaf[9][field], "commitment_mismatch")
        shown[field] = value
    if "context" in proof:
        context = proof["context"]
        need(CONTEXT in shown, "context_not_disclosed")
        steps = [[base64.b64decode(c) for c in step] for step in context["steps"]]
        head_now = base64.b64decode(context["start"])
        for step in steps:
            head_now = extend(head_now, step)
        need(head_now == shown[CONTEXT], "context_mismatch")
        for part in context["parts"]:
            step, place = part["step"], part["part"]
            need(step < len(steps) and place < len(steps[step]), "context_mismatch")
            salt, value = base64.b64decode(part["salt"]), base64.b64decode(part["value"])
            need(commit(CONTEXT_PART, salt, value) == steps[step][place], "context_mismatch")
    return leaf, shown


# §8: anchors

ROUNDS = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)


def permute(lanes):
    def turn(lane, by):
        return ((lane << by) | (lane >> (64 - by))) & (2**64 - 1) if by else lane

    for constant in ROUNDS:
        column = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4]
                  for x in range(5)]
        mixed = [column[(x + 4) % 5] ^ turn(column[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
        (x, y), current = (1, 0), lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], turn(current, (step + 1) * (step + 2) // 2 % 64)
        lanes = [[lanes[x][y] ^ (~lanes[(x + 1) % 5][y] & lanes[(x + 2) % 5][y])
                  for y in range(5)] for x in range(5)]
        lanes[0][0] ^= constant
    return lanes


def keccak256(data):
    """Keccak as Ethereum has it: the padding of before SHA-3, a rate of 136 bytes."""
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % 136)
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), 136):
        for at in range(17):
            lane = int.from_bytes(padded[start + 8 * at : start + 8 * at + 8], "little")
            lanes[at % 5][at // 5] ^= lane
        lanes = permute(lanes)
    return b"".join(lanes[at % 5][at // 5].to_bytes(8, "little") for at in range(4))


def anchor_leaf(chain_id, origin, token_id, size, root):
    text = origin.encode()
    words = [chain_id, 160, token_id, size, int.from_bytes(root, "big"), len(text)]
    encoded = b"".join(word.to_bytes(32, "big") for word in words)
    return keccak256(keccak256(encoded + text + bytes(-len(text) % 32)))


def anchor_node(a, b):
    return keccak256(min(a, b) + max(a, b))


def anchor_root(leaves):
    nodes = [None] * (len(leaves) - 1) + sorted(leaves, reverse=True)
    for at in reversed(range(len(leaves) - 1)):
        nodes[at] = anchor_node(nodes[2 * at + 1], nodes[2 * at + 2])
    return nodes[0]


def anchor_many(leaves, proof, flags):
    """The root that a multi-proof leads to, everything used up."""
    code = "anchor_malformed"
    need(leaves and len(leaves) + len(proof) == len(flags) + 1, code)
    nodes, rest = list(leaves), list(proof)
    for flag in flags:
        need(nodes, code)
        first = nodes.pop(0)
        need(nodes if flag else rest, code)
        nodes.append(anchor_node(first, nodes.pop(0) if flag else rest.pop(0)))
    need(len(nodes) == 1 and not rest, code)
    return nodes[0]


def unhex(digits):
    def check(value):
        need(type(value) is str and len(value) == digits + 2, "bundle_json")
        need(value[:2] == "0x" and set(value[2:]) <= set("0123456789abcdef"), "bundle_json")

    return check


def verify_anchor(anchor, checkpoint):
    """What an anchor of the known kind says, or None."""
    if anchor["kind"] != "nfa-keccak-tree/v1":
        return None
    data = base64.b64decode(anchor["data"])
    try:
        said = json.loads(data.decode("utf-8"), object_pairs_hook=once)
        shape(said, {
            "chain_id": integer, "consistency": array(octets(32)), "contract": unhex(40),
            "proof": array(octets(32)), "root": octets(32), "size": integer,
            "token_id": unhex(64), "tree_root": octets(32),
        })
    except (Refused, ValueError, RecursionError) as error:
        raise Refused("anchor_malformed", str(error)) from error
    need(canonical(said) == data, "anchor_malformed", "not canonical")
    need(max(len(said["proof"]), len(said["consistency"])) <= 64, "anchor_malformed")
    root, tree_root = base64.b64decode(said["root"]), base64.b64decode(said["tree_root"])
    token, size = int(said["token_id"], 16), said["size"]
    leaf = anchor_leaf(said["chain_id"], checkpoint.origin, token, size, root)
    found = leaf
    for sibling in said["proof"]:
        found = anchor_node(found, base64.b64decode(sibling))
    need(found == tree_root, "anchor_mismatch")
    old, new = (size, root), (checkpoint.size, checkpoint.root)
    if size > checkpoint.size:
        old, new = new, old
    proof = [base64.b64decode(node) for node in said["consistency"]]
    verify_consistency(hasher(checkpoint.hasher), old[0], new[0], proof, old[1], new[1])
    return {"size": size, "leaf": "0x" + leaf.hex(), "tree_root": "0x" + tree_root.hex()}


def verify_bundle(data, policy):
    bundle = read_bundle(data)
    note = Note(bundle["checkpoint"].encode())
    checkpoint = Checkpoint(note.text)
    need(bundle["origin"] == checkpoint.origin, "origin_mismatch")
    need(bundle["hasher"] == checkpoint.hasher, "hasher_mismatch")
    note.signed_by(policy.own(checkpoint.origin))
    seen = policy.cosigners(note)
    leaves = [verify_leaf(proof, checkpoint) for proof in bundle["leaves"]]
    events = [(proof["index"], key_event(shown))
              for proof, (leaf, shown) in zip(bundle["leaves"], leaves) if leaf[2] == 6]
    events = [(index, event) for index, event in events
              if event and event[0].name == checkpoint.origin]
    anchored = [verify_anchor(anchor, checkpoint) for anchor in bundle["anchors"]]
    places = [(leaf[3], leaf[4], leaf[6]) for leaf, _ in leaves]
    need(len(set(places)) == len(places), "sequence_conflict")
    stated = bundle.pop("digest")
    digest = base64.b64encode(hashlib.sha256(canonical(bundle)).digest()).decode()
    need(stated == digest, "bundle_digest")
    key = policy.speaker(note, checkpoint, events)
    need(len(seen) >= policy.required, "witnesses_missing")

    ids = {
        hashlib.sha256(b"\0" + base64.b64decode(proof["leaf"])).digest(): proof["index"]
        for proof in bundle["leaves"]
    }
    report = []
    for proof, (leaf, shown) in zip(bundle["leaves"], leaves):
        hidden = [f for f in leaf[9] if f not in shown and f not in proof["erased"]]
        report.append(
            {
                "index": proof["index"],
                "kind": KINDS[leaf[2]],
                "sequence": leaf[6],
                "parent_index": ids.get(leaf.get(8)),
                "disclosed": list(shown),
                "erased": proof["erased"],
                "hidden": hidden,
                "context_parts": len(proof.get("context", {}).get("parts", [])),
            }
        )
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": base64.b64encode(checkpoint.root).decode(),
        "witnesses": len(seen),
        "key": key.vkey,
        "anchored": [
            dict(said, not_covered=[leaf["index"] for leaf in bundle["leaves"]
                                    if leaf["index"] >= said["size"]])
            for said in anchored if said
        ],
        "leaves": report,
    }


# §10: export and audit


def place(index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups) + (f".p/{width}" if width < 256 else "")


def width_at(level, index, size):
    return max(0, min(256, (size >> 8 * level) - 256 * index))


class Audit:
    """Everything that is wrong with an exported log; `read` gives a file's bytes or None."""

    def __init__(self, read, policy):
        self.read, self.policy, self.findings, self.complete = read, policy, [], False
        self.leaves, self.sessions = 0, {}
        try:
            data = self.read("checkpoint")
            need(data is not None, "checkpoint_missing")
            note = Note(data)
            self.checkpoint = Checkpoint(note.text)
        except Refused as refused:
            self.findings.append(refused.code)
            return
        self.noted(policy.speaker, note, self.checkpoint)
        seen = self.noted(policy.cosigners, note)
        if seen is not None and len(seen) < policy.required:
            self.findings.append("witnesses_missing")
        self.roots = {self.checkpoint.size: self.checkpoint.root}
        for size in self.noted(self.sizes) or []:
            self.noted(self.kept, size)
        self.walk()
        for numbers in self.sessions.values():
            previous = -1
            for number in sorted(numbers):
                if number > previous + 1:
                    self.findings.append("sequence_gap")
                previous = number

    def noted(self, check, *arguments):
        try:
            return check(*arguments)
        except Refused as refused:
            self.findings.append(refused.code)
            return None

    def sizes(self):
        data = self.read("checkpoints/sizes")
        if data is None:
            return []
        code, text = "checkpoints_malformed", data.decode("latin-1")
        need(text.endswith("\n"), code)
        sizes = [plain_size(line) for line in text[:-1].split("\n")]
        need(None not in sizes and all(a < b for a, b in zip(sizes, sizes[1:])), code)
        return sizes

    def kept(self, size):
        data = self.read(f"checkpoints/{size}")
        need(data is not None, "checkpoint_missing")
        note = Note(data)
        checkpoint = Checkpoint(note.text)
        if checkpoint.size != size:
            self.findings.append("checkpoints_malformed")
        need(checkpoint.origin == self.checkpoint.origin, "origin_mismatch")
        need(checkpoint.hasher == self.checkpoint.hasher, "hasher_mismatch")
        self.policy.speaker(note, checkpoint)
        need(checkpoint.size <= self.checkpoint.size, "checkpoint_rollback")
        known = self.roots.setdefault(checkpoint.size, checkpoint.root)
        need(known == checkpoint.root, "checkpoint_conflict")

    def file(self, kind, index, width):
        """The bytes, and how many items they must have."""
        data = self.read(f"tile/{kind}/{place(index, width)}")
        if data is None and width < 256:
            return self.read(f"tile/{kind}/{place(index, 256)}"), 256
        return data, width

    def tile(self, level, index):
        width = width_at(level, index, self.checkpoint.size)
        data, expected = self.file(level, index, width)
        need(data is not None, "tile_missing")
        need(len(data) == 32 * expected, "tile_malformed")
        return [data[at : at + 32] for at in range(0, 32 * width, 32)]

    def bundle(self, index):
        width = width_at(0, index, self.checkpoint.size)
        data, expected = self.file("entries", index, width)
        need(data is not None, "entries_missing")
        entries, at = [], 0
        while len(data) - at >= 2:
            length = int.from_bytes(data[at : at + 2], "big")
            if len(data) - at - 2 < length:
                break
            entries.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        need(at == len(data) and len(entries) == expected, "entries_malformed")
        return entries[:width]

    def entry(self, entry, h):
        self.leaves += 1
        leaf = self.noted(decode_leaf, entry)
        if leaf is not None:
            numbers = self.sessions.setdefault((leaf[3], leaf[4]), {})
            before = numbers.setdefault(leaf[6], entry)
            if before is not entry:
                same = before == entry
                self.findings.append("leaf_duplicate" if same else "sequence_conflict")
        return h(b"\0" + entry)

    def walk(self):
        h, size = hasher(self.checkpoint.hasher), self.checkpoint.size
        hashes = []
        self.check_roots(h, hashes)
        for index in range(-(-size // 256)):
            entries = self.noted(self.bundle, index)
            if entries is not None:
                found = []
                for entry in entries:
                    found.append(self.entry(entry, h))
            else:
                found = self.noted(self.tile, 0, index)
                if found is None:
                    break
            for leaf_hash in found:
                hashes.append(leaf_hash)
                self.check_roots(h, hashes)
        self.complete = len(hashes) == size
        level, row = 0, hashes
        while row:
            for index in range(-(-len(row) // 256)):
                built = row[256 * index : 256 * index + 256]
                if len(built) < 256 and not self.complete:
                    continue
                read = self.noted(self.tile, level, index)
                if read is not None and read != built:
                    self.findings.append("tile_mismatch")
            row = [tree_root(h, row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
            level += 1

    def check_roots(self, h, hashes):
        expected = self.roots.get(len(hashes))
        if expected is not None and tree_root(h, hashes) != expected:
            newest = len(hashes) == self.checkpoint.size
            self.findings.append("root_mismatch" if newest else "consistency_mismatch")


# The vectors


class Vectors:
    def __init__(self, folder):
        self.folder, self.checked = pathlib.Path(folder), 0

    def load(self, name):
        return json.loads((self.folder / name).read_text("utf-8"))

    def same(self, what, found, expected):
        self.checked += 1
        if found != expected:
            raise SystemExit(f"{what}: expected {expected!r}, found {found!r}")

    def refused(self, what, expected, check, *arguments):
        try:
            check(*arguments)
            found = "accepted"
        except Refused as refused:
            found = refused.code
        self.same(what, found, expected)

    def run(self):
        self.leaves()
        self.commitments()
        self.trees()
        self.consistency()
        self.checkpoints()
        self.bundles()
        self.anchors()
        self.tiles()
        print(f"all {self.checked} vectors agree")

    def leaves(self):
        vectors = self.load("leaf.json")
        for v in vectors["valid"]:
            data = bytes.fromhex(v["cbor"])
            leaf = decode_leaf(data)
            parent = leaf[8].hex() if 8 in leaf else None
            fields = [
                {"field": f, "algorithm": 1, "commitment": c.hex()} for f, c in leaf[9].items()
            ]
            found = (leaf[2], leaf[3].hex(), leaf[4].hex(), leaf[5].hex(), leaf[6], leaf[7])
            names = ("kind", "agent", "session", "run", "sequence", "time_ms")
            self.same("leaf", found, tuple(v[name] for name in names))
            self.same("leaf", (parent, fields), (v["parent"], v["fields"]))
            self.same("leaf id", hashlib.sha256(b"\0" + data).hexdigest(), v["id"])
            for name in ("sha256", "blake3"):
                self.same("leaf", hasher(name)(b"\0" + data).hex(), v[f"leaf_hash_{name}"])
            # The whole leaf as cbor2 writes it.
            whole = {k: leaf[k] for k in range(9) if k in leaf}
            whole[9] = [[f, 1, c] for f, c in leaf[9].items()]
            self.same("leaf bytes", cbor2.dumps(whole, canonical=True), data)
        for v in vectors["invalid"]:
            self.refused(v["name"], v["error"], decode_leaf, bytes.fromhex(v["cbor"]))

    def commitments(self):
        vectors = self.load("commitment.json")
        for v in vectors["commitments"]:
            found = commit(v["field"], bytes.fromhex(v["salt"]), bytes.fromhex(v["value"]))
            self.same("commitment", found.hex(), v["commitment"])
        context = vectors["context"]
        head_now = bytes.fromhex(context["start"])
        for step in context["steps"]:
            head_now = extend(head_now, [bytes.fromhex(part) for part in step])
        self.same("context", head_now.hex(), context["head"])
        for part in context["parts"]:
            salt, value = bytes.fromhex(part["salt"]), bytes.fromhex(part["value"])
            expected = context["steps"][part["step"]][part["part"]]
            self.same("part", commit(CONTEXT_PART, salt, value).hex(), expected)

    def trees(self):
        vectors = self.load("tree.json")
        for log in vectors["logs"]:
            h = hasher(log["hasher"])
            for tree in log["trees"]:
                size = tree["size"]
                if size == 1000:
                    leaves = [u64(index) for index in range(size)]
                else:
                    leaves = [bytes.fromhex(leaf) for leaf in tree["leaves"]]
                hashes = [h(b"\0" + leaf) for leaf in leaves]
                root = tree_root(h, hashes)
                self.same("root", (len(leaves), root.hex()), (size, tree["root"]))
                for proof in tree["inclusion"]:
                    index = proof["index"]
                    path = [bytes.fromhex(sibling) for sibling in proof["proof"]]
                    verify_inclusion(h, hashes[index], index, size, path, root)
                    self.checked += 1
        for v in vectors["invalid"]:
            path = [bytes.fromhex(sibling) for sibling in v["proof"]]
            leaf_hash, root = bytes.fromhex(v["leaf_hash"]), bytes.fromhex(v["root"])
            arguments = (hasher(v["hasher"]), leaf_hash, v["index"], v["size"], path, root)
            self.refused(v["name"], v["error"], verify_inclusion, *arguments)

        def many(v):
            h = hasher(vectors["many"]["hasher"])
            leaves = [(index, h(b"\0" + u64(index))) for index in v["indices"]]
            path = [bytes.fromhex(node) for node in v["proof"]]
            return h, leaves, v["size"], path, bytes.fromhex(v["root"])

        for v in vectors["many"]["valid"]:
            verify_many(*many(v))
            self.checked += 1
        for v in vectors["many"]["invalid"]:
            self.refused(v["name"], v["error"], verify_many, *many(v))

    def consistency(self):
        vectors = self.load("consistency.json")

        def arguments(v):
            path = [bytes.fromhex(node) for node in v["proof"]]
            roots = bytes.fromhex(v["old_root"]), bytes.fromhex(v["new_root"])
            return hasher(v["hasher"]), v["old"], v["new"], path, *roots

        for v in vectors["valid"]:
            verify_consistency(*arguments(v))
            self.checked += 1
        for v in vectors["invalid"]:
            self.refused(v["name"], v["error"], verify_consistency, *arguments(v))

    def checkpoints(self):
        vectors = self.load("checkpoint.json")
        log = Key(vectors["log"]["vkey"])
        witnesses = [Key(witness["vkey"]) for witness in vectors["witnesses"]]
        for key, seed in zip([log, *witnesses], [vectors["log"], *vectors["witnesses"]]):
            private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed["seed"]))
            self.same("public key", private.public_key().public_bytes_raw(), key.public)
        times = {witness["vkey"]: witness["time"] for witness in vectors["witnesses"]}
        for v in vectors["valid"]:
            note = Note(v["note"].encode())
            checkpoint = Checkpoint(note.text)
            found = (checkpoint.origin, checkpoint.size, checkpoint.root.hex(), checkpoint.hasher)
            names = ("origin", "size", "root", "hasher")
            self.same("checkpoint", found, tuple(v[name] for name in names))
            self.same("log key", len(note.signed_by([log])), 1)
            for key, time in note.signed_by(witnesses):
                self.same("cosignature", time, times[key.vkey])
        for v in vectors["invalid_notes"]:
            self.refused(v["name"], v["error"], Note, v["text"].encode())
        for v in vectors["invalid_checkpoints"]:
            self.refused(v["name"], v["error"], Checkpoint, v["text"])
        for v in vectors["invalid_keys"]:
            self.refused(v["name"], v["error"], Key, v["text"])

    def bundles(self):
        vectors = self.load("bundle.json")

        def policy(of):
            cutoffs = [(Key(cut["key"]), cut["size"]) for cut in of["cutoffs"]]
            keys = [[Key(key) for key in of[name]] for name in ("log_keys", "witnesses")]
            return Policy(*keys, of["witnesses_required"], cutoffs)

        for v in vectors["valid"]:
            report = verify_bundle(v["file"].encode(), policy(v["policy"]))
            self.same(v["name"], report, v["expect"])
        for v in vectors["refused"]:
            arguments = v["file"].encode(), policy(v["policy"])
            self.refused(v["name"], v["error"], verify_bundle, *arguments)
        for v in vectors["tampered"]:
            arguments = v["file"].encode(), policy(vectors["policy"])
            self.refused(v["name"], v["error"], verify_bundle, *arguments)

    def anchors(self):
        empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        self.same("keccak of nothing", keccak256(b"").hex(), empty)

        def plain(values):
            return [bytes.fromhex(value[2:]) for value in values]

        for tree in self.load("openzeppelin.json")["trees"]:
            leaves = [
                anchor_leaf(int(chain), origin, int(token), int(size), bytes.fromhex(root[2:]))
                for chain, origin, token, size, root in tree["values"]
            ]
            root = bytes.fromhex(tree["root"][2:])
            self.same("anchor leaves", leaves, plain(tree["leaves"]))
            self.same("anchor root", anchor_root(leaves), root)
            for leaf, proof in zip(leaves, tree["proofs"]):
                for sibling in plain(proof):
                    leaf = anchor_node(leaf, sibling)
                self.same("anchor proof", leaf, root)
            for v in tree["multiproofs"]:
                found = anchor_many(plain(v["leaves"]), plain(v["proof"]), v["flags"])
                self.same("anchor multi-proof", found, root)

    def tiles(self):
        vectors = self.load("tiles.json")
        policy = Policy([Key(vectors["key"])])
        for v in vectors["paths"]:
            path = f"tile/{v['level']}/{place(v['index'], v['width'])}"
            self.same("path", path, v["path"])

        def audit(files):
            files = {path: base64.b64decode(data) for path, data in files.items() if data is not None}
            return Audit(files.get, policy)

        for v in vectors["faults"]:
            found = audit({**vectors["files"], **v["changes"]})
            self.same(v["name"], sorted(found.findings), sorted(v["findings"]))
            self.same(v["name"], found.complete, v["complete"])
        for v in vectors["sequences"]:
            found = audit(v["files"])
            self.same("sequences", sorted(found.findings), sorted(v["findings"]))


def main():
    parser = argparse.ArgumentParser(description="Verify a proof bundle, or the vectors.")
    parser.add_argument("bundle", nargs="?", type=pathlib.Path)
    parser.add_argument("--key", action="append", default=[], help="a log's vkey")
    parser.add_argument("--witness", action="append", default=[], help="a witness's vkey")
    parser.add_argument("--witnesses", type=int, default=0, help="how many must have signed")
    parser.add_argument("--cutoff", action="append", default=[], help="vkey=size of a cut-off key")
    parser.add_argument("--audit", type=pathlib.Path, help="audit this exported log")
    parser.add_argument("--vectors", type=pathlib.Path, help="check this folder of vectors")
    options = parser.parse_args()
    if options.vectors:
        Vectors(options.vectors).run()
        return 0
    if not options.bundle and not options.audit:
        parser.error("give a bundle, --audit or --vectors")
    try:
        cuts = [cut.rpartition("=") for cut in options.cutoff]
        policy = Policy(
            [Key(key) for key in options.key],
            [Key(key) for key in options.witness],
            options.witnesses,
            [(Key(key), int(size)) for key, _, size in cuts],
        )
        if options.audit:
            return print_audit(options.audit, policy)
        report = verify_bundle(options.bundle.read_bytes(), policy)
    except Refused as refused:
        print(f"REFUSED {refused}", file=sys.stderr)
        return exit_code([refused.code])
    print(json.dumps(report, indent=2))
    return 0


def print_audit(folder, policy):
    def read(path):
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            return None

    audit = Audit(read, policy)
    report = {"complete": audit.complete, "leaves": audit.leaves, "findings": audit.findings}
    print(json.dumps(report, indent=2))
    return exit_code(audit.findings)


def exit_code(codes):
    """1 for anything false, then 3 for anything that cannot be read, then 2 for the policy."""
    if not codes:
        return 0
    if any(code not in UNREADABLE | UNMET for code in codes):
        return 1
    return 3 if any(code in UNREADABLE for code in codes) else 2


if __name__ == "__main__":
    sys.exit(main())
