"""Try thousands of damaged files on every reader: ``PYTHONPATH=tests python -m fuzz.run --inputs 2000``.

Each outcome must be a valid result or one error of the reader's own type, in one line. Inputs are read in a
child process with little memory to spare and little time for each, so that whatever happens is seen.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from fuzz.formats import FORMATS

SECONDS = 10
"""A reader that takes longer for a file of a few kilobytes hangs."""
MEMORY = 1 << 30
"""Bytes that a reader may take beyond what the process has."""
OUTCOMES = ("read", "refused", "crashes", "hangs", "silent acceptances")


def input_folder(form, folder, number, seed):
    """Write valid files and damage one; ``None`` or, of an exact format, what an undamaged one reads as."""
    rng = np.random.default_rng([seed, number])
    shutil.rmtree(folder, ignore_errors=True)
    other = folder / "other"
    other.mkdir(parents=True)
    form.write(other, int(rng.integers(100)))
    names = form.write(folder, int(rng.integers(100)))
    expected = form.read(folder) if form.exact else None
    name = names[rng.integers(len(names))]
    form.damage(folder / name, other / name, rng)
    shutil.rmtree(other)
    return expected


def outcome(form, folder, expected):
    """What comes of reading a damaged file: one of :data:`OUTCOMES`, and what was wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = form.read(folder)
    except form.error as error:
        if not str(error) or "\n" in str(error).rstrip("\n"):
            return "crashes", f"not one line: {error!r}"
        return "refused", ""
    except AssertionError:
        return "silent acceptances", traceback.format_exc()
    except BaseException:
        return "crashes", traceback.format_exc()
    if expected is not None and found != expected:
        return "silent acceptances", "the content changed"
    return "read", ""


def child(form, folder, numbers, seed, answer):
    """Read one input after the other, each with a limit on its time."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number in numbers:
        expected = input_folder(form, folder, number, seed)
        signal.alarm(SECONDS)
        told = outcome(form, folder, expected)
        signal.alarm(0)
        os.write(answer, (json.dumps([number, *told]) + "\n").encode())
    os._exit(0)


def fuzz(form, inputs, seed=0):
    """How often each outcome came, and of the bad ones the number and the reason."""
    counts, bad, done = Counter(dict.fromkeys(OUTCOMES, 0)), [], 0
    with tempfile.TemporaryDirectory() as folder:
        while done < inputs:
            end, answer = os.pipe()
            process = os.fork()
            if process == 0:
                try:
                    child(form, Path(folder) / "input", range(done, inputs), seed, answer)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(1)
            os.close(answer)
            with os.fdopen(end) as lines:
                for line in lines:
                    number, kind, reason = json.loads(line)
                    counts[kind] += 1
                    done = number + 1
                    if reason:
                        bad.append((number, kind, reason))
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if done < inputs:
                kind = "hangs" if status == -signal.SIGALRM else "crashes"
                counts[kind] += 1
                bad.append((done, kind, f"the process ended with {status}"))
                done += 1
    return counts, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--inputs", type=int, default=2000, help="damaged files of each format (default: 2000)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="formats whose name has this in it")
    args = parser.parse_args()
    print(f"| format | inputs | {' | '.join(OUTCOMES)} |", flush=True)
    print("|---" * (len(OUTCOMES) + 2) + "|", flush=True)
    failed = 0
    for name, form in FORMATS.items():
        if args.only in name:
            counts, bad = fuzz(form, args.inputs, args.seed)
            print(
                f"| {name} | {args.inputs} | {' | '.join(str(counts[kind]) for kind in OUTCOMES)} |",
                flush=True,
            )
            for number, kind, reason in bad[:5]:
                print(f"{name}, input {number}: {kind}\n{reason}", file=sys.stderr, flush=True)
            failed += len(bad)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
