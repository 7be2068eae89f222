"""The index format written down a second time, from docs/formats.md: whole trees from sorted entries.

Prints the golden roots that format.rs expects. Needs nothing but Python 3."""

import base64
import hashlib


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    info, width = next((i, w) for i, w in ((24, 1), (25, 2), (26, 4), (27, 8)) if n < 1 << 8 * w)
    return bytes([major << 5 | info]) + n.to_bytes(width, "big")


def uint(n):
    return head(0, n)


def byte_string(b):
    return head(2, len(b)) + b


def text(t):
    return head(3, len(t.encode())) + t.encode()


def array(*items):
    return head(4, len(items)) + b"".join(items)


def mapping(*pairs):
    return head(5, len(pairs)) + b"".join(text(key) + value for key, value in pairs)


def cid_bytes(block):
    return bytes([0x01, 0x71, 0x12, 0x20]) + hashlib.sha256(block).digest()


def link(block):
    return b"\xd8\x2a" + byte_string(b"\x00" + cid_bytes(block))


def cid(block):
    return "b" + base64.b32encode(cid_bytes(block)).decode().lower().rstrip("=")


def shared_prefix(a, b):
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return n


def encode_node(level, rows):
    entries, previous = [], b""
    for key, fields, _, _ in rows:
        shared = shared_prefix(previous, key)
        entries.append(array(uint(shared), byte_string(key[shared:]), *fields))
        previous = key
    return array(uint(level), array(*entries))


def split(level, rows, salt, params):
    node, size = [], 0
    for row in rows:
        key = row[0]
        before, size = size, size + len(key) + params["leaf" if level == 0 else "inner"]
        node.append(row)
        draw = int.from_bytes(hashlib.sha256(bytes([level]) + salt + key).digest()[:4], "big")
        d = size**4 - before**4
        if len(node) >= params["max"] or len(node) >= 2 and draw * (params["target"] ** 4 + d) < d << 32:
            yield node
            node, size = [], 0
    if node:
        yield node


def tree_root(entries, salt=bytes(16), params=None):
    """The descriptor block of (key, weight, encoded value) triples in order of keys."""
    params = params or {"max": 256, "leaf": 256, "inner": 56, "target": 4096}
    rows = [(key, [uint(weight), value], 1, weight) for key, weight, value in entries]
    top, count, weight = b"\xf6", 0, 0
    level = 0
    while rows:
        above = []
        for node in split(level, rows, salt, params):
            block = encode_node(level, node)
            count, weight = sum(row[2] for row in node), sum(row[3] for row in node)
            above.append((node[-1][0], [link(block), uint(count), uint(weight)], count, weight))
        if len(above) == 1:
            top = above[0][1][0]
            break
        rows, level = above, level + 1
    return mapping(
        ("v", uint(1)),
        ("top", top),
        ("salt", byte_string(salt)),
        ("bytes", uint(weight)),
        ("count", uint(count)),
        ("params", mapping(*((name, uint(params[name])) for name in ("max", "leaf", "inner", "target")))),
    )


def main():
    print("no entries       ", cid(tree_root([])))
    leaf = bytes([0x01, 0x55, 0x12, 0x20]) + hashlib.sha256(b"leaf").digest()
    small = [
        (b"a/1", 0, text("one")),
        (b"a/10", 23, head(1, 9)),
        (b"b", 1 << 32, mapping(("cid", b"\xd8\x2a" + byte_string(b"\x00" + leaf)))),
    ]
    print("three entries    ", cid(tree_root(small)))
    many = [(b"key %04d" % n, n, text("value %d" % n)) for n in range(1000)]
    print("a thousand       ", cid(tree_root(many)))


if __name__ == "__main__":
    main()
