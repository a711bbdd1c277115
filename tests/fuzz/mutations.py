"""Damage to files: what happens to bytes on their way, and what somebody would try on purpose."""

NUMBERS = (
    b'0', b'-1', b'1', b'2', b'nan', b'NaN', b'inf', b'-inf', b'1e39', b'1e999', b'-0', b'1_0', b'0x1p3',
    b'1.5.2', b'--1', b'2147483648', b'9223372036854775808', b'99999999999999999999999', b'000000001',
    b'1e-400', b'\xd9\xa3',
)  # fmt: skip
TOKENS = (
    b'', b' ', b'\t', b'\n', b'\r', b'\r\n', b'\x00', b'\xff\xfe', b'\xef\xbb\xbf', b'\xc3(',
    b'\xe2\x80\xa8', b"'", b'"', b'\\', b'{', b'}', b'{}', b'[]', b'[', b'%', b'#', b',', b',,', b':',
    b'::', b'?', b'null', b'true', b'NaN', b'Infinity', b'@data', b'@attribute', b'@relation',
    b'<!DOCTYPE x>', b"<!ENTITY x 'y'>", b'&x;', b'../../x', b'/etc/passwd', b'-C 3', b'-split-number 2',
    b'qid:3', b"x" * 5000, b"[" * 5000, b"9" * 5000,
)  # fmt: skip
LARGEST = 1 << 20


def damaged(content, rng, other=b""):
    """A damaged copy.

    Args:
        content: The bytes.
        rng: A generator of NumPy.
        other: Another file of the same format, to splice with.
    """
    result = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 8]))):
        result = _KINDS[rng.integers(len(_KINDS))](result, rng, other)[:LARGEST]
    return bytes(result)


def _place(content, rng):
    return int(rng.integers(len(content) + 1))


def _piece(content, rng):
    start = _place(content, rng)
    return start, min(len(content), start + int(2 ** rng.uniform(0, 8)))


def truncate(content, rng, other):
    return content[: _place(content, rng)]


def flip(content, rng, other):
    if content:
        content[_place(content[1:], rng)] ^= 1 << int(rng.integers(8))
    return content


def overwrite(content, rng, other):
    start, end = _piece(content, rng)
    content[start:end] = rng.bytes(end - start)
    return content


def delete(content, rng, other):
    start, end = _piece(content, rng)
    return content[:start] + content[end:]


def duplicate(content, rng, other):
    start, end = _piece(content, rng)
    return content[:end] + content[start:end] * int(rng.choice([1, 2, 50])) + content[end:]


def splice(content, rng, other):
    return content[: _place(content, rng)] + bytearray(other)[_place(other, rng) :]


def insert(content, rng, other):
    place = _place(content, rng)
    return content[:place] + TOKENS[rng.integers(len(TOKENS))] + content[place:]


def change_number(content, rng, other):
    """Another number, or what looks like one, in the place of a run of digits."""
    starts = [i for i, c in enumerate(content) if 48 <= c < 58 and (i == 0 or not 48 <= content[i - 1] < 58)]
    if not starts:
        return insert(content, rng, other)
    start = starts[rng.integers(len(starts))]
    end = start
    while end < len(content) and (48 <= content[end] < 58 or content[end] in b".eE+-"):
        end += 1
    return content[:start] + NUMBERS[rng.integers(len(NUMBERS))] + content[end:]


def change_lines(content, rng, other):
    """Drop, repeat, swap or empty a line."""
    lines = content.split(b"\n")
    one, two = rng.integers(len(lines), size=2)
    match rng.integers(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(two, lines[one])
        case 2:
            lines[one], lines[two] = lines[two], lines[one]
        case _:
            lines[one] = bytearray()
    return bytearray(b"\n").join(lines)


_KINDS = (
    *(truncate, flip, flip, overwrite, delete, duplicate, splice, insert, insert),
    *(change_number, change_number, change_number, change_lines),
)
