# The front door. Each target is one command; what it does is in src/ent/lab/,
# playbooks/ and tox.ini.
#
#   LAB=name          another lab beside the usual one (ent)
#   LAB_PREFIX=10.x.y another network for it
#   ANSIBLE="..."     more options for ansible-playbook, such as --limit localhost,ldap1,dns1
#   PARTS="mail imap" only these parts of make bench
#   ROUNDS=3          how often make flakes runs the tests

PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
LAB ?= ent
LAB_PREFIX ?=
ANSIBLE ?=
TESTS ?= tests/integration tests/e2e
PARTS ?=
ROUNDS ?= 3

export PYTHONDONTWRITEBYTECODE = 1
lab = PYTHONPATH=src $(PYTHON) -m ent.lab --lab '$(LAB)' --prefix '$(LAB_PREFIX)'

.PHONY: help ready up down status browser test verify lint unit flakes bench docs lock clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@sed -nE 's/^#   (.*)/  \1/p' $(MAKEFILE_LIST)

up: ## bring the lab up, from nothing or from where it is; a second time changes nothing
	@$(lab) --ansible='$(ANSIBLE)' up

down: ## remove the lab: containers, network, folder (caches stay)
	@$(lab) down

status: ## one line per service with its health
	@$(lab) status

browser: ## open the portal in this machine's Chromium or Chrome
	@$(lab) browser

test: ## everything: lint, unit tests, and the whole stack in a lab of its own
	@PYTHONPATH=src $(PYTHON) -m ent.lab --lab enttest test

verify: ## the tests of a running lab, against the lab that is up (TESTS=tests/e2e, ...)
	@$(lab) ready
	@$(lab) verify -- pytest $(TESTS)

flakes: ## the tests of a running lab in random order and in company, ROUNDS times
	@$(lab) ready
	@$(lab) verify -- python tools/flakes.py --rounds $(ROUNDS)

ready: ## only the environment of this machine: packages, engine, Python, base image
	@$(lab) ready

lint: ## only the linters
	@$(lab) ready
	@.venv/bin/tox run -e lint

unit: ## only the unit tests
	@$(lab) ready
	@.venv/bin/tox run -e unit

bench: ## measure, and write docs/performance.md (PARTS=...)
	@$(lab) ready
	@$(lab) verify -- python -m bench $(PARTS)

docs: ## write the generated parts of docs/ anew
	@$(lab) ready
	@.venv/bin/python tools/docs.py

lock: ## choose newer versions for requirements/*.txt
	@$(lab) ready
	@set -e; for name in uv controller dev annuaire harpege listmove mailmove portal; do \
	  .venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes \
	    --python-version $$(case $$name in uv|controller|dev) echo 3.11;; *) echo 3.13;; esac) \
	    --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
	    requirements/$$name.in --output-file requirements/$$name.txt; done

clean: ## remove the caches of this clone (environment, downloads); labs stay
	rm -rf .venv .cache .tox .mypy_cache .ruff_cache .pytest_cache
