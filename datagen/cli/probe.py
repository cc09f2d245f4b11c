"""``datagen probe``: is this data better than that, on a small model, with an error bar."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, say, workspace_of

if TYPE_CHECKING:
    from datagen.probe import ProbeResult


def probe(
    ctx: typer.Context,
    train: Annotated[Path, typer.Option("--train", help="The new data: any row format, or datagen samples.")],
    eval_file: Annotated[Path, typer.Option("--eval", help="Eval questions; rows tagged recall or unseen, untagged rows count as recall.")],
    baseline: Annotated[Path | None, typer.Option("--baseline", help="The data to compare with (default: the untrained model).")] = None,
    gold: Annotated[Path | None, typer.Option("--gold", help="Eval questions written by people, reported beside the others.")] = None,
    vault: Annotated[
        Path | None, typer.Option("--vault", help="Questions opened only if the verdict is BETTER, at most ten times; each is logged.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="gemma3-270m, smollm2-135m, tiny, or a model folder.")] = "gemma3-270m",
    stage: Annotated[str, typer.Option("--stage", help="sft: completions; dpo: preferences; pt: whole texts.")] = "sft",
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=64, help="Paired runs per arm; a verdict needs at least 2.")] = 3,
    budget: Annotated[str, typer.Option("--budget", help="Equal epochs, equal steps, or both (judged on epochs).")] = "epochs",
    epochs: Annotated[float, typer.Option("--epochs", help="Passes over each arm's rows.")] = 1.0,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Peak rate; decays linearly to zero.")] = 5e-4,
    rank: Annotated[int, typer.Option("--rank", help="LoRA rank; alpha is twice the rank.")] = 16,
    dropout: Annotated[float, typer.Option("--dropout", help="LoRA dropout.")] = 0.0,
    targets: Annotated[str, typer.Option("--targets", help="Linear layers with an adapter, such as q_proj,v_proj (default: all).")] = "",
    lora_plus: Annotated[float, typer.Option("--lora-plus", help="LoRA+: B's learning rate over A's; 16 is the paper's.")] = 1.0,
    rslora: Annotated[bool, typer.Option("--rslora", help="Scale by alpha / sqrt(rank).")] = False,
    dora: Annotated[bool, typer.Option("--dora", help="Weight-decomposed LoRA; slower.")] = False,
    patience: Annotated[int, typer.Option("--patience", help="Stop after so many evaluations without a gain; 0: never.")] = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Examples per optimizer step.")] = 8,
    delta: Annotated[float, typer.Option("--delta", help="Smallest difference of interest, nats per completion token.")] = 0.01,
    goal: Annotated[str, typer.Option("--goal", help="knowledge: judged on recall questions; style: on unseen ones.")] = "knowledge",
    answers: Annotated[int, typer.Option("--answers", help="Eval questions answered before and after, to read and to score.")] = 6,
    look: Annotated[int, typer.Option("--look", min=1, help="How many verdicts this exam has given, this one included.")] = 1,
    robust: Annotated[bool, typer.Option("--robust", help="Compare at a third of the rate and under the other budget too.")] = False,
    resume: Annotated[bool, typer.Option("--resume/--fresh", help="Go on from stored runs and checkpoints, or train all again.")] = True,
    engine: Annotated[
        Literal["auto", "serial", "processes", "ray"],
        typer.Option("--engine", help="Who trains: this process, one a GPU or core, Ray; auto: what is fastest here."),
    ] = "auto",
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Runs at once, but for serial.")] = None,
    retrieval: Annotated[
        bool, typer.Option("--retrieval", help="Fine-tune or retrieve: base, base + retrieved passages, tuned, tuned + retrieved.")
    ] = False,
    docs: Annotated[Path | None, typer.Option("--docs", help="Documents to retrieve from (default: the workspace's docs).")] = None,
    passages: Annotated[int, typer.Option("--passages", min=1, help="Passages put before each question, for --retrieval.")] = 1,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Probe although training rows leak into the questions (default: refuse).")
    ] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Result folder (default: .datagen/probes/<hash>).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a quick paired LoRA probe and give a verdict."""
    from datagen.cli.inputs import named_rows, probe_config, read_set, shown_progress
    from datagen.dedup.leakage.refusal import refuse_leaks
    from datagen.errors import UsageError
    from datagen.hashing import fingerprint
    from datagen.probe import run_probe
    from datagen.probe.store.runs import data_key

    if retrieval and (baseline or vault or robust):
        hint = "leave out --baseline, --vault and --robust, or --retrieval"
        raise UsageError("--retrieval compares one training set with the untrained model, with and without passages", hint=hint)
    config = probe_config(
        {
            "model": model,
            "stage": stage,
            "seeds": seeds,
            "budget": budget,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "rank": rank,
            "alpha": 2.0 * rank,
            "dropout": dropout,
            "target_modules": tuple(t.strip() for t in targets.split(",") if t.strip()),
            "lora_plus_ratio": lora_plus,
            "rslora": rslora,
            "dora": dora,
            "patience": patience,
            "batch_size": batch_size,
            "delta": delta,
            "goal": goal,
            "answers": answers,
        }
    )
    new, exam = read_set(train), read_set(eval_file)
    old = read_set(baseline) if baseline else None
    hidden = read_set(vault) if vault else []
    judged = [named_rows(eval_file, exam)]
    if gold:
        golden = [s.tagged(eval_set="gold") for s in read_set(gold)]
        judged.append(named_rows(gold, golden))
        exam = [*exam, *golden]
    if not allow_leaks:
        trained = [named_rows(path, rows) for path, rows in ((train, new), (baseline, old)) if path and rows]
        refuse_leaks(trained, [*judged, *([named_rows(vault, hidden)] if vault else [])], override="--allow-leaks")
    workspace = workspace_of(ctx)
    if retrieval:
        from datagen.cli.retrieval import compare_with_retrieval

        folder = docs or workspace.root / "docs"
        compare_with_retrieval(ctx, new, exam, config=config, docs=folder, k=passages, out=out, as_json=as_json)
        return
    key = fingerprint([config.model_dump(mode="json"), robust, look, *(data_key(part) for part in (new, exam, old or []))])[:12]
    folder = out or workspace.state / "probes" / key
    with shown_progress("probe") as show:
        result = run_probe(
            new,
            exam,
            baseline=old,
            config=config,
            runs_dir=workspace.probe_runs,
            out_dir=folder,
            look=look,
            robust=robust,
            resume=resume,
            engine=engine,
            workers=workers,
            vault=hidden,
            vault_log=workspace.state / "vault.jsonl",
            allow_leaks=True,
            on_progress=show,
            on_expected=lambda e: say(e.sentence.en),
        )
    for warning in result.warnings:
        say(f"warning: {warning}")
    emit({**result.model_dump(mode="json"), "out": str(folder)}, as_json=as_json, human=describe(result, folder))


def describe(result: "ProbeResult", folder: Path) -> str:
    """Format a result for the terminal."""
    lines = [f"{result.verdict}  ({result.model}, {result.model_licence}; config {result.config_hash}, look {result.look})"]
    lines += [f"  {result.sentence.en}", f"  {result.sentence.zh}", ""]
    lines.append(f"  {'eval set':<10}{'tokens':<8}{'verdict':<14}{'difference':>11}  {'interval':<20}{'MDE':>7}  seeds/docs/items/tokens")
    for v in result.verdicts:
        kind = "all" if v.metric == "nll" else "facts"
        lines.append(
            f"  {v.eval_set:<10}{kind:<8}{v.verdict:<14}{v.delta:>+11.4f}  [{v.low:+.4f}, {v.high:+.4f}]  {v.mde:>7.4f}"
            f"  {v.seeds}/{v.documents}/{v.items}/{v.tokens}"
        )
    for v in result.slices:
        lines.append(f"  {v.eval_set} {v.slice}: {v.verdict} {v.delta:+.4f} [{v.low:+.4f}, {v.high:+.4f}]")
    for name, gain in result.gain_over_base.items():
        lines.append(f"  {name} over the untrained model: {gain.delta:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]")
    for c in result.controls:
        v = c.verdict
        lines.append(
            f"  at equal {c.budget}, rate {c.learning_rate:.3g}: {v.verdict} {v.delta:+.4f} [{v.low:+.4f}, {v.high:+.4f}]"
            f"{'' if c.agrees else '  (other sign)'}"
        )
    if result.robust is not None:
        signs = "the same sign" if result.robust else "not the same sign"
        lines.append(f"  {'ROBUST' if result.robust else 'NOT ROBUST'}: {signs} at both rates and under both budgets")
    if result.vault is not None:
        v = result.vault.verdict
        lines.append(f"  vault (opening {result.vault.number} of 10): {v.verdict} {v.delta:+.4f} [{v.low:+.4f}, {v.high:+.4f}]")
    for a in result.scores:
        s = a.scores
        lines.append(
            f"  {s.answers} answers, {a.arm}: exact {s.exact_match:.2f}, char F1 {s.char_f1:.2f}, chrF {s.chrf:.1f}, "
            f"ROUGE-L {s.rouge_l:.1f}, BLEU-4 {s.bleu_4:.1f}, form {s.format_valid:.2f}"
        )
    lines += [f"  {s.arm}: {s.sentence.en}" for s in result.training]
    lines.append(f"  {result.seconds:.0f} s; losses and details in {folder}")
    return "\n".join(lines)
