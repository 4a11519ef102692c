# `make help` lists the targets. Everything that they install is below .venv, payloads/node_modules and the cache.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= $(firstword $(foreach python,python3.11 python3.12 python3.13 python3,$(shell command -v $(python))))
STACK ?= dev
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready payloads/node_modules/.package-lock.json
# Python keeps what it compiled, also where the environment says otherwise: it would take a third of each command's time.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --require-hashes --only-binary :all:
OFFLINE := { echo "The Python packages could not be installed; check the network and pip's index (pip config list), then run it again" >&2; exit 1; }

$(VENV)/.ready: requirements-dev.txt requirements-toolchain.txt
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed; PYTHON=/path/to/python3.11 names another one than $(PYTHON)" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "python -m venv failed; on Debian: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the Python packages into $(VENV) (half a minute)" >&2
	@$(PIP) -r requirements-dev.txt || $(OFFLINE)
	@{ command -v npm && $(RUN) lab.golang; } >/dev/null 2>&1 || $(PIP) -r requirements-toolchain.txt || $(OFFLINE)
	@touch $@

payloads/node_modules/.package-lock.json: payloads/package.json payloads/package-lock.json $(VENV)/.ready
	@$(RUN) payloads.install
	@touch $@

.PHONY: engine
engine: $(VENV)/.ready ## Build what explains deliveries and validates Workflows: the engine's own code
	@$(RUN) lab build explain validate

.PHONY: payloads
payloads: payloads/node_modules/.package-lock.json ## Install GitHub's example payloads

.PHONY: up
up: $(READY) ## Start the real engine here, bring stack lab up, deliver one of each kind
	@$(RUN) lab up

.PHONY: down
down: $(VENV)/.ready ## End the lab; nothing of it is left
	@$(RUN) lab down

.PHONY: status
status: $(VENV)/.ready ## What runs in the lab; make status STACK=dev: what waits, runs and went wrong in a stack
	@$(if $(filter command line,$(origin STACK)),$(if $(filter lab,$(STACK)),$(RUN) lab exec --) \
		$(RUN) cli status --stack $(STACK) || [ $$? != 2 ],$(RUN) lab status)

.PHONY: logs
logs: $(VENV)/.ready ## The log of one component: make logs OF=argo-events-controller
	@$(RUN) lab logs $(OF)

.PHONY: kill
kill: $(VENV)/.ready ## Kill one component of the lab, which is then started again: make kill OF=nats-server [FOR=60]
	@$(RUN) lab kill $(OF) --for $(or $(FOR),0)

.PHONY: shell
shell: $(VENV)/.ready ## A shell inside the lab; kubectl and pulumi work there
	@$(RUN) lab shell

.PHONY: exec
exec: $(VENV)/.ready ## A command inside the lab: make exec DO="kubectl get workflows -A"
	@$(RUN) lab exec -- /bin/sh -c '$(DO)'

.PHONY: deliver
deliver: $(READY) ## Deliver a payload file to the lab: make deliver FILE=payload.json EVENT=issues
	@$(RUN) lab exec -- $(RUN) cli deliver $(FILE) $(if $(EVENT),--event $(EVENT))

.PHONY: rotate
rotate: $(VENV)/.ready ## Have the EventSource take the webhook's new secret: make rotate STACK=dev
	@$(RUN) cli rotate --stack $(STACK)

.PHONY: redeliver
redeliver: engine ## Ask GitHub again for what is missing: make redeliver STACK=prod DO="--since 6h --organization acme"
	@$(RUN) cli redeliver --stack $(STACK) $(DO) || [ $$? != 2 ]

.PHONY: cure
cure: $(VENV)/.ready ## Which Sensors hang since NATS came back; restart them: make cure STACK=prod DO=--yes
	@$(RUN) cli cure --stack $(STACK) $(DO) || [ $$? != 2 ]

.PHONY: rerun
rerun: $(VENV)/.ready ## Run again what one delivery started: make rerun DELIVERY=<its id> STACK=prod
	@$(RUN) cli rerun $(DELIVERY) --stack $(STACK) $(DO)

.PHONY: explain
explain: engine ## Why a delivery does (not) start a Workflow: make explain FILE=delivery.json [EVENT=issues] [STACK=dev]
	@$(RUN) cli explain $(FILE) --stack $(STACK) $(if $(EVENT),--event $(EVENT)) || [ $$? != 2 ]

.PHONY: diff
diff: $(READY) engine ## What a change does to deliveries, Workflows and waiting events: make diff REV=main [STACK=dev] [WITH=lab]
	@$(RUN) cli diff $(REV) --stack $(STACK) $(if $(WITH),--with $(WITH)) || [ $$? != 2 ]

.PHONY: pr-report
pr-report: $(READY) engine ## What this branch changes: the comment on its pull request: make pr-report [BASE=origin/main] [PREVIEW="dev prod"]
	@$(RUN) cli pr-check $(if $(BASE),--base '$(BASE)') $(PREVIEW:%=--preview %) $(if $(REPORT),--report $(REPORT))

.PHONY: pr-check
pr-check: $(READY) engine ## All that a pull request is checked for without a cluster: pr-report, lint and the fast tests
	@$(MAKE) --no-print-directory --keep-going pr-report lint test-fast

.PHONY: pr-comment
pr-comment: $(VENV)/.ready ## Comment on the pull request whose checks ended; GitHub runs it, in pull-request-comment.yml
	@$(RUN) cli pr-comment

.PHONY: render
render: $(VENV)/.ready ## A stack's Kubernetes objects as one JSON list: make -s render STACK=dev
	@$(RUN) cli render --stack $(STACK)

.PHONY: show
show: $(VENV)/.ready ## A stack's route table: make show STACK=dev
	@$(RUN) cli show --stack $(STACK)

.PHONY: settings
settings: $(VENV)/.ready ## Every setting of a stack, its default and what it is
	@$(RUN) cli settings

.PHONY: golden
golden: $(VENV)/.ready ## Write the goldens anew
	@for stack in $$($(RUN) cli stacks); do $(RUN) cli render --stack $$stack > tests/goldens/$$stack.json; done
	@$(RUN) tests.routes.redelivery > tests/routes/redelivery.json
	@$(RUN) tests.routes.cure > tests/routes/cure.json

.PHONY: matrix
matrix: $(READY) engine ## Write tests/engine/matrix.md anew: what each of GitHub's examples starts. Read what changed
	@$(RUN) tests.engine.matrix > tests/engine/matrix.md

.PHONY: docs
docs: $(VENV)/.ready ## Write docs/routes.md, docs/settings.md and the tables of README.md anew
	@$(RUN) cli show --stack dev --into README.md
	@$(RUN) cli show --stack dev --markdown > docs/routes.md
	@$(RUN) cli settings --markdown > docs/settings.md

.PHONY: large
large: up ## Measure large deliveries on the lab and write the table in docs/large-deliveries.md anew
	@$(RUN) lab exec -- $(RUN) tests.e2e.large

.PHONY: faults
faults: up ## Write docs/reliability.md anew: faults in the middle of bursts, on the lab; 30 minutes
	@$(RUN) lab exec -- $(RUN) tests.faults

.PHONY: alerts
alerts: up ## Set off every alert on the lab and draw docs/dashboard.svg anew; three minutes
	@$(RUN) lab exec -- $(RUN) tests.monitoring

.PHONY: bench
bench: up engine payloads ## Write docs/performance.md anew: latency, cost, throughput, growth, on the lab; 15 minutes [ONLY="latency cost"]
	@MINUTES=$(or $(MINUTES),13) $(RUN) lab exec -- $(RUN) tests.bench $(ONLY)

.PHONY: lock
lock: $(VENV)/.ready ## Write requirements*.txt anew from requirements*.in, with hashes: make lock [UPGRADE=1]
	@$(RUN) supply lock $(if $(UPGRADE),--upgrade)

.PHONY: audit
audit: $(VENV)/.ready ## Known vulnerabilities of the Python packages (OSV) and of the engine's binaries (Go's database)
	@$(RUN) supply audit

.PHONY: sbom
sbom: $(VENV)/.ready ## Write CycloneDX bills of materials into sbom/
	@$(RUN) supply sbom

.PHONY: fuzz
fuzz: up ## Over 10,000 bad requests at the lab's EventSource: make fuzz [SEED=7] [ONLY='Bodies: null #3'] [WRITE=1]
	@$(RUN) lab exec -- $(RUN) tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') $(if $(WRITE),--write)

.PHONY: lint
lint: $(VENV)/.ready ## ruff and mypy
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy .

.PHONY: test
test: test-fast test-e2e ## The fast tests, then those on the real engine, but for test-long; a quarter of an hour

.PHONY: test-fast
test-fast: $(READY) engine ## The tests that need no cluster
	@GOGC=1000 $(VENV)/bin/pytest --numprocesses auto --dist loadfile --ignore tests/e2e --ignore tests/supply/test_tools.py

.PHONY: test-long
test-long: up ## Those on the real engine that wait for rates, retries, rollouts and alerts, and of audit and sbom with their tools
	@$(VENV)/bin/pytest tests/supply/test_tools.py
	@$(RUN) lab exec -- $(VENV)/bin/pytest tests/e2e -m long --durations 10

.PHONY: properties
properties: $(READY) engine ## Each property of any text and any settings, with two thousand new examples [ONLY=settings]
	@$(VENV)/bin/pytest --numprocesses auto -m hypothesis --hypothesis-profile thorough $(if $(ONLY),-k '$(ONLY)') \
		--ignore tests/e2e --ignore tests/supply/test_tools.py

.PHONY: mutation
mutation: $(READY) engine ## Change the Sensors and the EventSource in each single way: does a check fail? Five minutes on two cores
	@$(RUN) tests.mutation

.PHONY: test-e2e
ifdef WEBHOOK_URL
test-e2e: $(READY) ## The tests on a cluster: the lab, or KUBECONFIG=… WEBHOOK_URL=… WEBHOOK_SECRET_FILE=… WORKFLOW_NAMESPACE=…
	@KUBECONFIG="$(KUBECONFIG)" WEBHOOK_URL="$(WEBHOOK_URL)" WEBHOOK_SECRET_FILE="$(WEBHOOK_SECRET_FILE)" \
		WORKFLOW_NAMESPACE="$(WORKFLOW_NAMESPACE)" $(VENV)/bin/pytest tests/e2e
else
test-e2e: up
	@$(RUN) lab exec -- $(VENV)/bin/pytest tests/e2e -m 'not long' --durations 10
endif
