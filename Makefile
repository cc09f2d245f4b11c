# The two commands a newcomer needs: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: docs faults demo test coverage test-browser screenshots check test-ray clean test-slow gemini-legacy-venv
.PHONY: bench bench-dedup bench-ui bench-validate accept-llamafactory accept-trl bench-audit bench-metrics bench-generate bench-planted bench-probe

# Everything runs from an editable install, pinned by constraints.txt; made again when either file changes.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "datagen needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/datagen -w demo run pipelines/quickstart.yaml --docs examples/hotel_ota/docs --set exam.gold=examples/hotel_ota/gold.jsonl --set exam.gold_limit=20

# Two workers; one that is done takes tests from the other, so what a file's tests share is made twice at most at the end.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

# What the default tests run, by package; CONTRIBUTING says why the rest is not.
coverage: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov=datagen --cov-report=
	$(BIN)/python tests/coverage_by_package.py

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m 'slow or packaging'
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest

# kill -9, full disk, broken store, 10,000 fuzzed files, ...; ends with one line a fault.
faults: $(STAMP)
	$(BIN)/python -m pytest -m faults tests/faults -v -rA --show-capture=no

# Debian: apt-get install chromium chromium-driver fonts-noto-cjk
test-browser: $(STAMP)
	$(BIN)/python -m pytest -m browser tests/ui

# One picture per main view of the workspace that make demo leaves, into docs/pictures.
screenshots: $(STAMP)
	$(BIN)/python tests/ui/screenshots.py demo

bench-ui: $(STAMP)
	$(BIN)/python tests/bench/ui_rows.py
	$(BIN)/python tests/bench/ui_pages.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/datagen schema export --check

bench: $(STAMP)
	$(BIN)/python tests/bench/probe_speed.py

bench-audit: $(STAMP)
	$(BIN)/python tests/bench/audit_speed.py 100000
	$(BIN)/python tests/bench/planted_defects.py 4
	$(BIN)/python tests/bench/off_topic.py

# Trains some small sets a call and goes on where it was; call it until it prints the correlations.
bench-metrics: $(STAMP)
	$(BIN)/python tests/bench/metric_validity.py

# Speed next to the peers (venvs of their own: tests/acceptance/make_llamafactory_venv.sh, and one with trl), simulated and real honesty.
bench-probe: $(STAMP)
	$(BIN)/python tests/bench/probe_peers.py gemma3-270m
	$(BIN)/python tests/bench/probe_peers.py smollm2-135m
	$(BIN)/python tests/bench/probe_simulation.py
	$(BIN)/python tests/bench/probe_noise.py run
	$(BIN)/python tests/bench/probe_noise.py report
	$(BIN)/python tests/bench/probe_bank.py run
	$(BIN)/python tests/bench/probe_bank.py report
	$(BIN)/python tests/bench/probe_full.py

# Throughput of the client against a loopback endpoint; curator and data-designer beside it where their venvs exist.
bench-generate: $(STAMP)
	$(BIN)/python tests/bench/generate_speed.py

# Recall of planted defects and false drops on clean items, every strategy, zh and en, over loopback.
bench-planted: $(STAMP)
	$(BIN)/python tests/bench/planted_generation.py

# The retired Gemini SDK, for its slow tests.
gemini-legacy-venv:
	$(PYTHON) -m venv $(HOME)/.cache/gemini-legacy-venv
	$(HOME)/.cache/gemini-legacy-venv/bin/pip install --quiet 'google-generativeai>=0.8' 'pydantic>=2.10' pyyaml platformdirs

# The guide in both languages and the Python reference, one static site; fails on any broken link or anchor. An environment of its own: Sphinx
# wants another docutils than the page's library.
DOCS ?= .venv-docs
docs:
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r docs/requirements.txt -e .
	rm -rf site
	$(DOCS)/bin/sphinx-build -q -W --keep-going -c docs -D language=en docs/en site/en
	$(DOCS)/bin/sphinx-build -q -W --keep-going -c docs -D language=zh_CN docs/zh site/zh
	cp docs/index.html site/index.html
	$(DOCS)/bin/python docs/check_links.py site

# The programs that deduplication is compared with, in an environment of their own.
PEERS ?= .venv-dedup-peers
bench-dedup: $(STAMP)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check rensa==0.5.0 datasketch==2.0.0 text-dedup==0.4.0 semhash==0.5.0 scikit-learn
	DATAGEN_PEERS_PYTHON=$(PEERS)/bin/python $(BIN)/python tests/bench/dedup_speed.py --rows 50000 --programs datagen,rensa,rensa_matrix,rensa_rho,datasketch,text_dedup
	DATAGEN_PEERS_PYTHON=$(PEERS)/bin/python $(BIN)/python tests/bench/dedup_speed.py --rows 500000 --rounds 1 --programs datagen,rensa,rensa_matrix,rensa_rho,datasketch
	DATAGEN_PEERS_PYTHON=$(PEERS)/bin/python $(BIN)/python tests/bench/dedup_speed.py --rows 5000 --rounds 1 --programs datagen,semhash
	$(BIN)/python tests/bench/dedup_scale.py
	DATAGEN_PEERS_PYTHON=$(PEERS)/bin/python $(BIN)/python tests/bench/dedup_quality.py
	$(BIN)/python tests/bench/leak_quality.py

# Engine ray on several nodes of this machine, one of them killed; an environment of its own, for its size.
RAY ?= .venv-ray
test-ray: $(STAMP)
	test -x $(RAY)/bin/python || $(PYTHON) -m venv $(RAY)
	$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	DATAGEN_RAY_PYTHON=$(RAY)/bin/python $(BIN)/python -m pytest -m slow tests/dedup/test_ray.py

accept-llamafactory: $(STAMP)
	bash tests/acceptance/make_llamafactory_venv.sh
	$(BIN)/python -m pytest -m llamafactory tests/acceptance

accept-trl: $(STAMP)
	bash tests/acceptance/make_llamafactory_venv.sh
	bash tests/acceptance/make_trl_venv.sh
	$(BIN)/python -m pytest -m trl tests/acceptance

bench-validate: $(STAMP)
	$(BIN)/python tests/bench/validate_speed.py

clean:
	rm -rf demo dist build site .pytest_cache .ruff_cache .hypothesis
