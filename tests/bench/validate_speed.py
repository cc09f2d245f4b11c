"""How fast ``validate`` predicts: 100,000 rows of real questions in zh and en, read from disk. Fails at 10 seconds or more.

Seconds on the clock and of the processor (it uses one core) are both printed with the machine's load; on a machine that others use
(load above the number of cores) the processor's seconds decide.

python tests/bench/validate_speed.py [ROWS]
"""

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from datagen.export.llamafactory import validate

LIMIT_S = 10.0
ZH = (
    "你是酒店预订助手，只根据酒店的规则回答。",
    "{}号房可以延迟退房到几点？需要加收费用吗？",
    "{}号房最晚可延迟到下午两点，每小时加收五十元；会员免费延迟一小时。",
)
EN = (
    "You are a hotel booking assistant. Answer from the hotel's rules only.",
    "Until when can the guest of room {} check out late, and does it cost extra?",
    "The guest of room {} may stay until 2 p.m.; each hour costs 50 yuan, and members get one hour free of charge.",
)


def main(n_rows: int) -> int:
    """Run the benchmark; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            {"instruction": persona, "input": question.format(i), "output": answer.format(i), "system": "", "history": []}
            for i in range(n_rows)
            for persona, question, answer in [EN if i % 2 else ZH]
        ]
        seconds: dict[str, tuple[float, float]] = {}
        for name, text in (
            ("json", json.dumps(rows, ensure_ascii=False)),
            ("jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)),
        ):
            path = Path(folder) / f"rows.{name}"
            path.write_text(text, encoding="utf-8")
            started, busy = time.perf_counter(), time.process_time()
            report = validate(path)
            seconds[name] = (time.perf_counter() - started, time.process_time() - busy)
            if (report.rows, report.kept, report.errors) != (n_rows, n_rows, []):
                raise SystemExit(f"expected {n_rows} rows kept, got {report.kept} of {report.rows}")
    machine = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    for name, (taken, busy) in seconds.items():
        sys.stdout.write(f"{n_rows:,} rows of .{name}: {taken:.2f} s, {busy:.2f} s of processor\n")
    sys.stdout.write(f"{machine}, {cores} cores, load {load:.1f}\n")
    return int(max(busy if load > cores else taken for taken, busy in seconds.values()) >= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
