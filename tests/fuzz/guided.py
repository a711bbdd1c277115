"""Fuzzing of every text format, guided by coverage: ``PYTHONPATH=tests python -m fuzz.guided``.

Needs Atheris (``pip install atheris``), which the tests do not. Its first inputs are small valid files; an
input's first byte says which file of a format it replaces.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.mutations import TOKENS

LARGEST = 4096
"""Bytes of an input."""


def text_formats():
    from fuzz.formats import FORMATS

    return {
        name: form
        for name, form in FORMATS.items()
        if ".npz" not in name and ".pt" not in name and not name.endswith("values")
    }


def work(name, seconds):
    """Fuzz one format; does not come back."""
    import atheris

    with atheris.instrument_imports(include=["labelchain.envs.datasets", "labelchain.agents.runs"]):
        form = text_formats()[name]
        from fuzz.run import outcome

    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    corpus.mkdir()
    for seed in range(10):
        files = folder / f"files-{seed}"
        files.mkdir()
        names = form.write(files, seed)
        for number, each in enumerate(names):
            (corpus / f"{seed}-{number}").write_bytes(bytes([number]) + (files / each).read_bytes())
    valid = {each: (files / each).read_bytes() for each in names}
    tokens = folder / "tokens"
    tokens.write_text(
        "".join('"' + "".join(f"\\x{b:02x}" for b in t) + '"\n' for t in TOKENS if 0 < len(t) < 60)
    )

    def one(content):
        for each, whole in valid.items():
            (files / each).write_bytes(whole)
        if content:
            (files / names[content[0] % len(names)]).write_bytes(content[1:])
        kind, reason = outcome(form, files, None)
        if kind not in ("read", "refused"):
            raise RuntimeError(f"{kind}: {reason}")

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=3000", f"-max_len={LARGEST}"]
    shown = ["-print_final_stats=1", f"-dict={tokens}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *limits, *shown, str(corpus)], one)
    atheris.Fuzz()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each format (default: 60)")
    parser.add_argument("--only", default="", help="formats whose name has this in it")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        work(args.one, args.seconds)
    print("| format | inputs | seconds | branches reached | findings |", flush=True)
    print("|---" * 5 + "|", flush=True)
    failed = 0
    for name in text_formats():
        if args.only in name:
            again = [sys.executable, "-m", "fuzz.guided", "--one", name, "--seconds", str(args.seconds)]
            done = subprocess.run(again, capture_output=True, text=True, check=False)
            inputs = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
            reached = re.findall(r"cov: (\d+)", done.stderr)
            failed += done.returncode != 0
            cells = (name, inputs[1] if inputs else "?", args.seconds, reached[-1] if reached else "?")
            print(f"| {' | '.join(map(str, cells))} | {int(done.returncode != 0)} |", flush=True)
            if done.returncode != 0:
                print(done.stdout[-2000:], done.stderr[-4000:], file=sys.stderr, flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
