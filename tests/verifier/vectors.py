"""§12: every vector of a folder."""

import base64
import hashlib
import json
import pathlib

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import anchor_leaf, anchor_many, anchor_node, anchor_root, keccak256
from audit import Audit, place
from bundle import CONTEXT_PART, verify_bundle
from codes import Refused
from leaf import commit, decode_leaf, extend, u64
from notes import Checkpoint, Key, Note
from policy import Policy
from tree import hasher, tree_root, verify_consistency, verify_inclusion, verify_many


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
        for v in vectors["rotations"]:
            files = {path: base64.b64decode(data) for path, data in v["files"].items()}
            found = Audit(files.get, Policy([Key(key) for key in v["keys"]]))
            self.same(v["name"], sorted(found.findings), sorted(v["findings"]))
            self.same(v["name"], (found.complete, found.key), (v["complete"], v["key"]))
        for v in vectors["sequences"]:
            found = audit(v["files"])
            self.same("sequences", sorted(found.findings), sorted(v["findings"]))
