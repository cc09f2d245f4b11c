"""Speed and memory of an audit without a model. Run it: ``python tests/bench/audit_speed.py [ROWS]`` (default 100,000).

Writes a JSON file of that many distinct Alpaca-like rows, half Chinese, of the lengths of real ones (the quartiles of alpaca_gpt4: 8 to 25
words asked, 40 to 160 answered), audits it in a fresh process, and prints one JSON object: seconds by stage and peak resident size.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ZH = "酒店客房早餐退房入住订单取消房价会员积分发票押金前台大床双床江景套餐接送延迟免费时间楼层电梯游泳健身儿童宠物停车网络安静明亮宽敞"
EN = [
    *("room", "breakfast", "booking", "cancel", "guest", "check", "price", "member", "points", "invoice", "deposit", "desk"),
    *("river", "view", "package", "transfer", "late", "free", "time", "floor", "lift", "pool", "gym", "child"),
    *("pet", "parking", "network", "quiet", "bright", "spacious", "between", "after", "before", "until", "where", "which", "because"),
]
CHILD = """
import json, sys, time
started = time.monotonic()
from datagen.score.api import audit
result = audit(sys.argv[1])
print(json.dumps({"rows": result.source.n_rows, "kept": result.kept, "seconds": round(time.monotonic() - started, 1),
    "stages": {k: round(v, 1) for k, v in result.seconds.items()}, "peak_rss_mb": round(result.peak_rss_mb)}))
"""


def make_rows(n: int) -> list[dict[str, str]]:
    """Return ``n`` rows, the same on every machine."""
    rng = random.Random(0)

    def text(chinese: bool, least: int, most: int) -> str:
        size = rng.randint(least, most)
        if chinese:
            return "".join(rng.choice(ZH) + ("，" if i % 12 == 11 else "") for i in range(size)) + "。"
        return " ".join(rng.choice(EN) + ("," if i % 12 == 11 else "") for i in range(size)) + "."

    return [{"instruction": text(i % 2 == 0, 8, 25), "input": "", "output": text(i % 2 == 0, 40, 160)} for i in range(n)]


def main(n: int) -> None:
    """Write the file, audit it in a process of its own, print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps(make_rows(n), ensure_ascii=False), encoding="utf-8")
        megabytes = path.stat().st_size / 1e6
        done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True)
    sys.stdout.write(json.dumps({"file_mb": round(megabytes), **json.loads(done.stdout)}, indent=2) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
