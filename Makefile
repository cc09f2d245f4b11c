# The two commands a newcomer needs: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check bench clean accept-llamafactory test-slow

# Everything runs from an editable install, pinned by constraints.txt; made again when either file changes.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "datagen needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/datagen -w demo run pipelines/quickstart.yaml --docs examples/hotel_ota/docs --set exam.gold=examples/hotel_ota/gold.jsonl --set exam.gold_limit=30

test: $(STAMP)
	$(BIN)/python -m pytest

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m 'slow or packaging'
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/datagen schema export --check

bench: $(STAMP)
	$(BIN)/python tests/bench/probe_speed.py

accept-llamafactory: $(STAMP)
	bash tests/acceptance/make_llamafactory_venv.sh
	$(BIN)/python -m pytest -m llamafactory tests/acceptance

clean:
	rm -rf demo dist build .pytest_cache .ruff_cache .hypothesis
