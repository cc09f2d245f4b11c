"""Token buckets over a clock that the test turns: never more than the limit in any minute."""

from hypothesis import given
from hypothesis import strategies as st

from datagen.clients.rates import Bucket
from datagen.clients.types import Allowance


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def drive(limit: float, needs: list[float], *, pauses: list[float]) -> list[tuple[float, float]]:
    """Take each need as soon as the bucket allows; return (time, units)."""
    clock = Clock()
    bucket = Bucket(limit, clock=clock)
    taken: list[tuple[float, float]] = []
    for i, need in enumerate(needs):
        clock.now_s += pauses[i % len(pauses)] if pauses else 0.0
        while (delay_s := bucket.delay_s(need)) > 0:
            clock.now_s += delay_s
        bucket.take(need)
        taken.append((clock.now_s, need))
    return taken


@given(
    st.integers(60, 6000),
    st.lists(st.integers(1, 60), min_size=1, max_size=400),
    st.lists(st.floats(0, 90), max_size=5),
)
def test_no_minute_exceeds_the_limit(limit: int, needs: list[int], pauses: list[float]) -> None:
    capped = [float(min(need, limit // 2)) for need in needs]
    taken = drive(limit, capped, pauses=pauses)
    for start, _ in taken:
        assert sum(units for at, units in taken if start <= at < start + 60) <= limit + 1e-6


def test_steady_use_reaches_the_limit_nearly() -> None:
    taken = drive(600, [1.0] * 3000, pauses=[])
    minutes = taken[-1][0] / 60
    assert 0.97 * 600 <= len(taken) / minutes <= 600


def test_a_need_above_a_second_is_paced_not_refused() -> None:
    taken = drive(10_000, [2400.0] * 8, pauses=[])
    assert taken[-1][0] < 160
    assert [at for at, _ in taken] == sorted(at for at, _ in taken)


def test_settling_gives_back_and_charges_more() -> None:
    clock = Clock()
    bucket = Bucket(6000, clock=clock)
    bucket.take(100)
    assert bucket.delay_s(50) > 0
    bucket.settle(100, 20)
    assert bucket.delay_s(50) == 0
    bucket.settle(20, 400)
    assert bucket.delay_s(1) > 3


def test_limits_are_learnt_from_headers_unless_given() -> None:
    clock = Clock()
    bucket = Bucket(None, clock=clock)
    assert bucket.delay_s(1e9) == 0
    bucket.learn(Allowance("requests", 600, 599, 0.1))
    assert bucket.limit == 600
    bucket.learn(Allowance("requests", 600, 0, 60))
    assert 0 < bucket.delay_s(1) < 0.2
    given_limit = Bucket(60, clock=clock)
    given_limit.learn(Allowance("requests", 600, 500, 10))
    assert given_limit.limit == 60


def test_a_daily_quota_is_no_pace() -> None:
    bucket = Bucket(None, clock=Clock())
    # 200 a day: one used, and it comes back in 7 min 12 s.
    bucket.learn(Allowance("requests", 200, 199, 432))
    assert bucket.limit is None
