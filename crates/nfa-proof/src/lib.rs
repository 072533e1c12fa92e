//! Commitments, Merkle log, checkpoints and an offline verifier for agent runs.
