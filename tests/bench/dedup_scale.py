"""Time and memory of deduplication as rows grow: ``python tests/bench/dedup_scale.py [--rows 10000,100000,1000000] [--file 1000000]``.

Texts of some 30 words (170 bytes), 15 % of them duplicates. ``--rows``: from a list of strings, each size in a process of its own.
``--file``: from a .jsonl file through ``datagen dedup``'s three passes. One JSON line each: seconds per million rows and peak bytes a row
above what the list of strings takes (for a file: above the imports).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from dedup_data import english_like

WORDS = 30


def peak_bytes() -> int:
    """Return this program's peak resident memory; ``ru_maxrss`` would begin with what the process had that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def measure(kind: str, path: Path) -> dict[str, Any]:
    """Deduplicate the texts in a file of JSON lines, in this process."""
    from datagen.dedup import deduplicate
    from datagen.dedup.engines.streaming import deduplicate_file

    deduplicate(["one row", "another row", "one row"])
    warm = path.with_name("warm.jsonl")
    warm.write_text('{"text": "one row"}\n' * 3, encoding="utf-8")
    deduplicate_file(warm, path.with_name("k"), path.with_name("d"))
    texts: list[str] = []
    if kind == "list":
        with path.open(encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
    before = peak_bytes()
    started = time.perf_counter()
    if kind == "list":
        rows, kept = len(texts), len(deduplicate(texts).kept)
    else:
        outcome = deduplicate_file(path, path.with_name("kept.jsonl"), path.with_name("dropped.jsonl"))
        rows, kept = outcome.rows, outcome.kept
    seconds = time.perf_counter() - started
    grown = peak_bytes() - before
    per_million = round(seconds / rows * 1e6, 2)
    return {
        "from": kind,
        "rows": rows,
        "kept": kept,
        "seconds": round(seconds, 2),
        "s_per_million": per_million,
        "bytes_a_row": grown // rows,
    }


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--file", default="1000000")
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "PATH"))
    options = parser.parse_args()
    if options.measure:
        sys.stdout.write(json.dumps(measure(options.measure[0], Path(options.measure[1]))) + "\n")
        return
    for kind, sizes in (("list", options.rows), ("file", options.file)):
        for rows in filter(None, sizes.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "texts.jsonl"
                with path.open("w", encoding="utf-8") as file:
                    file.writelines(json.dumps({"text": text}) + "\n" for text in english_like(int(rows), words=WORDS).texts)
                sys.stdout.write(subprocess.check_output([sys.executable, __file__, "--measure", kind, str(path)], text=True))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
