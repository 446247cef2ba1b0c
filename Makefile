# The commands of everyday work on fieldtune, which .github/workflows/ runs too. `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup lint types test test-all docs sample picture constraints
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv, with what the tests and the documentation need
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --constraint constraints.txt -e '.[test,docs]'

lint: ## ruff: rules and format
	ruff check .
	ruff format --check .

types: ## mypy, strict
	mypy

test: ## the units: a few minutes on two cores
	pytest

test-all: ## the units, whole stages under the real DVC, and the clients and browsers of others
	pytest
	pytest -m pipeline
	pytest -m integrations

docs: ## the documentation as a site, in site/
	mkdocs build --strict

sample: ## run the pipeline with what params.yaml names: the sample, in a fresh clone
	dvc repro

picture: ## docs/images/ and the outputs in examples/tour.ipynb, out of the last run
	python -m scripts.pictures
	python -m scripts.tour

constraints: ## constraints.txt: every package that pip would install here, with its version
	python -m scripts.constraints
