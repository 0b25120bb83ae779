# Two commands on a fresh machine with Python >= 3.11 and make: `make chaos` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AGENTS := .venv-agents
# What `make nightly` needs beside: agents on larger frameworks, and on CrewAI, which holds others back.
NIGHTLY := .venv-nightly
CREWAI := .venv-crewai
RESULTS := allure-results
# The scenarios that `make chaos` explores, together in less than a minute; `make chaos-all` explores all.
CORE := publish_report invoice_and_its_file poison_message

# Pytest's temporary folders, in memory where there is a GB of it: explorations save and restore them all the time.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 1000000 {print "/dev/shm"}')
ifneq ($(MEMORY),)
export PYTEST_DEBUG_TEMPROOT ?= $(MEMORY)
endif

# Modules are compiled once: hundreds of tests start a pytest of their own, and each would compile our plugin anew, 4 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: chaos chaos-all chaos-deep test quick nightly test-pythons toxiproxy lint report benchmarks pictures clean

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rollproof needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

# What agents of others need, apart: one of these packages loads itself into every pytest. The rest it finds in $(VENV).
PACKAGES = $$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
define BESIDE  # an environment, its constraints, its extra
	$(PYTHON) -m venv $(1)
	echo "import site; site.addsitedir('$(call PACKAGES,$(VENV))')" > "$(call PACKAGES,$(1))/others.pth"
	$(1)/bin/python -m pip install --quiet --constraint $(2) --editable '.[$(3)]'
endef

$(AGENTS)/ready: $(VENV)/ready
	$(call BESIDE,$(AGENTS),constraints.txt,agents)
	touch $@

$(NIGHTLY)/ready: $(VENV)/ready constraints-nightly.txt
	$(call BESIDE,$(NIGHTLY),constraints-nightly.txt,nightly)
	touch $@

$(CREWAI)/ready: $(VENV)/ready constraints-crewai.txt
	$(call BESIDE,$(CREWAI),constraints-crewai.txt,crewai)
	touch $@

# Plugins that are tried beside ours, each in a folder that only these tests load.
$(VENV)/beside: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt --target $@/ordeal --upgrade ordeal coverage
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt --target $@/agentic-chaos --upgrade agentic-chaos typer rich markdown-it-py mdurl shellingham annotated-doc
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt --target $@/companions --upgrade pytest-asyncio pytest-randomly pytest-timeout pytest-cov coverage
	touch $@

chaos: $(VENV)/ready  ## run the core of the built-in scenarios under every fault
	$(BIN)/python -m pytest --chaos -q $(CORE:%=scenarios/test_%.py) -n 2 --alluredir=$(RESULTS) --clean-alluredir

chaos-all: $(VENV)/ready  ## run all of them
	$(BIN)/python -m pytest --chaos -q scenarios -n 2 --alluredir=$(RESULTS) --clean-alluredir

chaos-deep: SEEDS ?= 0 1 2 3 4
chaos-deep: $(VENV)/ready  ## explore all of them at depth 2, once for each of SEEDS: an hour a seed on 2 cores
	@test -n '$(strip $(SEEDS))' || { echo 'no seeds: make chaos-deep SEEDS="0 1"'; exit 1; }
	status=0; for seed in $(SEEDS); do \
	    $(BIN)/python -m pytest --chaos -q --chaos-depth=2 --chaos-reuse --chaos-seed=$$seed scenarios -n 2 || status=$$?; \
	done; exit $$status

# Tests that compare the embedded Toxiproxy with the real one find it where `make toxiproxy` puts it.
test benchmarks: export PATH := $(CURDIR)/.toxiproxy/bin:$(PATH)
# In parts: what a process has imported and kept makes each process of an exploration more expensive. SDKS are the tests
# that import the SDKs of models, 4000 modules, before the first of them runs.
SDKS := tests/network tests/twins $(addprefix tests/boundary/test_,http.py mcp.py) $(addprefix tests/test_,model_faults.py model_schemas.py steps.py story.py)
CORPUS := tests/test_mutants.py tests/test_brute_force.py
# What it reached of the paths that are marked as rare: see harness/values/rare.py.
test: export ROLLPROOF_RARE := $(CURDIR)/.rare/reached
test: $(VENV)/ready $(VENV)/beside $(AGENTS)/ready  ## run the whole test suite
	rm -rf .rare && mkdir .rare
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(CORPUS)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests $(patsubst %,--ignore=%,tests/agents tests/boundary $(SDKS) $(CORPUS))
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/boundary $(patsubst %,--ignore=%,$(SDKS))
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(SDKS)
	$(AGENTS)/bin/python -m pytest -q -n 2 --dist worksteal tests/agents --ignore=tests/agents/nightly
	$(BIN)/python tests/rare.py .rare/reached

# Less than a minute on 2 cores: what needs no process, and six agents of the corpus: files, locks, SQLite, mail, a model, asyncio.
PURE := tests/values tests/world tests/test_architecture.py tests/test_imports.py tests/test_marks.py
SIX := wrong_mode_set_after_the_rename right_lock_of_a_dead_process wrong_rows_replaced_without_transaction
SIX += wrong_partly_refused_mail right_tool_results_keep_their_calls right_cancelled_and_unlocked
quick: $(VENV)/ready  ## what is worth running after each edit
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(PURE) tests/test_mutants.py -k "pure$(SIX:%= or %)"

nightly: SEEDS ?= 0 1 2 3 4 5 6 7 8 9
nightly: TOKENS ?= 1000
nightly: REPLAYS ?= 100
nightly: BUSY ?= 2
# axe.min.js of the npm package axe-core, where it is installed: npm install --prefix .axe axe-core
AXE := $(wildcard $(CURDIR)/.axe/node_modules/axe-core/axe.min.js)
nightly: export ROLLPROOF_AXE := $(AXE)
nightly: $(VENV)/ready $(AGENTS)/ready $(NIGHTLY)/ready $(CREWAI)/ready  ## findings repeat: other seeds, processes, hash seeds, a busy machine, more frameworks; some hours
	status=0; for busy in 0 $(BUSY); do \
	    $(BIN)/python benchmarks/nightly.py seeds tokens --seeds $(SEEDS) --tokens=$(TOKENS) --busy=$$busy || status=$$?; \
	    $(AGENTS)/bin/python benchmarks/nightly.py langgraph --replays=$(REPLAYS) --busy=$$busy || status=$$?; \
	    $(BIN)/python benchmarks/nightly.py replicas --busy=$$busy || status=$$?; \
	done; \
	ROLLPROOF_WHOLE=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal $(CORPUS) tests/test_killed.py tests/test_model_faults.py tests/test_reuse.py || status=$$?; \
	ROLLPROOF_WHOLE=1 $(AGENTS)/bin/python -m pytest -q tests/agents/test_langgraph.py || status=$$?; \
	$(BIN)/python benchmarks/memory.py || status=$$?; \
	$(BIN)/python benchmarks/openings.py || status=$$?; \
	$(BIN)/python benchmarks/red_run.py .red-run || status=$$?; \
	if test -n '$(AXE)'; then $(BIN)/python -m pytest -q tests/reports/test_page_in_chromium.py || status=$$?; fi; \
	.ci/pythons || status=$$?; \
	$(NIGHTLY)/bin/python -m pytest -q -n 2 tests/agents/nightly || status=$$?; \
	$(CREWAI)/bin/python -m pytest -q -n 2 tests/agents/nightly || status=$$?; \
	exit $$status

test-pythons:  ## run the core of it on each newer Python that can be had
	.ci/pythons

# Packages of strangers, and their project: each folder has modules of its own.
DOORS := $(wildcard tests/doors/packages/*) tests/doors/project
SPACE := $(subst ,, )
lint: $(VENV)/ready  ## ruff and mypy strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	rm -rf $(VENV)/typed && mkdir -p $(VENV)/typed/rollproof
	ln -s $(CURDIR)/harness/* $(CURDIR)/faults $(CURDIR)/invariants $(CURDIR)/scenarios $(CURDIR)/reports $(VENV)/typed/rollproof/
	MYPYPATH=$(VENV)/typed $(BIN)/python -m mypy -p rollproof
	MYPYPATH=$(VENV)/typed $(BIN)/python -m mypy tests/typing
	MYPYPATH=$(VENV)/typed:$(subst $(SPACE),:,$(DOORS)) $(BIN)/python -m mypy --explicit-package-bases $(DOORS)

toxiproxy: TOXIPROXY := github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0
toxiproxy: export PATH := $(PATH):/usr/local/go/bin
toxiproxy:  ## install the real Toxiproxy server into .toxiproxy/ once (needs Go); without it the embedded one is used
	@if test -x .toxiproxy/bin/toxiproxy-server; then echo 'the real Toxiproxy server is there: .toxiproxy/bin/toxiproxy-server'; \
	elif ! command -v go >/dev/null; then echo 'Go is not here (https://go.dev): the embedded Toxiproxy server is used, and not compared with the real one'; \
	elif GOBIN=$(CURDIR)/.toxiproxy/bin go install $(TOXIPROXY); then mv .toxiproxy/bin/server .toxiproxy/bin/toxiproxy-server; \
	else echo 'Go could not install $(TOXIPROXY): the embedded Toxiproxy server is used, and not compared with the real one'; fi

report: ALLURE := 3.18.0
report:  ## make allure-report/ of the results with the Allure 3 command line (needs node; installed into .allure/ once)
	@test -d $(RESULTS) || { echo 'no results yet: run make chaos first'; exit 1; }
	@command -v npm >/dev/null || { echo 'the recovery report is made with node 20 or newer and its npm, which are not here: https://nodejs.org'; exit 1; }
	@test -x .allure/$(ALLURE)/node_modules/.bin/allure || npm install --loglevel=error --no-audit --no-fund --prefix .allure/$(ALLURE) allure@$(ALLURE)
	@ROLLPROOF_SAME_RUN=$$(test .allure/history.jsonl -nt $(RESULTS)/environment.properties && echo 1) \
	    .allure/$(ALLURE)/node_modules/.bin/allure generate --config reports/allurerc.mjs --output allure-report $(RESULTS)
	@$(BIN)/python -m rollproof.reports.allure_page allure-report/index.html
	@echo 'recovery report: $(CURDIR)/allure-report/index.html'

benchmarks: $(VENV)/ready  ## print ratios against brute force and against real processes
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/killed.py 300
	$(BIN)/python benchmarks/workers.py 300
	$(BIN)/python benchmarks/fleet.py
	$(BIN)/python benchmarks/worlds.py

pictures: $(VENV)/ready  ## make the README's pictures anew (the page needs Chromium)
	$(BIN)/python benchmarks/pictures.py

clean:
	rm -rf $(VENV) $(AGENTS) $(NIGHTLY) $(CREWAI) .venv-3.* $(RESULTS) .toxiproxy allure-report build *.egg-info .rare .red-run
