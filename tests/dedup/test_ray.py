"""Engine ``ray`` gives the native result, on several nodes, and with one of them killed in the middle. Slow: ``make test-ray``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datagen.dedup import deduplicate
from datagen.errors import MissingExtra

DRIVER = """
import json, sys, threading, time
import ray
from ray.cluster_utils import Cluster

sys.path.insert(0, "tests/bench")
from dedup_data import english_like
from datagen.dedup import deduplicate
from datagen.dedup import ray_engine
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

kill = sys.argv[1] == "kill"
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
ray_engine.BLOCK = 1 << 17
texts = english_like(6000).texts + ["退房时间是中午十二点。", "退房时间是中午 12 点。", "退房时间是中午12点！", "", "🏨"]
native = deduplicate(texts)
killed_at = None
real = ray_engine._sign

def slow_sign(row, *, ngram, bands):
    time.sleep(0.2)
    return real(row, ngram=ngram, bands=bands)

if kill:
    # Slow enough that the node is in the middle of its work; the function itself is unchanged.
    ray_engine._sign = slow_sign

    def stop() -> None:
        global killed_at
        time.sleep(4)
        cluster.remove_node(nodes[0], allow_graceful=False)
        killed_at = time.monotonic()

    killer = threading.Thread(target=stop)
    killer.start()
found = deduplicate(texts, engine="ray")
ended = time.monotonic()
if kill:
    killer.join()
answer = "退房时间是中午十二点之前，第 {} 种说法，请提前告知前台"
rows = [{"instruction": f"几点可以退房，第 {i % 40} 问？", "output": answer.format(i % 7)} for i in range(200)]
print(json.dumps({
    "same": found == native,
    "same_rows": deduplicate(rows, engine="ray", keep="longest") == deduplicate(rows, keep="longest"),
    "dropped": len(found.dropped),
    "alive": sum(node["Alive"] for node in ray.nodes()),
    "killed_before_the_end": bool(kill and killed_at is not None and killed_at < ended),
}))
ray.shutdown()
cluster.shutdown()
"""


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="engine 'ray'") as caught:
        deduplicate(["退房", "早餐"], engine="ray")
    assert caught.value.hint == "pip install 'datagen[ray]'"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["whole", "kill"])
def test_three_nodes_give_the_native_result(repo: Path, mode: str) -> None:
    import json

    python = os.environ.get("DATAGEN_RAY_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import ray"], capture_output=True, check=False).returncode:
        pytest.skip("ray is not installed: pip install 'datagen[ray]', or set DATAGEN_RAY_PYTHON")
    # One hash salt for all nodes, as Ray demands of code that shuffles; the package is found by path; workers at the priority of their
    # driver (Ray's default is 15 steps lower), or they starve on a machine with other work.
    environment = {**os.environ, "PYTHONPATH": str(repo), "PYTHONHASHSEED": "0", "RAY_worker_niceness": "0"}
    done = subprocess.run([python, "-c", DRIVER, mode], cwd=repo, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    value = json.loads(done.stdout.strip().splitlines()[-1])
    assert value["same"]
    assert value["same_rows"]
    assert value["dropped"] > 800
    assert value["alive"] == (2 if mode == "kill" else 3)
    assert value["killed_before_the_end"] == (mode == "kill")
