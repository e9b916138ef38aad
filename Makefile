# Two commands matter: `make demo` and `make test`.
PYTHON ?= python3
PORT ?= 8000
ENGINE ?= embedded
ifeq ($(value HAVENGATE_DATA_DIR),)
export HAVENGATE_DATA_DIR := $(CURDIR)/havengate-data
endif

BIN := .venv/bin
STAMP := .venv/.installed
CLIP_STAMP := .venv/.installed-clip
TRAIN = $(BIN)/python -m embedding.builtin.training $(1) --clothing "$(CLOTHING)" $(if $(WORK),--work "$(WORK)")

ifeq ($(filter embedded opensearch,$(ENGINE)),)
$(error ENGINE is embedded or opensearch, not '$(ENGINE)')
endif
# A server that lives as long as the command behind this, its data in the data folder (needs Java 17 and Maven).
SERVER := $(if $(filter opensearch,$(ENGINE)),PYTHONPATH=tests $(BIN)/python -m opensearch_server "$$HAVENGATE_DATA_DIR")

COMPOSE := docker compose -f compose/compose.yaml

.PHONY: demo serve test test-long test-sdk test-opensearch-3 check bench bench-embed load print-data-dir clean
.PHONY: up smoke down
.PHONY: builtin-data builtin-train builtin-eval

demo: $(STAMP)
	$(SERVER) $(BIN)/havengate demo

serve: $(STAMP)
	$(SERVER) sh -c '$(BIN)/havengate demo --tables-only && exec $(BIN)/havengate serve --port $(PORT)'

# Files side by side: most tests wait for processes of their own.
test: $(CLIP_STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Naming a server's version makes missing Java or Maven a failure instead of a skip.
test-long: $(CLIP_STAMP) test-opensearch-3 test-sdk
	HAVENGATE_TEST_OPENSEARCH_VERSION=2.19.6 $(BIN)/python -m pytest -m long --ignore=tests/e2e/test_sdk.py

# Every version of the vendor's SDK that counts, each in an environment of its own below tests/.cache.
test-sdk: $(STAMP)
	$(BIN)/python -m pytest -m 'long or not long' tests/e2e/test_sdk.py

# The engine's tests on the newest server (needs a JDK 21 or newer).
test-opensearch-3: $(STAMP)
	HAVENGATE_TEST_OPENSEARCH_VERSION=3.6.0 $(BIN)/python -m pytest tests/engines tests/e2e/test_opensearch.py tests/e2e/test_opensearch_faults.py

check: $(CLIP_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python bench/parse.py
	$(BIN)/python bench/gateway_overhead.py
	$(BIN)/python bench/engine.py

# ENGINE=opensearch, CLIENTS= and MINUTES= for other loads.
load: $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[load]'
	$(BIN)/python bench/load/run.py --engine $(ENGINE) --clients $(or $(CLIENTS),32) --minutes $(or $(MINUTES),5)

# Everything in containers (docs/operations.md); no Python is needed here. What is stored outlives `down`.
up:
	compose/env.sh
	$(COMPOSE) up --detach --build --wait

smoke:
	compose/smoke.sh

down:
	$(COMPOSE) down

# CLIP with random weights of the real size. DEVICE=cuda on a machine with a GPU.
bench-embed: $(CLIP_STAMP)
	$(BIN)/python bench/embed.py $(if $(DEVICE),--device $(DEVICE))

# What `builtin` adds to ImageNet, made again (docs/models.md). CLOTHING=DIR is a copy of clothing-dataset-small.
builtin-data: $(CLIP_STAMP)
	$(call TRAIN,data)

builtin-train: $(CLIP_STAMP)
	$(call TRAIN,train)

builtin-eval: $(CLIP_STAMP)
	$(call TRAIN,eval)

print-data-dir:
	@printf '%s\n' "$$HAVENGATE_DATA_DIR"

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The interpreter's own venv, then pinned versions: a second run installs nothing.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "havengate needs Python 3.11 to 3.14, $(PYTHON) is none: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "installing into .venv (once)"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[demo,dev,opensearch]'
	@touch $(STAMP)

# torch is 5 GB with CUDA: for the tests, for training and whoever asks for it, never for the demo.
$(CLIP_STAMP): $(STAMP)
	@echo "installing the extras clip and train into .venv (once; about 6 GB)"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[demo,dev,opensearch,s3,s3-test,maxcompute,parquet,clip,clip-test,train,load]'
	@touch $(CLIP_STAMP)
