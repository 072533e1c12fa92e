#!/usr/bin/env python3
"""A verifier of proof bundles, written from docs/proof-of-prompt.md alone.

    verify.py BUNDLE --key VKEY [--witness VKEY]... [--witnesses N]
    verify.py --vectors FOLDER

It shares no code with the Rust verifier: CBOR is cbor2's, Ed25519 is OpenSSL's, BLAKE3 and JSON
are Python packages. Exit codes: 0 valid, 1 invalid or vectors disagree, 2 the policy is unmet,
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
UNREADABLE = {"note_malformed", "key_malformed", "checkpoint_malformed"}
UNMET = {"log_key_unknown", "log_signature_missing", "witnesses_missing"}


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
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        need(len(signature) == 64, "signature_invalid", self.name)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise Refused("signature_invalid", self.name) from error
        return time


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


# §7: checkpoint


class Checkpoint:
    def __init__(self, text):
        code = "checkpoint_malformed"
        need(text.endswith("\n"), code, "last newline")
        lines = text[:-1].split("\n")
        need(len(lines) >= 3, code, "three lines")
        self.origin, size, root, *extensions = lines
        check_name(self.origin, code)
        need(size.isascii() and size.isdigit() and str(int(size)) == size, code, "size")
        self.size = int(size)
        need(self.size <= MAX_INTEGER, code, "size")
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


def verify_bundle(data, log_keys, witnesses, required):
    bundle = read_bundle(data)
    note = Note(bundle["checkpoint"].encode())
    checkpoint = Checkpoint(note.text)
    need(bundle["origin"] == checkpoint.origin, "origin_mismatch")
    need(bundle["hasher"] == checkpoint.hasher, "hasher_mismatch")
    own = [key for key in log_keys if key.type == 1 and key.name == checkpoint.origin]
    need(own, "log_key_unknown")
    signed = note.signed_by(own)
    need(signed, "log_signature_missing")
    logs = {key.public for key in log_keys}
    cosigned = note.signed_by(witnesses)
    seen = {key.public for key, _ in cosigned} - logs
    leaves = [verify_leaf(proof, checkpoint) for proof in bundle["leaves"]]
    places = [(leaf[3], leaf[4], leaf[6]) for leaf, _ in leaves]
    need(len(set(places)) == len(places), "sequence_conflict")
    stated = bundle.pop("digest")
    digest = base64.b64encode(hashlib.sha256(canonical(bundle)).digest()).decode()
    need(stated == digest, "bundle_digest")
    need(len(seen) >= required, "witnesses_missing")

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
        "leaves": report,
    }


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
            keys = [Key(key) for key in of["log_keys"]], [Key(key) for key in of["witnesses"]]
            return *keys, of["witnesses_required"]

        for v in vectors["valid"]:
            report = verify_bundle(v["file"].encode(), *policy(v["policy"]))
            self.same(v["name"], report, v["expect"])
        for v in vectors["tampered"]:
            arguments = v["file"].encode(), *policy(vectors["policy"])
            self.refused(v["name"], v["error"], verify_bundle, *arguments)


def main():
    parser = argparse.ArgumentParser(description="Verify a proof bundle, or the vectors.")
    parser.add_argument("bundle", nargs="?", type=pathlib.Path)
    parser.add_argument("--key", action="append", default=[], help="a log's vkey")
    parser.add_argument("--witness", action="append", default=[], help="a witness's vkey")
    parser.add_argument("--witnesses", type=int, default=0, help="how many must have signed")
    parser.add_argument("--vectors", type=pathlib.Path, help="check this folder of vectors")
    options = parser.parse_args()
    if options.vectors:
        Vectors(options.vectors).run()
        return 0
    if not options.bundle:
        parser.error("give a bundle, or --vectors")
    try:
        keys = [Key(key) for key in options.key], [Key(key) for key in options.witness]
        report = verify_bundle(options.bundle.read_bytes(), *keys, options.witnesses)
    except Refused as refused:
        print(f"REFUSED {refused}", file=sys.stderr)
        if refused.code in UNMET:
            return 2
        if refused.code in UNREADABLE or refused.code.startswith(("leaf_", "bundle_")):
            return 1 if refused.code == "bundle_digest" else 3
        return 1
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
