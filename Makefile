# bridgebnn: every target sets up what it needs. `make` prints this help.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
OUT ?= build
RUN := $(VENV)/bin/bridgebnn
# builds and caches of the checkout stay in it; an installation uses the user's cache folder
export BRIDGEBNN_BUILD ?= $(if $(filter /%,$(firstword $(OUT))),,$(CURDIR)/)$(OUT)
JOBS ?= 2
.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this help
	@echo "bridgebnn: controller, macro model and verification of ReRAM bridge neural networks"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "commands after \`make setup\`: $(RUN) --help"

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	@PYTHON=$(PYTHON) VENV=$(VENV) bash scripts/setup.sh
	@touch $@

.PHONY: setup
setup: $(READY) ## Make the virtual environment, install pinned packages and iverilog

.PHONY: demo
demo: $(READY) ## The main job: program a fresh array and classify MNIST digits on both simulators
	@$(RUN) tb demo --out "$(OUT)/demo"

.PHONY: test
test: $(READY) ## Run every test (hardware, model, co-simulation) on both simulators
	@$(PY) -m pytest -n $(JOBS) --dist worksteal --durations=20 $(ARGS)

.PHONY: test-long
test-long: $(READY) ## Run the long forms of tests that `make test` runs in a short form: weekly
	@$(PY) -m pytest -n $(JOBS) --dist worksteal --durations=20 -m long $(ARGS)

.PHONY: check
check: lint ## Lint, types and the tests that need no simulator: before every commit
	@$(PY) -m pytest -q -n $(JOBS) --dist worksteal -m "not (icarus or verilator or spice or formal or slow or long)" $(ARGS)

.PHONY: lint
lint: $(READY) ## Check style, format, types, and who imports whom
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/lint-imports --no-cache \
	  && $(VENV)/bin/mypy --cache-dir "$(OUT)/mypy"

.PHONY: verilog
verilog: $(READY) ## Generate the Verilog and geometry.json of every array of the presets under build/verilog
	@for p in paper23 mnist mnist-spares split digits fashion-conv mnist-conv cifar-conv mnist1025; do $(RUN) hdl generate --preset $$p --out "$(OUT)/verilog/$$p" || exit $$?; done

.PHONY: kit
kit: $(READY) ## Write the tape-out kit of preset digits under build/kit (docs/kit.md)
	@PYTHON=$(PYTHON) VENV=$(VENV) bash scripts/setup.sh kit-files
	@$(RUN) kit --preset digits --out "$(OUT)/kit"

.PHONY: kit-check
kit-check: kit ## Let the tools that the kit is for read it; each must also refuse a broken copy
	@PYTHON=$(PYTHON) VENV=$(VENV) bash scripts/setup.sh kit
	@$(RUN) kit-check "$(OUT)/kit" --json "$(OUT)/kit-check.json"
	@$(RUN) kit-datasheet "$(OUT)/kit" --check "$(OUT)/kit-check.json"

.PHONY: report
report: $(READY) ## A page to look at: small runs and studies of preset digits, in build/report.html (docs/report.md)
	@$(RUN) tb infer --preset digits --images 20 --sim icarus --program bus --macro real --chip 7 \
	  --waves "$(OUT)/report/infer.vcd" --json "$(OUT)/report/infer.json"
	@$(RUN) model infer --preset digits --images 359 --macro real --chip 7 --json "$(OUT)/report/model.json"
	@$(RUN) model program-map --random 64x128 --chip 7 --out "$(OUT)/report/map"
	@$(RUN) model immunity --preset digits --quick --sweep supply --chips 4 --images 200 --json "$(OUT)/report/immunity.json"
	@$(RUN) model sweep --preset digits --beside none --draws 5 --json "$(OUT)/report/sweep.json"
	@$(RUN) model montecarlo --preset digits --chips 30 --images 359 --jobs $(JOBS) --condition array:macro=real \
	  --condition published:clock=8,cell-errors=0.2 --out "$(OUT)/report/montecarlo" --json "$(OUT)/report/montecarlo.json"
	@$(RUN) report "$(OUT)/report/infer.json" "$(OUT)/report/model.json" "$(OUT)/report/map/program-map.json" \
	  "$(OUT)/report/immunity.json" "$(OUT)/report/sweep.json" "$(OUT)/report/montecarlo.json" --out "$(OUT)/report.html"

.PHONY: docs
docs: $(READY) ## Build the documentation as a site (build/site), after its generated pages and the register files
	@$(RUN) hdl registers --out "$(OUT)/registers" --document docs/registers.md --tables docs/architecture.md
	@$(RUN) tb schemas --out docs/schemas
	@$(PY) -m sphinx -b html -q -W --keep-going docs "$(OUT)/site"
	@echo "$(OUT)/site/index.html"

.PHONY: frameworks
frameworks: $(READY) ## Compare imported networks with PyTorch and Brevitas, which get an environment of their own
	@$(PY) scripts/frameworks.py "$(OUT)/frameworks" $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure simulators, attachments and the golden model; prints and saves build/bench.json
	@$(RUN) tb bench --json "$(OUT)/bench.json"

.PHONY: spice
spice: $(READY) ## Compare the macro model with ngspice and the SKY130 models
	@PYTHON=$(PYTHON) VENV=$(VENV) bash scripts/setup.sh spice
	@$(RUN) spice --processes $(JOBS) --out "$(OUT)/spice" --json "$(OUT)/spice/spice.json"

.PHONY: faults
faults: $(READY) ## Put 10,000 seeded faults into chip and controller; none may be silent (docs/verification.md)
	@$(RUN) tb campaign --faults 10000 --jobs $(JOBS) --json "$(OUT)/faults.json" --write docs/verification.md

.PHONY: mutation
mutation: $(READY) ## Mutate the generated Verilog 300 times, and see who notices (docs/verification.md)
	@$(RUN) tb mutation --mutants 300 --json "$(OUT)/mutation.json" --write docs/verification.md $(ARGS)

.PHONY: coverage
coverage: $(READY) ## Functional coverage of the testbenches against docs/testplan.toml; an unhit point fails
	@$(RUN) tb coverage --json "$(OUT)/coverage.json" --write docs/verification.md $(ARGS)

.PHONY: formal
formal: $(READY) ## Prove the rules of pins, programming, spares, bus, protection and log; refute broken designs
	@$(RUN) proofs --jobs $(JOBS) --json "$(OUT)/formal.json" --out "$(OUT)/formal" --write docs/verification.md $(ARGS)
	@$(RUN) proofs --subject maps --jobs $(JOBS) --json "$(OUT)/formal-maps.json" --out "$(OUT)/formal-maps" \
		--write docs/verification.md $(ARGS)
	@for s in axi streams; do $(RUN) proofs --subject $$s --jobs $(JOBS) --json "$(OUT)/formal-$$s.json" \
		--out "$(OUT)/formal-$$s" --write docs/verification.md $(ARGS) || exit $$?; done

.PHONY: clean
clean: ## Remove build products (the virtual environment stays)
	@rm -rf "$(OUT)" sim_build results.xml
