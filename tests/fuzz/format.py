"""What the fuzzer needs to know of a format."""

from dataclasses import dataclass

from fuzz.mutations import damaged


def damage_bytes(path, other, rng):
    """Change bytes, whatever they mean."""
    path.write_bytes(damaged(path.read_bytes(), rng, other.read_bytes()))


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        write: Writes a valid one, and what belongs to it, into a folder, by a number; gives the names of the
            files to damage.
        read: Reads the folder, and checks what it got.
        error: The error that a bad file must give.
        exact: Whether any change of the content must be noticed; then ``read`` gives the content.
        damage: Damages a file, given its path, that of another one of the format, and a generator.
    """

    write: object
    read: object
    error: type
    exact: bool = False
    damage: object = damage_bytes
