"""§10: an exported log, audited whole."""

import base64
import json

from codes import Refused, need
from leaf import commit, decode_leaf
from notes import Checkpoint, Note, key_event, plain_size
from shapes import array, canonical, field_id, integer, octets, once, shape
from tree import hasher, tree_root

KEY = 6


def read_keys(data):
    """What opens the key leaves: (field, salt, value) of each disclosed field, by index."""
    if data is None:
        return {}
    code = "keys_malformed"
    need(len(data) <= 16777216, code)
    opening = {"field": field_id, "salt": octets(32), "value": octets()}
    try:
        entries = json.loads(data.decode("utf-8"), object_pairs_hook=once)
        disclosed = array(lambda value: shape(value, opening))
        array(lambda value: shape(value, {"disclosed": disclosed, "index": integer}))(entries)
    except (Refused, ValueError, RecursionError) as error:
        raise Refused(code, str(error)) from error
    need(canonical(entries) == data, code)
    indices = [entry["index"] for entry in entries]
    need(all(a < b for a, b in zip(indices, indices[1:])), code)
    shown = {}
    for entry in entries:
        fields = [opening["field"] for opening in entry["disclosed"]]
        need(all(a < b for a, b in zip(fields, fields[1:])), code)
        shown[entry["index"]] = [
            (opening["field"], *(base64.b64decode(opening[name]) for name in ("salt", "value")))
            for opening in entry["disclosed"]
        ]
    return shown


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
        self.leaves, self.sessions, self.events, self.key = 0, {}, [], None
        try:
            data = self.read("checkpoint")
            need(data is not None, "checkpoint_missing")
            note = Note(data)
            self.checkpoint = Checkpoint(note.text)
        except Refused as refused:
            self.findings.append(refused.code)
            return
        claims = [self.noted(self.kept, size) for size in self.noted(self.sizes) or []]
        claims = [claim for claim in claims if claim]
        self.roots = {size: None for size in
                      {self.checkpoint.size, *(claim[1].size for claim in claims)}}
        self.shown = self.noted(read_keys, self.read("keys")) or {}
        self.walk()
        for numbers in self.sessions.values():
            previous = -1
            for number in sorted(numbers):
                if number > previous + 1:
                    self.findings.append("sequence_gap")
                previous = number
        self.judge(note, claims)

    def judge(self, note, claims):
        """Only now is it known which keys speak for the log."""
        own = self.noted(self.policy.own, self.checkpoint.origin)
        if own is not None:
            key = self.noted(self.policy.speaker, note, self.checkpoint, self.events)
            self.key = key.vkey if key else None
        seen = self.noted(self.policy.cosigners, note)
        if seen and own is not None:
            seen -= {key.public for key in self.policy.since(self.checkpoint.origin, self.events)}
        if seen is not None and len(seen) < self.policy.required:
            self.findings.append("witnesses_missing")
        expected = {self.checkpoint.size: self.checkpoint.root}
        for claim in claims if own is not None else []:
            self.noted(self.believe, expected, *claim)
        for size, root in expected.items():
            if self.roots[size] not in (None, root):
                newest = size == self.checkpoint.size
                self.findings.append("root_mismatch" if newest else "consistency_mismatch")

    def believe(self, expected, note, checkpoint):
        self.policy.speaker(note, checkpoint, self.events)
        need(checkpoint.size <= self.checkpoint.size, "checkpoint_rollback")
        known = expected.setdefault(checkpoint.size, checkpoint.root)
        need(known == checkpoint.root, "checkpoint_conflict")

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
        return note, checkpoint

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

    def entry(self, index, entry, h):
        self.leaves += 1
        leaf = self.noted(decode_leaf, entry)
        if leaf is not None:
            numbers = self.sessions.setdefault((leaf[3], leaf[4]), {})
            before = numbers.setdefault(leaf[6], entry)
            if before is not entry:
                same = before == entry
                self.findings.append("leaf_duplicate" if same else "sequence_conflict")
            event = self.noted(self.key_leaf, index, leaf)
            if event and event[0].name == self.checkpoint.origin:
                self.events.append((index, event))
        return h(b"\0" + entry)

    def key_leaf(self, index, leaf):
        """The event of a key leaf, as the file `keys` shows it."""
        if index not in self.shown:
            need(leaf[2] != KEY, "key_event_hidden")
            return None
        need(leaf[2] == KEY, "key_event_invalid")
        shown = {}
        for field, salt, value in self.shown[index]:
            need(field in leaf[9], "field_unknown")
            need(commit(field, salt, value) == leaf[9][field], "commitment_mismatch")
            shown[field] = value
        event = key_event(shown)
        need(event is not None, "key_event_hidden")
        return event

    def walk(self):
        h, size = hasher(self.checkpoint.hasher), self.checkpoint.size
        hashes = []
        self.check_roots(h, hashes)
        for index in range(-(-size // 256)):
            entries = self.noted(self.bundle, index)
            if entries is not None:
                found = []
                for entry in entries:
                    found.append(self.entry(len(hashes) + len(found), entry, h))
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
        if len(hashes) in self.roots:
            self.roots[len(hashes)] = tree_root(h, hashes)
