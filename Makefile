# The commands of README.md. Everything that is needed gets installed by scripts/setup.

PRESET ?= release
BUILD  := build/$(PRESET)

.PHONY: all help setup-build setup-parity setup-trl compile build tidy test demo smollm2 bench gpu soak \
        install parity fuzz clean

all: build

help:
	@echo "make demo     the whole line on real text: pretraining, SFT, reward model, PPO, verdict"
	@echo "make smollm2  a published model: chat, SFT, reward model, PPO, export, beside transformers"
	@echo "make test     every test that needs no GPU"
	@echo "make build    build everything into $(BUILD)"
	@echo "make bench    the figures of docs/benchmarks.md, beside the peers'"
	@echo "make gpu      CUDA build, packed into build/gpu-bundle for a machine with a GPU"
	@echo "make soak     the long fault and simulation counts"
	@echo "make parity   the long parity tests: 20 MB of text a tokenizer, a thousand random tokenizers"
	@echo "make fuzz     libFuzzer on the readers of files, SECONDS=60 each (installs clang)"
	@echo "make install  relocatable tree under PREFIX (default: ./install)"

setup-build:
	@scripts/setup build

setup-parity:
	@scripts/setup parity

setup-trl:
	@scripts/setup trl

compile:
	@[ -e $(BUILD)/build.ninja ] || cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET)

build: setup-build
	@$(MAKE) --no-print-directory compile

tidy:
	@python3 tests/tidy_test.py

test: setup-parity
	@$(MAKE) --no-print-directory compile
	@scripts/run-rings $(BUILD) tidy=30 unit=180 simulation=120 parity=360 integration=360 faults=180

demo: build
	@python3 examples/demo/run.py --build $(BUILD)

smollm2: setup-parity
	@$(MAKE) --no-print-directory compile
	@python3 examples/smollm2/run.py --build $(BUILD)

bench: setup-trl
	@$(MAKE) --no-print-directory compile
	@python3 bench/run.py --build $(BUILD)

gpu:
	@scripts/setup gpu
	@cmake --preset cuda >/dev/null
	@cmake --build --preset cuda
	@scripts/pack-gpu

soak: setup-parity
	@$(MAKE) --no-print-directory compile
	@python3 scripts/soak.py --build $(BUILD)

parity: setup-parity
	@$(MAKE) --no-print-directory compile
	@python3 scripts/parity.py --build $(BUILD)

SECONDS ?= 60
fuzz:
	@scripts/setup fuzz
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz
	@python3 scripts/fuzz.py --build build/fuzz --seconds $(SECONDS)

PREFIX ?= $(CURDIR)/install
install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@rm -rf build
