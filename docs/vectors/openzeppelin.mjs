// Writes openzeppelin.json: anchor trees and proofs made by OpenZeppelin's own library, to hold
// ours against. Only whoever changes the vectors needs it:
//
//     npm install @openzeppelin/merkle-tree@1.0.8 && node openzeppelin.mjs > openzeppelin.json

import { StandardMerkleTree } from '@openzeppelin/merkle-tree';

const encoding = ['uint256', 'string', 'uint256', 'uint256', 'bytes32'];
const origins = [
  'example.org/agents/helper',
  'a',
  'example.org/an/origin/of/exactly/thirty-two',
  'x'.repeat(32),
  'example.org/\u2014/agent',
  'y'.repeat(255),
];
const tokens = ['0', '1', '578', (2n ** 64n).toString(), (2n ** 256n - 1n).toString()];

function leaf(number) {
  return [
    ['56', '97', '1', '31337'][number % 4],
    origins[number % origins.length],
    tokens[number % tokens.length],
    String(number * 100),
    '0x' + (number + 1).toString(16).padStart(2, '0').repeat(32),
  ];
}

// Bits of a fixed pattern, so that the vectors are the same every time.
function picked(size, pattern) {
  return [...Array(size).keys()].filter((index) => (pattern >> index) & 1);
}

const trees = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 20].map((size) => {
  const values = [...Array(size).keys()].map(leaf);
  const tree = StandardMerkleTree.of(values, encoding);
  tree.validate();
  const patterns = [0b1, 0b11, 0b101, 0b1011, 0b110110, 0xfffff];
  const sets = new Set(patterns.map((pattern) => picked(size, pattern).join()).filter(Boolean));
  return {
    values,
    leaves: values.map((value) => tree.leafHash(value)),
    nodes: tree.dump().tree,
    root: tree.root,
    proofs: values.map((_, index) => tree.getProof(index)),
    multiproofs: [...sets].map((set) => {
      const indices = set.split(',').map(Number);
      const { leaves, proof, proofFlags } = tree.getMultiProof([...indices]);
      return { indices, leaves: leaves.map((value) => tree.leafHash(value)), proof, flags: proofFlags };
    }),
  };
});

console.log(JSON.stringify({ library: '@openzeppelin/merkle-tree 1.0.8', encoding, trees }, null, 1));
