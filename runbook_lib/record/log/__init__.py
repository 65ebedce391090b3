"""One append-only Merkle log over all chains of an archive: leaves, checkpoint, signature, witness."""
