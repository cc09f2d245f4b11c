"""Seed a dataset from domain documents: documents -> rows with evidence -> a frozen exam kept apart -> registered in LLaMA-Factory.

    python examples/seed_dataset.py --docs examples/hotel_ota/docs --workspace seeded --rows 100

Offline and free: rows are made by rules. Rows written by an LLM need another strategy in the recipe (pipelines/README.md), no other code.
Run again after a crash, it goes on; run again after it ended, it ends in a second.
"""

import argparse
from pathlib import Path

from datagen import run
from datagen.pipeline.recipe import load_recipe
from datagen.workspace import Workspace

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", type=Path, default=HERE / "hotel_ota" / "docs")
    parser.add_argument("--workspace", type=Path, default=Path("seeded"))
    parser.add_argument("--rows", type=int, default=100)
    given = parser.parse_args()

    recipe = load_recipe("quickstart", settings=[f"sizes=[{given.rows}]", "register.name=hotel"])
    # Up to "register": no probe is trained. Leave ``until`` out, and the run ends with a measured verdict.
    result = run(recipe, workspace=Workspace(given.workspace), docs=given.docs, until="register")

    (outcome,) = result.outcomes
    for step in outcome.funnel:
        lost = ", ".join(f"{reason} {n}" for reason, n in step.dropped.items())
        print(f"{step.stage:<9} entered {step.entered:>5}  kept {step.kept:>5}  {lost}")
    print(f"rows with their evidence: {outcome.folder / 'train.jsonl'}")
    print(f"registered in:            {given.workspace / 'data' / 'dataset_info.json'}")
    print(f"full training:            llamafactory-cli train {outcome.folder / 'train.yaml'}")


if __name__ == "__main__":
    main()
