"""``python -m labelchain.cli``."""

from labelchain.cli import main

if __name__ == "__main__":
    main()
