"""§8: anchors, and the keccak that chains hash with."""

import base64
import json

from codes import Refused, need
from shapes import array, canonical, integer, octets, once, shape, unhex
from tree import hasher, verify_consistency


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
