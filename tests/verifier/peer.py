#!/usr/bin/env python3
"""The tree of §5 beside pymerkle, which neither we nor the verifier in this folder wrote.

    peer.py < TREES.json

What it reads are trees over SHA-256 as our other implementation made them: leaves, the root at every
size, inclusion and consistency proofs. Everything must be what pymerkle has, and what pymerkle
proves must hold between those roots. Exit codes: 0 they agree, 1 they don't.
"""

import json
import sys

sys.dont_write_bytecode = True  # The folder is a source tree.

from pymerkle import InmemoryTree, InvalidProof, __version__

from tree import hasher, verify_consistency, verify_inclusion


class Disagreement(SystemExit):
    pass


def same(what, found, expected):
    if found != expected:
        raise Disagreement(f"{what}: expected {expected!r}, found {found!r}")


def refused(what, check):
    try:
        check()
    except InvalidProof:
        return
    raise Disagreement(f"{what}: pymerkle accepted it")


def flipped(digest):
    return bytes([digest[0] ^ 1]) + digest[1:]


def subproof(m, low, high, whole):
    """The ranges of leaves whose roots are PROOF(m, D[low:high]) of RFC 6962 §2.1.2."""
    if low + m == high:
        return [] if whole else [(low, high)]
    k = 1 << ((high - low - 1).bit_length() - 1)
    if m <= k:
        return subproof(m, low, low + k, whole) + [(low + k, high)]
    return subproof(m - k, low + k, high, False) + [(low, low + k)]


class Peer:
    def __init__(self, made):
        self.tree, self.checked = InmemoryTree(algorithm="sha256"), 0
        for leaf in made["leaves"]:
            self.tree.append_entry(bytes.fromhex(leaf))
        self.roots = [bytes.fromhex(root) for root in made["roots"]]
        for size, root in enumerate(self.roots):
            same(f"root of {size}", root, self.tree.get_root(size))
            self.checked += 1
        for index, size, proof in made["inclusion"]:
            self.inclusion(index, size, [bytes.fromhex(node) for node in proof])
        for old, new, proof in made["consistency"]:
            self.consistency(old, new, [bytes.fromhex(node) for node in proof])

    def inclusion(self, index, size, proof):
        what = f"inclusion of {index} in {size}"
        theirs, root = self.tree.prove_inclusion(index + 1, size), self.roots[size]
        leaf = self.tree.get_leaf(index + 1)
        # Its path begins with the leaf itself.
        same(what, [leaf, *proof], theirs.path)
        theirs.path = [leaf, *proof]
        theirs.verify(leaf, root, index=index + 1, size=size, algorithm="sha256")
        refused(what, lambda: theirs.verify(leaf, flipped(root)))
        refused(what, lambda: theirs.verify(flipped(leaf), root))
        if proof:
            theirs.path = [leaf, flipped(proof[0]), *proof[1:]]
            refused(what, lambda: theirs.verify(leaf, root))
        verify_inclusion(hasher("sha256"), leaf, index, size, proof, root)
        self.checked += 1

    def consistency(self, old, new, proof):
        what = f"consistency of {old} with {new}"
        nodes = [self.tree._get_root(*leaves) for leaves in subproof(old, 0, new, True)]
        same(what, proof, nodes)
        # Its own proof has another form, and must hold between our roots.
        theirs, roots = self.tree.prove_consistency(old, new), (self.roots[old], self.roots[new])
        theirs.verify(*roots, prior_size=old, later_size=new, algorithm="sha256")
        refused(what, lambda: theirs.verify(flipped(roots[0]), roots[1]))
        refused(what, lambda: theirs.verify(roots[0], flipped(roots[1])))
        verify_consistency(hasher("sha256"), old, new, proof, *roots)
        self.checked += 1


def main():
    trees = json.load(sys.stdin)
    checked = sum(Peer(made).checked for made in trees)
    print(f"all {checked} roots and proofs agree with pymerkle {__version__}")


if __name__ == "__main__":
    main()
