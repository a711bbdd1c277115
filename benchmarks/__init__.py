"""How fast labelchain is, measured against named peers; see README.md beside this file."""
