"""Recomputes leaves and roots from FORMAT.md alone, to compare this crate with: python3 recompute.py"""

import hashlib
import json
import pathlib

HERE = pathlib.Path(__file__).parent


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(data):
    return hashlib.sha256(data).digest()


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


def path(index, leaves):
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if index < k:
        return path(index, leaves[:k]) + [root(leaves[k:])]
    return path(index - k, leaves[k:]) + [root(leaves[:k])]


def consistency(old, leaves, whole=True):
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if old <= k:
        return consistency(old, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [root(leaves[:k])]


def check_vectors():
    vectors = json.loads((HERE / "rfc6962.json").read_text())
    leaves = [bytes.fromhex(leaf) for leaf in vectors["leaves"]]
    for size, expected in enumerate(vectors["roots"]):
        assert root(leaves[:size]).hex() == expected
    for level, hashes in enumerate(vectors["nodes"]):
        for index, expected in enumerate(hashes):
            assert root(leaves[index << level : (index + 1) << level]).hex() == expected
    for case in vectors["inclusion"]:
        assert [node.hex() for node in path(case["index"], leaves[: case["size"]])] == case["path"]
    for case in vectors["consistency"]:
        assert [node.hex() for node in consistency(case["old"], leaves[: case["new"]])] == case["path"]


def row_digest(table, columns):
    def part(data):
        return len(data).to_bytes(8, "big") + data

    data = b"causeway row 1\n" + part(table.encode())
    for name in sorted(columns):
        kind, value = columns[name]
        data += part(name.encode()) + kind + part(value)
    return sha256(data).hex()


ROW = row_digest(
    "grant_row",
    {
        "id": (b"i", b"-7"),
        "role": (b"t", "Ärztin".encode()),
        "admin": (b"b", b"1"),
        "expires": (b"n", b""),
        "secret": (b"x", bytes([0, 255])),
    },
)

RECORDS = [
    {
        "action": "log_start",
        "actor": "admin",
        "context": {},
        "covers": [],
        "facts": {
            "key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "log": "000102030405060708090a0b0c0d0e0f",
        },
        "format": 1,
        "objects": [
            {
                "kind": "key",
                "name": sha256(
                    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
                ).hex(),
            }
        ],
        "outcome": {"state": "succeeded"},
        "sequence": 0,
        "time": "2026-11-24T09:00:00Z",
    },
    {
        "action": "grant",
        "actor": "Zoë \"the\" admin\\\t\u0001\u007f\u2028 \U0001f600",
        "context": {"previous": 0, "run": "r", "session": "s", "step": 9007199254740991},
        "covers": [
            {"digest": ROW, "key": "7", "table": "grant_row"},
            {"key": "6", "table": "grant_row"},
        ],
        "facts": {"privilege": "SELECT", "epsilon": "0.1"},
        "format": 1,
        "objects": [
            {"digest": ROW, "id": 3, "kind": "table", "name": "clinical.lung", "version": 0},
            {"kind": "role", "name": ""},
        ],
        "outcome": {"state": "succeeded"},
        "sequence": 1,
        "time": "2026-11-24T09:00:00.000000001Z",
    },
    {
        "action": "refused_attempt",
        "actor": "",
        "context": {},
        "covers": [],
        "facts": {},
        "format": 1,
        "objects": [],
        "outcome": {"code": "CW0107", "state": "refused"},
        "sequence": 2,
        "time": "2024-02-29T23:59:59.5Z",
    },
]


def write_golden():
    contents = [canonical(record) for record in RECORDS]
    leaves = [content.encode() for content in contents]
    golden = {
        "row": ROW,
        "contents": contents,
        "leaf_hashes": [sha256(b"\x00" + leaf).hex() for leaf in leaves],
        "root": root(leaves).hex(),
    }
    (HERE / "golden.json").write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    check_vectors()
    write_golden()
