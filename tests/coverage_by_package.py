"""Print what a measured run covered, by package, as a Markdown table, and the files that are covered least. Run: make coverage."""

import sys
from collections import defaultdict
from pathlib import Path, PurePath

from coverage import Coverage

LEAST = 12


def main() -> int:
    """Read the combined data and print it; fails where nothing was measured."""
    root = Path(__file__).resolve().parent.parent / "datagen"
    measured = Coverage()
    measured.load()
    by_package: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    by_file: list[tuple[float, int, str]] = []
    for path in sorted(root.rglob("*.py")):
        _, statements, _, missing, _ = measured.analysis2(str(path))
        if not statements:
            continue
        name = PurePath(path.relative_to(root))
        counts = by_package[f"{name.parts[0]}/" if len(name.parts) > 1 else "datagen/*.py"]
        for at, n in enumerate((1, len(statements), len(missing))):
            counts[at] += n
        by_file.append((1 - len(missing) / len(statements), len(missing), str(name)))
    lines = ["| package | files | statements | not run | covered |", "|---|---|---|---|---|"]
    total = [sum(counts[at] for counts in by_package.values()) for at in range(3)]
    for name, (files, statements, missing) in [*sorted(by_package.items()), ("all", total)]:
        lines.append(f"| {name} | {files} | {statements} | {missing} | {1 - missing / statements:.1%} |")
    lines += ["", *(f"{share:.0%} {missing:4} lines not run  {name}" for share, missing, name in sorted(by_file)[:LEAST])]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if total[2] < total[1] else 1


if __name__ == "__main__":
    sys.exit(main())
