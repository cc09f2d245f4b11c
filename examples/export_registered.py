"""Export a dataset: split without leakage, register in LLaMA-Factory, predict every row's fate, and write it for other trainers too.

    python examples/export_registered.py rows.jsonl --name hotel --out exported

Without a file it takes the example's 169 gold questions.
"""

import argparse
from pathlib import Path

from datagen import export_dataset, list_registered, load_samples, register, split, validate

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=HERE / "hotel_ota" / "gold.jsonl", help="any row format")
    parser.add_argument("--name", default="hotel")
    parser.add_argument("--out", type=Path, default=Path("exported"))
    given = parser.parse_args()

    # Near duplicates never end up on both sides; the same rows give the same split.
    parts = split(load_samples(given.file), eval_ratio=0.2, vault_ratio=0.0)
    held_out = parts.evaluation
    data_dir = given.out / "llamafactory"
    done = register(data_dir, given.name, parts.train, held_out, replace=True)
    print(f"{done.train_entry}: {done.train_rows} rows, {done.eval_entry}: {done.eval_rows} rows, format {done.format}")

    # What LLaMA-Factory 0.9.5 will do with each row, without starting it.
    report = validate(data_dir, name=given.name)
    print(f"kept {report.kept}, dropped {report.dropped}, would stop the run: {report.would_crash}")
    for finding in report.findings[:3]:
        print(f"  {finding.severity} {finding.code}: {finding.message}")
    for entry in list_registered(data_dir):
        print(f"registered: {entry.name}")

    for target in ("openai", "huggingface", "trl"):
        written = export_dataset(parts.train, given.out / target, to=target, eval_=held_out, name=given.name, replace=True)
        print(f"{target}: {', '.join(str(path) for path in written.files.values())}")


if __name__ == "__main__":
    main()
