# Everything a checkout needs, in a private environment inside it. Needs Python >= 3.11, make (GNU, 3.81 or newer), a POSIX
# shell and a C/C++ compiler. `make` alone lists the targets.
#
# Written into this folder: .venv, .venv-export (environments), .demo (a model of 98 MB, the library of the demonstration).
# Written outside it: the caches of uv and pip, and nothing else.

PYTHON ?= python3
# pip takes torch from the index it is set up for. On Linux without further settings that is the CUDA build, 3 GB, which
# also works without a graphics card; name a CPU-only build here if your index has one, e.g. TORCH='torch==2.13.0+cpu'.
TORCH ?= torch==2.13.0
# A folder with `corpus.jsonl`, `queries.test.jsonl` and `qrels/test.tsv`, for `make bench`.
DATA ?= ../shared/data/scifact
PYTEST_ARGS ?=

VENV := .venv
EXPORT_VENV := .venv-export
BUNDLE_VENV := .venv-bundle
EXPORT_CACHE := $(CURDIR)/$(EXPORT_VENV)/cache
BIN := $(VENV)/bin
MODELS := $(CURDIR)/.demo/models
DEMO := EDGERAG_MODELS=$(MODELS) $(BIN)/edgerag --library .demo/library

# --- how the two packages that come as source only are compiled -----------------------------------

# hnswlib compiles for this very processor otherwise, and then dies with SIGILL on an older one.
export HNSWLIB_NO_NATIVE := 1
# The same for ggml. It then assumes AVX2; on an x86 processor that lacks an extension (Ivy Bridge has AVX and F16C, but
# neither AVX2, FMA nor BMI2) the extension is switched off by name. macOS runs on nothing that old.
ABSENT = $(shell [ ! -r /proc/cpuinfo ] || ! grep -qw sse2 /proc/cpuinfo || grep -qw $(1) /proc/cpuinfo || echo " -DGGML_$(2)=OFF")
GGML_ABSENT := $(call ABSENT,avx2,AVX2)$(call ABSENT,fma,FMA)$(call ABSENT,bmi2,BMI2)$(call ABSENT,f16c,F16C)$(call ABSENT,avx,AVX)$(call ABSENT,sse4_2,SSE42)
export CMAKE_ARGS := -DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF$(GGML_ABSENT)
export CMAKE_BUILD_PARALLEL_LEVEL := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

# onnxruntime opens sockets to a telemetry host unless this is set before it is imported.
export ORT_DISABLE_TELEMETRY := 1

# --- targets --------------------------------------------------------------------------------------

.PHONY: help
help:
	@echo "make demo         install, fetch the default generator, read examples/, ask two questions"
	@echo "make test         install what tests need and run them (no torch); PYTEST_ARGS='-k chunk -x'"
	@echo "make test-export  the same for the export side, in its own environment, with torch"
	@echo "make lint         ruff, mypy and the import contracts"
	@echo "make install      the environment alone: $(BIN)/edgerag"
	@echo "make models       the default generator alone, into .demo/models"
	@echo "make bench        retrieval quality and speed on the folder DATA=$(DATA)"
	@echo "make screenshots  draw the terminal application's screens anew, into tui/screenshots"
	@echo "make man          write the manual page anew, out of the commands"
	@echo "make bundle       freeze the variants core and llm into folders that need no Python, test and pack them: dist/"
	@echo "make bundle-check freeze core and try it, nothing packed: for continuous integration"
	@echo "make lock         renew requirements/*.txt from pyproject.toml"
	@echo "make clean        remove everything that make made in this folder"
	@echo "PYTHON=$(PYTHON) is the interpreter for new environments; it must be 3.11 or newer."

.PHONY: install
install: $(VENV)/stamp-llm

.PHONY: models
models: .demo/models/smollm2-135m/manifest.json

.PHONY: demo
demo: install models
	@echo "The library of this demonstration is .demo/library, its generator is in .demo/models."
	$(DEMO) add examples
	$(DEMO) ask "What does a night cost for members?"
	@echo "The default generator knows little but English; --extractive answers in the words of the documents."
	$(DEMO) ask --extractive "观测员每天几点读取雨量计?"
	@echo "Your turn: $(BIN)/edgerag models pull smollm2-135m (for yourself), $(BIN)/edgerag add FOLDER, $(BIN)/edgerag ask QUESTION"

.PHONY: test
test: $(VENV)/stamp-test
	EDGERAG_TEST_MODELS=$(MODELS) $(BIN)/python -m pytest --ignore=tests/export $(PYTEST_ARGS)

# The tests themselves reach no network: what they convert with is fetched before, and without it they are skipped.
.PHONY: test-export
test-export: $(EXPORT_VENV)/stamp-export $(EXPORT_VENV)/stamp-converter
	EDGERAG_TEST_MODELS=$(MODELS) $(EXPORT_VENV)/bin/python -m pytest tests/export $(PYTEST_ARGS)

.PHONY: lint
lint: $(VENV)/stamp-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: $(VENV)/stamp-test
	for mode in lexical vector hybrid rerank; do \
	  $(BIN)/python -m tests.benchmarks.retrieval "$(DATA)" --mode $$mode --json || exit 1; done

.PHONY: screenshots
screenshots: $(VENV)/stamp-test models
	EDGERAG_MODELS=$(MODELS) $(BIN)/python -m tests.tui.screenshots tui/screenshots

# Bundles for any processor of this kind (packaging/README.md). A generator that `make models` has fetched is tried with them.
BUNDLE_GGUF = $(addprefix --test-gguf ,$(firstword $(wildcard .demo/models/smollm2-135m/*.gguf)))

.PHONY: bundle
bundle: $(BUNDLE_VENV)/stamp-bundle
	$(BUNDLE_VENV)/bin/python packaging/build.py --variant core $(BUNDLE_ARGS)
	$(BUNDLE_VENV)/bin/python packaging/build.py --variant llm $(BUNDLE_GGUF) $(BUNDLE_ARGS)

.PHONY: bundle-check
bundle-check: $(BUNDLE_VENV)-core/stamp-core
	$(BUNDLE_VENV)-core/bin/python packaging/build.py --variant core --quick --out build/check $(BUNDLE_ARGS)

# One file for each set of extras. The others follow the versions of test.txt, so that what is tested is what is installed.
# No header, option or comment may name an index: whoever installs brings their own. The cache is another than that of
# installing, because locking throws away what was compiled there: uv fetches a source package anew to hash it.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --cache-dir $(VENV)/lock-cache --quiet --upgrade --generate-hashes --universal \
  --python-version 3.11 --no-emit-index-url --no-emit-find-links

.PHONY: lock
lock: $(BIN)/uv
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) pyproject.toml requirements/test.in --extra llm --extra tui --group dev -o requirements/test.txt
	$(COMPILE) pyproject.toml -c requirements/test.txt -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra llm -c requirements/test.txt -o requirements/llm.txt
	$(COMPILE) pyproject.toml --extra llm --extra tui -c requirements/test.txt -o requirements/tui.txt
	$(COMPILE) requirements/bundle.in -c requirements/test.txt -o requirements/bundle.txt
	$(COMPILE) requirements/native.in -c requirements/test.txt -o requirements/native.txt
	$(COMPILE) pyproject.toml requirements/export.in --extra export --extra llm --override requirements/export-overrides.txt \
	  -o requirements/export.txt

.PHONY: man
man: $(VENV)/stamp-test
	$(BIN)/python packaging/man_page.py packaging/edgerag.1

.PHONY: clean
clean:
	rm -rf $(VENV) $(EXPORT_VENV) $(BUNDLE_VENV) $(BUNDLE_VENV)-core .demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find edgerag export tui tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments ---------------------------------------------------------------------------------

# A stamp is newer than all that its environment was made from, so a second run installs nothing.
# `--no-deps`: a compiled file is complete, and resolving again would build the source packages once more for their metadata.
INSTALL = $(1)/bin/uv pip install --python $(1)/bin/python --no-deps --require-hashes -r requirements/$(2).txt
INSTALL_SELF = $(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps -e .
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "edgerag needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1)." >&2; \
  echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }

$(VENV)/stamp-llm: requirements/tui.txt pyproject.toml | $(BIN)/uv
	@echo "Installing into $(VENV). The first time, llama.cpp is compiled: 3 to 10 minutes."
	$(call INSTALL,$(VENV),tui)
	$(call INSTALL_SELF,$(VENV))
	@touch $@

$(VENV)/stamp-test: requirements/test.txt pyproject.toml | $(BIN)/uv
	@echo "Installing into $(VENV). The first time, llama.cpp is compiled: 3 to 10 minutes."
	$(call INSTALL,$(VENV),test)
	$(call INSTALL_SELF,$(VENV))
	@touch $@

# torch first and by itself: everything else is pinned with hashes, its build depends on the machine.
$(EXPORT_VENV)/stamp-export: requirements/export.txt pyproject.toml | $(EXPORT_VENV)/bin/uv
	$(EXPORT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(call INSTALL,$(EXPORT_VENV),export)
	$(call INSTALL_SELF,$(EXPORT_VENV))
	@touch $@

# llama.cpp's GGUF converter stands in the source distribution alone.
$(EXPORT_VENV)/stamp-converter: $(EXPORT_VENV)/stamp-export
	@echo "Fetching the GGUF converter (76 MB, of which little is kept)."
	@EDGERAG_CACHE=$(EXPORT_CACHE) $(EXPORT_VENV)/bin/python -m edgerag_export.generators.converter && touch $@ \
	  || echo "It could not be fetched: the tests that need it are skipped."

# What decides the wheels is known to native_wheels.py, which keeps those that are there as long as none of it changes.
NATIVE_SCRIPTS := $(addprefix packaging/,native_wheels.py source_wheels.py llama_edits.py wheel_files.py)
ENVIRONMENT_INPUTS := requirements/tui.txt requirements/bundle.txt requirements/uv.txt packaging/environment.py

$(BUNDLE_VENV)/stamp-bundle: $(ENVIRONMENT_INPUTS) requirements/native.txt $(NATIVE_SCRIPTS)
	@$(CHECK_PYTHON)
	$(PYTHON) packaging/native_wheels.py --out dist/native
	$(PYTHON) packaging/environment.py $(BUNDLE_VENV) --wheels dist/native
	@touch $@

$(BUNDLE_VENV)-core/stamp-core: $(ENVIRONMENT_INPUTS)
	@$(CHECK_PYTHON)
	$(PYTHON) packaging/environment.py $(BUNDLE_VENV)-core --without-llm
	@touch $@

%/bin/uv: requirements/uv.txt
	@$(CHECK_PYTHON)
	@[ -x $*/bin/python ] || $(PYTHON) -m venv $* || { \
	  rm -rf $*; echo "No environment could be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.demo/models/smollm2-135m/manifest.json: | $(VENV)/stamp-llm
	@echo "Fetching the default generator (98 MB) into .demo/models."
	EDGERAG_MODELS=$(MODELS) $(BIN)/edgerag models pull smollm2-135m
