"""The tree against RFC 6962's own definition, and against the test vectors of Certificate Transparency."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.record.log.merkle import (
    EMPTY,
    appended,
    consistency,
    included,
    inclusion,
    leaf_hash,
    node_hash,
    root_of,
    roots,
)

CT = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
CT.append(bytes(range(0x60, 0x70)))
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""Of certificate-transparency's merkle_tree_test; printed in many logs' own tests since."""


def consistent(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree of `old` leaves is the beginning of the tree of `new` (RFC 9162, 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    if not 0 < old < new:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, step)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def plain(leaves: list[bytes]) -> bytes:
    """Section 2.1 to the letter: over contents, not over hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + plain(leaves[:split]) + plain(leaves[split:])).digest()


@pytest.mark.parametrize("size", CT_ROOTS)
def test_the_roots_that_others_publish(size: int) -> None:
    assert roots([leaf_hash(leaf) for leaf in CT], [size])[size].hex() == CT_ROOTS[size]


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_growing_leaf_by_leaf_is_the_definition(contents: list[bytes]) -> None:
    peaks: list[bytes] = []
    for size, content in enumerate(contents):
        peaks = appended(peaks, size, leaf_hash(content))
        assert len(peaks) == (size + 1).bit_count()
    assert root_of(peaks) == plain(contents)
    assert roots([leaf_hash(one) for one in contents], [0, len(contents)])[len(contents)] == plain(contents)
    assert roots([], [0]) == {0: EMPTY}


@given(st.integers(1, 70), st.data())
def test_a_leaf_is_shown_to_be_in_the_tree_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path, root = inclusion(leaves, index), plain([str(number).encode() for number in range(size)])
    assert included(leaves[index], index, size, path, root)
    assert not included(leaf_hash(b"forged"), index, size, path, root)
    other = data.draw(st.integers(-1, size))
    assert other == index or not included(leaves[index], other, size, path, root)
    assert not included(leaves[index], index, size, [*path, root], root)
    assert not path or not included(leaves[index], index, size, path[:-1], root)


@given(st.integers(0, 70), st.integers(0, 70), st.data())
def test_a_tree_is_shown_to_be_the_beginning_of_another(one: int, other: int, data: st.DataObject) -> None:
    old, new = sorted((one, other))
    leaves = [leaf_hash(str(number).encode()) for number in range(new)]
    root = roots(leaves, [old, new])
    proof = consistency(leaves, old)
    assert consistent(old, new, proof, root[old], root[new])
    assert not consistent(new + 1, new, proof, root[old], root[new])
    if old > 0:
        assert not consistent(old, new, proof, leaf_hash(b"forged"), root[new])
        assert not consistent(old, new, [*proof, root[new]], root[old], root[new])
    if 0 < old < new:
        changed = data.draw(st.integers(0, old - 1))
        forged = [leaf_hash(b"forged") if place == changed else leaf for place, leaf in enumerate(leaves)]
        assert not consistent(old, new, consistency(forged, old), root[old], roots(forged, [new])[new])
