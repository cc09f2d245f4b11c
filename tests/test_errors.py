import pickle

from datagen.errors import DatagenError, MissingExtra, ProviderError, UsageError, suggest


def test_errors_survive_pickling_with_all_they_say() -> None:
    error = ProviderError("model m: 429", hint="wait", retryable=True, status=429)
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.hint, again.retryable, again.status) == ("model m: 429", "wait", True, 429)
    assert isinstance(again, DatagenError)


def test_exit_codes_and_stdlib_bases() -> None:
    assert UsageError("x").exit_code == 2
    assert isinstance(UsageError("x"), ValueError)
    assert MissingExtra.of("the probe", "probe").hint == "pip install 'datagen[probe]'"


def test_suggest_names_the_nearest() -> None:
    assert suggest("clena", ["clean", "split"]) == "did you mean 'clean'? known: clean, split"
