# make pipeline and make test each do everything on a fresh machine: set LibTorch up, build, run.

.DEFAULT_GOAL := help
SHELL := /bin/bash

# make pipeline DUMP=folder DATE=2026-11-20 OUT=folder CHECKPOINTS=folder ARGS='--device cpu'
DUMP ?=
DATE ?=
OUT ?= out
CHECKPOINTS ?= checkpoints
ARGS ?=
SAMPLE := data/sample

export RAYONNAGE_SOURCE := $(or $(DUMP),$(SAMPLE))
export RAYONNAGE_DATE := $(DATE)
export RAYONNAGE_SINK := $(OUT)
export RAYONNAGE_CHECKPOINTS := $(CHECKPOINTS)
# Spinning threads of OpenMP make each other slow on a busy machine.
export OMP_WAIT_POLICY ?= passive
# Blocks of this size go back to the system at once. By itself, glibc keeps ever larger ones the more parts have been made.
export MALLOC_MMAP_THRESHOLD_ ?= 131072

# Sets LIBTORCH, and LD_LIBRARY_PATH where there is an NVIDIA driver, for the commands that follow it.
WITH_LIBTORCH = set -euo pipefail; \
	cuda=$$(scripts/setup-libtorch.sh --cuda); \
	LIBTORCH=$$(scripts/setup-libtorch.sh); export LIBTORCH; \
	if [ -n "$$cuda" ]; then export LD_LIBRARY_PATH=$$cuda$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}; fi;
# The last line, and loud, of a target whose tools cannot be had here: $(call SKIPPED,target,why).
SKIPPED = echo "*** $(1): SKIPPED, since $(2) ***" >&2; exit 0;
CARGO_TARGET = $(or $(CARGO_TARGET_DIR),target)
RAYONNAGE = $(CARGO_TARGET)/release/rayonnage

.PHONY: help
help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | column -t -s $$'\t'

.PHONY: pipeline
pipeline: dated ## run everything; DUMP=… DATE=YYYY-MM-DD OUT=… CHECKPOINTS=… or, without DUMP, on a sample catalogue
	@$(WITH_LIBTORCH) \
	cargo build --release --locked; \
	if [ -z "$(DUMP)" ]; then "$(RAYONNAGE)" sample $(SAMPLE); fi; \
	"$(RAYONNAGE)" run $(ARGS)

.PHONY: dated
dated:
	@if [ -n "$(DUMP)" ] && [ -z "$(DATE)" ]; then \
		echo 'make pipeline DUMP=… needs the date of the dump: DATE=YYYY-MM-DD' >&2; exit 10; fi

.PHONY: build
build: ## build the program
	@$(WITH_LIBTORCH) cargo build --release --locked

.PHONY: test
test: ## build and run every test
	@$(WITH_LIBTORCH) cargo test --release --locked

# Garage takes ten minutes to build, so only this one builds it.
.PHONY: test-stores-all
test-stores-all: ## as test-stores, and installs Garage, too (10 minutes, once)
	@scripts/setup-stores.sh garage >/dev/null || echo 'test-stores: no Garage: it could not be installed' >&2
	@$(MAKE) --no-print-directory test-stores

.PHONY: test-stores
test-stores: ## the tests of object stores on real servers: s3s-fs and Azurite, installed once (4 minutes), and Garage where test-stores-all installed it
	@$(WITH_LIBTORCH) \
	have() { \
		if program=$$(scripts/setup-stores.sh $$1 $$3); then export "$$2=$$program"; \
		else skipped="$${skipped:-}$${skipped:+, }$$1"; fi; }; \
	have s3s-fs RAYONNAGE_TEST_S3S_FS; \
	have azurite RAYONNAGE_TEST_AZURITE; \
	have garage RAYONNAGE_TEST_GARAGE --installed; \
	cargo test --release --locked --test suite stores::; \
	if [ -n "$${skipped:-}" ]; then $(call SKIPPED,test-stores,there is no $$skipped: its tests did NOT run) fi

# make test-report SHOTS=folder
SHOTS ?=

.PHONY: test-report
test-report: ## the report of a sample run in a headless Chromium (from npm): no error, no request, at two widths; SHOTS=folder for screenshots
	@$(WITH_LIBTORCH) \
	look=$$(scripts/setup-browser.sh) || { $(call SKIPPED,test-report,there is no browser: the report was NOT looked at) }; \
	cargo build --release --locked; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	"$(RAYONNAGE)" sample "$$work/sample" --rows 400; \
	export RAYONNAGE_SOURCE="$$work/sample" RAYONNAGE_CHECKPOINTS="$$work/checkpoints" RAYONNAGE_SINK="$$work/out" RAYONNAGE_DATE=; \
	"$(RAYONNAGE)" run --set lenet.params.epochs=3 --set neural_simple.params.epochs=9 --set neural_embedder.params.epochs=9 --set fusion.params.epochs=9; \
	for lang in en fr; do \
		"$(RAYONNAGE)" report --lang $$lang --out "$$work/$$lang.html"; \
		node "$$look" "$$work/$$lang.html" $(if $(SHOTS),"$(SHOTS)/$$lang"); \
	done

# make parity DATA=folder; make bench-text DATA=folder PEERS=folder NETWORKS=1 ROUNDS=3 REPORT=file
DATA ?=
PEERS ?=
ROUNDS ?= 1
REPORT ?= $(CARGO_TARGET)/bench-text.md
NETWORKS ?=
SETUP_PYTHON = scripts/setup-python.sh scripts/text-requirements.txt

.PHONY: parity
parity: ## compare every token and TF-IDF value of a catalogue (DATA=…, or the sample) with the Python libraries
	@$(WITH_LIBTORCH) \
	packages=$$($(SETUP_PYTHON)) || { $(call SKIPPED,parity,the Python packages cannot be had: nothing was compared) }; \
	cargo build --release --locked; \
	if [ -z "$(DATA)" ]; then "$(RAYONNAGE)" sample $(SAMPLE); fi; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	PYTHONPATH=$$packages python3 scripts/check-text-parity.py "$(RAYONNAGE)" "$(or $(DATA),$(SAMPLE))" "$$work"

.PHONY: check-tensorboard
check-tensorboard: ## open the learning curves of a run on the sample (or DATA=…) with TensorBoard, and compare every point
	@$(WITH_LIBTORCH) \
	packages=$$(scripts/setup-python.sh scripts/tensorboard-requirements.txt) || { $(call SKIPPED,check-tensorboard,TensorBoard cannot be had: nothing was compared) }; \
	cargo build --release --locked; \
	if [ -z "$(DATA)" ]; then "$(RAYONNAGE)" sample $(SAMPLE); fi; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	PYTHONPATH=$$packages python3 scripts/check-tensorboard.py "$(RAYONNAGE)" "$(or $(DATA),$(SAMPLE))" "$$work"

.PHONY: check-schema
check-schema: ## hold scripts/pipeline.schema.json against the reference library of JSON Schema
	@packages=$$(scripts/setup-python.sh scripts/schema-requirements.txt) || { $(call SKIPPED,check-schema,the Python packages cannot be had: the schema was NOT checked) }; \
	PYTHONPATH=$$packages python3 scripts/check-schema.py scripts/pipeline.schema.json pipeline.yaml

.PHONY: text-fixture
text-fixture: ## make tests/fixtures/text_*.json again, with the Python libraries
	@$(WITH_LIBTORCH) \
	packages=$$($(SETUP_PYTHON)); \
	cargo build --release --locked; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	"$(RAYONNAGE)" sample "$$work/sample"; \
	PYTHONPATH=$$packages python3 scripts/make-text-fixture.py "$$work/sample"

.PHONY: pca-fixture
pca-fixture: ## make tests/fixtures/pca.json again, with scikit-learn
	@PYTHONPATH=$$($(SETUP_PYTHON)) python3 scripts/make-pca-fixture.py

.PHONY: bench-text
bench-text: ## text against the Python libraries: DATA=… (or 10,000 sample products), PEERS=… NETWORKS=1 (7 GB of PyTorch) ROUNDS=… REPORT=…
	@$(WITH_LIBTORCH) \
	PYTHONPATH=$$(scripts/setup-python.sh scripts/$(if $(NETWORKS),torch,text)-requirements.txt); export PYTHONPATH; \
	cargo build --release --locked; \
	data="$(DATA)"; \
	if [ -z "$$data" ]; then data=$(CARGO_TARGET)/bench-sample; "$(RAYONNAGE)" sample "$$data" --rows 10000; fi; \
	cargo bench --locked --bench text -- --data "$$data" --report "$(REPORT)" --rounds $(ROUNDS) --recipes $(if $(PEERS),--peers "$(PEERS)") $(if $(NETWORKS),--networks)

.PHONY: backbone-fixture
backbone-fixture: ## make tests/fixtures/backbones.json again, with torchvision and Keras (7 GB of PyTorch)
	@PYTHONPATH=$$(scripts/setup-python.sh scripts/backbone-requirements.txt) python3 scripts/make-backbone-fixture.py

.PHONY: schedule-fixture
schedule-fixture: ## make tests/fixtures/keras_callbacks.json again, with Keras (7 GB of PyTorch)
	@PYTHONPATH=$$(scripts/setup-python.sh scripts/backbone-requirements.txt) python3 scripts/make-schedule-fixture.py

.PHONY: bench-backbones
bench-backbones: ## frozen features of each backbone against PyTorch (7 GB): ROUNDS=… REPORT=…
	@$(WITH_LIBTORCH) \
	PYTHONPATH=$$(scripts/setup-python.sh scripts/backbone-requirements.txt); export PYTHONPATH; \
	cargo bench --locked --bench backbones -- --rounds $(ROUNDS) --report "$(REPORT)"

# make bench-train DEVICE=cuda:0 ARGS=--mixed ROUNDS=… REPORT=…
DEVICE ?= cpu

.PHONY: bench-train
bench-train: REPORT = $(CARGO_TARGET)/bench-train.md
bench-train: ## a training step of each network against PyTorch (7 GB): DEVICE=cpu or cuda:N, ARGS='--mixed --only lenet', ROUNDS=… REPORT=…
	@$(WITH_LIBTORCH) \
	PYTHONPATH=$$(scripts/setup-python.sh scripts/backbone-requirements.txt); export PYTHONPATH; \
	cargo bench --locked --bench train -- --device "$(DEVICE)" --rounds $(ROUNDS) --report "$(REPORT)" $(ARGS)

# make bench-images DATA=folder LIMIT=2000 ROUNDS=3 REPORT=file
LIMIT ?= 2000

.PHONY: image-fixture
image-fixture: ## make tests/fixtures/images again, with Pillow
	@PYTHONPATH=$$(scripts/setup-python.sh scripts/image-requirements.txt) python3 scripts/make-image-fixture.py

.PHONY: bench-images
bench-images: REPORT = $(CARGO_TARGET)/bench-images.md
bench-images: ## all tables of images; decode, crop and resize against Pillow, OpenCV and torchvision (7 GB with PyTorch): DATA=… (or sample images) LIMIT=… ROUNDS=… REPORT=…, and what bench-image-models takes
	@$(WITH_LIBTORCH) \
	PYTHONPATH=$$(scripts/setup-python.sh scripts/image-requirements.txt); export PYTHONPATH; \
	cargo build --release --locked; \
	data="$(DATA)"; \
	if [ -z "$$data" ]; then data=$(CARGO_TARGET)/bench-sample; "$(RAYONNAGE)" sample "$$data" --rows 10000; fi; \
	cargo bench --locked --bench images -- --data "$$data" --report "$(REPORT)" --rounds $(ROUNDS) --limit $(LIMIT)
	@$(MAKE) --no-print-directory bench-image-models DATA="$(DATA)" WEIGHTS="$(WEIGHTS)" ARGS="$(ARGS)"
	@$(MAKE) --no-print-directory bench-backbones ROUNDS="$(ROUNDS)"

.PHONY: bench-image-models
bench-image-models: REPORT = $(CARGO_TARGET)/bench-image-models.md
bench-image-models: ## models of pixels, and transfer learning: DATA=… WEIGHTS=mobilenet_v2.pth (or .safetensors) ARGS='--set …' REPORT=…
	@$(WITH_LIBTORCH) cargo build --release --locked; \
	data="$(DATA)"; \
	if [ -z "$$data" ]; then data=$(CARGO_TARGET)/bench-sample; "$(RAYONNAGE)" sample "$$data" --rows 10000; fi; \
	weights=; $(if $(WEIGHTS),weights="--weights $(WEIGHTS) --sha256 $$(sha256sum < "$(WEIGHTS)" | cut -c1-64)";) \
	cargo bench --locked --bench image_models -- --data "$$data" --report "$(REPORT)" $$weights $(ARGS)

.PHONY: bench-report
bench-report: REPORT = $(CARGO_TARGET)/bench-report.md
bench-report: ## the technical report's tables with ours beside them: DATA=… (or 10,000 sample products) ARGS='--set …' REPORT=…
	@$(WITH_LIBTORCH) cargo build --release --locked; \
	data="$(DATA)"; \
	if [ -z "$$data" ]; then data=$(CARGO_TARGET)/bench-sample; "$(RAYONNAGE)" sample "$$data" --rows 10000; fi; \
	cargo bench --locked --bench report_tables -- --data "$$data" --report "$(REPORT)" $(ARGS)

.PHONY: bench-fusion
bench-fusion: REPORT = $(CARGO_TARGET)/bench-fusion.md
bench-fusion: ## what images add to text, 5-fold: DATA=folder WEIGHTS=mobilenet_v2.pth (or .safetensors) ARGS='--set …' REPORT=…
	@$(WITH_LIBTORCH) cargo build --release --locked; \
	if [ -z "$(DATA)" ] || [ -z "$(WEIGHTS)" ]; then echo 'bench-fusion: wants DATA=… and WEIGHTS=…' >&2; exit 2; fi; \
	cargo bench --locked --bench fusion -- --data "$(DATA)" --report "$(REPORT)" --weights "$(WEIGHTS)" --sha256 "$$(sha256sum < "$(WEIGHTS)" | cut -c1-64)" $(ARGS)

.PHONY: bench-stores
bench-stores: REPORT = $(CARGO_TARGET)/bench-stores.md
bench-stores: ## images from a bucket on this machine, 20 ms away, against the disk: DATA=… (or 2,000 sample products) REPORT=…
	@$(WITH_LIBTORCH) \
	RAYONNAGE_TEST_S3S_FS=$$(scripts/setup-stores.sh s3s-fs); export RAYONNAGE_TEST_S3S_FS; \
	cargo build --release --locked; \
	data="$(DATA)"; \
	if [ -z "$$data" ]; then data=$(CARGO_TARGET)/bench-stores-sample; "$(RAYONNAGE)" sample "$$data" --rows 2000; fi; \
	cargo bench --locked --bench stores -- --data "$$data" --report "$(REPORT)" $(ARGS)

.PHONY: bench-noop
bench-noop: REPORT = $(CARGO_TARGET)/bench-noop.md
bench-noop: ## plan, status and a run with nothing to do, on 85,000 products with as many image files: ARGS='--rows 85000 --rounds 5' REPORT=…
	@$(WITH_LIBTORCH) cargo build --release --locked; \
	cargo bench --locked --bench noop -- --report "$(REPORT)" $(ARGS)

.PHONY: check-operation
check-operation: ## hold the metrics and the lineage events of runs on the sample (or DATA=…) to the Python clients of Prometheus and OpenLineage
	@$(WITH_LIBTORCH) \
	packages=$$(scripts/setup-python.sh scripts/operation-requirements.txt) || { $(call SKIPPED,check-operation,the Python packages cannot be had: metrics and events were NOT checked) }; \
	cargo build --release --locked; \
	if [ -z "$(DATA)" ]; then "$(RAYONNAGE)" sample $(SAMPLE); fi; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	PYTHONPATH=$$packages python3 scripts/check-operation.py "$(RAYONNAGE)" "$(or $(DATA),$(SAMPLE))" "$$work"

.PHONY: lint
lint: ## rustfmt and clippy, warnings are errors
	@$(WITH_LIBTORCH) cargo fmt --check; cargo clippy --release --locked --all-targets -- -D warnings

.PHONY: doc
doc: ## build the documentation of the crate
	@$(WITH_LIBTORCH) RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --no-deps

.PHONY: ci
ci: ## what .ci/run calls: format, then the tests, then those that need servers or a browser
	@cargo fmt --check
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-stores
	@$(MAKE) --no-print-directory test-report
