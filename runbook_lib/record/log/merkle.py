"""Merkle tree hashes and proofs of RFC 6962 (section 2.1), as in transparency logs. Hashes are bytes.

A growing tree is known by its peaks: the roots of its complete subtrees, from the largest to the smallest, one for
each bit set in its size. With them appending a leaf takes time that grows with the logarithm of the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()
"""Root of a tree without leaves."""


def leaf_hash(content: bytes) -> bytes:
    """Hash of a leaf. The prefix keeps a leaf from passing as an inner node."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def appended(peaks: list[bytes], size: int, leaf: bytes) -> list[bytes]:
    """The peaks of a tree of `size` leaves after one more leaf with the hash `leaf`."""
    grown = [*peaks, leaf]
    while size & 1:
        right = grown.pop()
        grown[-1] = node_hash(grown[-1], right)
        size >>= 1
    return grown


def root_of(peaks: Sequence[bytes]) -> bytes:
    """The root of the tree with these peaks."""
    if not peaks:
        return EMPTY
    *rest, root = peaks
    for peak in reversed(rest):
        root = node_hash(peak, root)
    return root


def roots(leaves: Sequence[bytes], sizes: Sequence[int]) -> dict[int, bytes]:
    """The root that the tree had at each of `sizes`, in one walk over the hashes of its leaves."""
    wanted, found = set(sizes), {0: EMPTY}
    peaks: list[bytes] = []
    for size, leaf in enumerate(leaves):
        peaks = appended(peaks, size, leaf)
        if size + 1 in wanted:
            found[size + 1] = root_of(peaks)
    return {size: root for size, root in found.items() if size in wanted}


def _root(leaves: Sequence[bytes]) -> bytes:
    peaks: list[bytes] = []
    for size, leaf in enumerate(leaves):
        peaks = appended(peaks, size, leaf)
    return root_of(peaks)


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of the leaf at `index`, from the leaf upwards (RFC 6962, 2.1.1)."""
    if len(leaves) < 2:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion(leaves[:split], index), _root(leaves[split:])]
    return [*inclusion(leaves[split:], index - split), _root(leaves[:split])]


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` shows that `leaf` is the one at `index` of the tree of `size` leaves with this root."""
    if not 0 <= index < size:
        return False
    last, found = size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = node_hash(step, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, step)
        index, last = index >> 1, last >> 1
    return last == 0 and found == root


def consistency(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The proof that the tree of the first `size` leaves is the beginning of this tree (RFC 6962, 2.1.2)."""
    return _consistency(leaves, size, True) if 0 < size < len(leaves) else []


def _consistency(leaves: Sequence[bytes], size: int, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [_root(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_consistency(leaves[:split], size, whole), _root(leaves[split:])]
    return [*_consistency(leaves[split:], size - split, False), _root(leaves[:split])]
