"""Iterate from small to large: a campaign that grows where it pays and stops by rule, then what to add next.

    python examples/iterate_small_to_large.py --docs examples/hotel_ota/docs --workspace grown --sizes 100,300,600

With the embedded Gemma 3 270M this takes tens of minutes on two cores; ``--model tiny`` shows the steps in one (its verdicts mean nothing).
Killed anywhere and started again, it goes on where it was.
"""

import argparse
from pathlib import Path

from datagen.pipeline.campaign import iterate
from datagen.pipeline.iteration import Plan
from datagen.pipeline.priorities import quotas, read_priorities
from datagen.pipeline.recipe import load_recipe
from datagen.pipeline.stopping import Limits
from datagen.workspace import Workspace

HERE = Path(__file__).resolve().parent


def announce(plan: Plan, cost: float) -> None:
    against = f"v{plan.baseline.number}" if plan.baseline else "the untrained model"
    print(f"step {plan.look}: {plan.size} rows against {against}, about ${cost:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", type=Path, default=HERE / "hotel_ota" / "docs")
    parser.add_argument("--workspace", type=Path, default=Path("grown"))
    parser.add_argument("--sizes", default="100,300,600")
    parser.add_argument("--exam", type=int, default=200, help="questions, written first and frozen")
    parser.add_argument("--model", default="gemma3-270m")
    given = parser.parse_args()

    settings = [f"sizes=[{given.sizes}]", f"exam.size={given.exam}", f"probe.model={given.model}", "register.name=hotel"]
    recipe = load_recipe("quickstart", settings=settings)
    workspace = Workspace(given.workspace)
    result = iterate(recipe, workspace=workspace, docs=given.docs, limits=Limits(budget=5.0), on_step=announce)

    for step in result.steps:
        verdict = step.manifest.verdict()
        assert verdict is not None
        said = f"{verdict['verdict']} {verdict['delta']:+.3f} [{verdict['low']:+.3f}, {verdict['high']:+.3f}] nats per token"
        print(f"v{step.manifest.number}: {said}, {'accepted' if step.manifest.accepted else 'not accepted'}; {step.decision.en}")
    best = f"v{result.incumbent.number}" if result.incumbent else "none: nothing beat the untrained model"
    print(f"train in full on: {best}")
    print(f"report:           {result.report}")

    # Where the next hundred rows should go: low coverage x high loss, as quotas a recipe takes (generate.quotas).
    ranked = read_priorities(workspace, result.steps[-1].manifest, rows=100)
    print(f"next hundred rows: {quotas(ranked)}")
    for failing in ranked[0].failing[:2]:
        print(f"  answered worst in {ranked[0].slice}: {failing.question[:60]}")


if __name__ == "__main__":
    main()
