"""Speed and memory of deduplication beside other programs: ``make bench-dedup``, or

    python tests/bench/dedup_speed.py --rows 50000,500000 --programs datagen,rensa,datasketch --rounds 3

Prints one JSON line per program and size (the fastest of the rounds, which take turns), then how many times datagen's time each took.
See ``dedup_programs.py`` for what is timed. The peers' Python is named by ``DATAGEN_PEERS_PYTHON``.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from dedup_data import english_like

ALL = "datagen,rensa,rensa_matrix,rensa_rho,datasketch,text_dedup,semhash"


def run_program(program: str, texts: Path) -> dict[str, Any]:
    """Run one program in its own process."""
    python = sys.executable if program == "datagen" else os.environ.get("DATAGEN_PEERS_PYTHON", sys.executable)
    script = Path(__file__).with_name("dedup_programs.py")
    environment = {**os.environ, "PYTHONPATH": str(script.parents[2])} if program == "datagen" else dict(os.environ)
    done = subprocess.run([python, str(script), program, str(texts)], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"program": program, "failed": last[:300]}
    value: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return value


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="50000")
    parser.add_argument("--programs", default=ALL)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--words", type=int, default=100)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {"cores": cores, "python": platform.python_version(), "numba": version("numba"), "numpy": version("numpy")}
    sys.stdout.write(json.dumps(machine) + "\n")
    programs = options.programs.split(",")
    for rows in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.json"
            path.write_text(json.dumps(english_like(rows, words=options.words).texts), encoding="utf-8")
            best: dict[str, dict[str, Any]] = {}
            for _ in range(options.rounds):
                for program in programs:
                    result = run_program(program, path)
                    known = best.get(program, result)
                    # Once failed is failed: a time of the rounds that went well would hide it.
                    if "failed" in result or ("failed" not in known and result["seconds"] <= known["seconds"]):
                        best[program] = result
        for result in best.values():
            sys.stdout.write(json.dumps(result) + "\n")
        own = best.get("datagen", {}).get("seconds")
        if own:
            times = {name: round(r["seconds"] / own, 1) for name, r in best.items() if "seconds" in r and name != "datagen"}
            sys.stdout.write(json.dumps({"rows": rows, "times_datagen": times}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
