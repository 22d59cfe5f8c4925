# Two commands on a fresh machine with Python >= 3.10: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Exact versions of what was tested, so that today's install works next year.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INPUTS := setup.cfg pyproject.toml constraints.txt

.PHONY: demo test lint clean

demo: $(VENV)/demo.installed
	$(BIN)/hf-builders prepare configs/demo.yaml
	$(BIN)/hf-builders inspect configs/demo.yaml --check
	$(BIN)/hf-builders train configs/demo.yaml

test: $(VENV)/test.installed
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) out build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.installed: $(VENV)/bin/python $(INPUTS)
	$(INSTALL) -e '.[fast,train]'
	touch $@

$(VENV)/test.installed: $(VENV)/bin/python $(INPUTS)
	$(INSTALL) -e '.[clean,fast,train,test]'
	touch $@
