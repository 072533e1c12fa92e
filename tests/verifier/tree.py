"""§5: the tree and its proofs."""

import hashlib

import blake3

from codes import need


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
