"""One peer's throughput on the same endpoint, run with the peer's own interpreter: ``generate_peers.py NAME URL CONCURRENCY N``.

Both count tokens with tiktoken, which downloads its vocabulary; offline, a vocabulary of single bytes stands in.
"""

import json
import os
import resource
import sys
import tempfile
import time
from typing import Any

PASSAGE = "早餐供应时间为 7:00 至 10:30，地点在二楼餐厅，未含早餐的客人每位收费 68 元。" * 8


def count_tokens_offline() -> None:
    import tiktoken  # pyright: ignore[reportMissingImports]

    ranks = {bytes([i]): i for i in range(256)}
    encoding = tiktoken.Encoding(name="bytes", pat_str=r"[\s\S]", mergeable_ranks=ranks, special_tokens={})

    def always(name: str) -> Any:
        return encoding

    tiktoken.get_encoding = tiktoken.encoding_for_model = always


def curator(url: str, concurrency: int, n: int) -> None:
    os.environ |= {"CURATOR_DISABLE_CACHE": "1", "TELEMETRY_ENABLED": "0", "CURATOR_DISABLE_RICH_DISPLAY": "1", "OPENAI_API_KEY": "none"}
    from bespokelabs import curator as peer  # pyright: ignore[reportMissingImports]

    backend: dict[str, Any] = {
        "base_url": url,
        "api_key": "none",
        "max_concurrent_requests": concurrency,
        "max_requests_per_minute": 10_000_000,
        "max_tokens_per_minute": 10_000_000_000,
        "require_all_responses": False,
    }
    llm = peer.LLM(model_name="gpt-4o-mini", backend="openai", backend_params=backend)
    prompts = [f"{i}\n{PASSAGE}" for i in range(n)]
    began_s, cpu_s = time.perf_counter(), time.process_time()
    llm(prompts)
    report(began_s, cpu_s, n)


def data_designer(url: str, concurrency: int, n: int) -> None:
    os.environ["STUB_KEY"] = "none"
    import data_designer.config as dd  # pyright: ignore[reportMissingImports]
    from data_designer.interface import DataDesigner  # pyright: ignore[reportMissingImports]

    provider = dd.ModelProvider(name="stub", endpoint=url, provider_type="openai", api_key="STUB_KEY")
    parameters = dd.ChatCompletionInferenceParams(temperature=0.7, max_tokens=2400, max_parallel_requests=concurrency)
    model = dd.ModelConfig(alias="m", model="stub", provider="stub", inference_parameters=parameters, skip_health_check=True)
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.add_column(dd.SamplerColumnConfig(name="u", sampler_type=dd.SamplerType.UUID, params=dd.UUIDSamplerParams()))
    builder.add_column(dd.LLMTextColumnConfig(name="a", model_alias="m", prompt="{{ u }}\n" + PASSAGE))
    with tempfile.TemporaryDirectory() as folder:
        designer = DataDesigner(model_providers=[provider], artifact_path=folder)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        designer.create(builder, num_records=n)
        report(began_s, cpu_s, n)


def report(began_s: float, cpu_s: float, n: int) -> None:
    figures = {
        "seconds": time.perf_counter() - began_s,
        "cpu_ms": (time.process_time() - cpu_s) / n * 1000,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)  # their background threads keep the process alive


if __name__ == "__main__":
    _, name, url, concurrency, n = sys.argv
    count_tokens_offline()
    (curator if name == "bespokelabs-curator" else data_designer)(url, int(concurrency), int(n))
