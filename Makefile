# SPDX-License-Identifier: Apache-2.0
# Every command a user types. All of them do their own set-up; the work is in flow/.

# without the user's PYTHON… variables, and in UTF-8 whatever the locale
FLOW  := .venv/bin/python -E -X utf8 -m flow

# A variable counts where it is given to make; one that only happens to be in the environment changes no run.
ASKED := BATCH BUILD CLOCKS CLUSTER CONFIG COVERAGE DATA DENSITY EPOCHS FROM LAYERS MODEL MODULE NORM OPT PES POINTS QUANT RESUME SAMPLES SCOPE SEED SEEDS SET \
    SIM SPACE SPARSIFY STEPS TEST TO UPDATE WAVES
$(foreach name,$(ASKED),$(if $(filter environment%,$(origin $(name))),\
    $(warning $(name)=$($(name)) in the environment is not used: give it after make)$(eval $(name) :=)))

# where everything is written, relative to where make runs; flow/paths.py reads it
export EDGELOOM_BUILD := $(or $(BUILD),$(EDGELOOM_BUILD))

# what make compile and make infer take where no MODEL is named: somebody else's network, with its pictures
net := --model "$(or $(MODEL),data/networks/lenet_mnist.onnx)" --data "$(if $(MODEL),$(DATA),$(or $(DATA),mnist))" \
    --norm "$(if $(MODEL),$(NORM),$(or $(NORM),256))"

.PHONY: help setup modules sim train train-cnn compile infer sparsify sweep data example bench scoreboard full-size synth check test lint generate docs regress coverage clean

## make help                           this list
help:
	@sed -n 's/^## //p' Makefile

## make setup                          .venv and Icarus; every other target does it by itself
setup:
	@sh flow/setup.sh

## make train [CONFIG=configs/edge/mnist_64.toml] [EPOCHS=n] [SAMPLES=n] [SIM=icarus] [RESUME=1]
##                                     train an MLP in simulation, every bit compared with the model
train: setup
	@$(FLOW) train --config "$(or $(CONFIG),configs/edge/mnist_64.toml)" --epochs "$(EPOCHS)" --samples "$(SAMPLES)" --sim "$(or $(SIM),verilator)" --resume "$(RESUME)"

## make train-cnn [CONFIG=configs/pe_array/lenet5_mnist.toml] [STEPS=n] [EPOCHS=n] [SAMPLES=n] [SIM=icarus] [RESUME=1]
##                                     train LeNet-5 on the PE array: some steps in simulation, the rest in the model
train-cnn: setup
	@$(FLOW) train-cnn --config "$(or $(CONFIG),configs/pe_array/lenet5_mnist.toml)" --steps "$(STEPS)" --epochs "$(EPOCHS)" --samples "$(SAMPLES)" --sim "$(or $(SIM),verilator)" --resume "$(RESUME)"

## make compile [MODEL=file.onnx] [DATA=mnist|fashion_mnist|cifar10[:folder]|path] [NORM=unit|imagenet|mean/std|…]
##          [SPARSIFY=flat:x|triangular:x,y|relative:x] [OPT=all|none|table|…] [QUANT=…] [DENSITY=1]
##          [BATCH=16] [PES=8] [SAMPLES=n]
##                                     a network of others, or that of data/networks, as a program of the PE array, with a page
compile: setup
	@$(FLOW) compile $(net) --quant "$(QUANT)" --sparsify "$(SPARSIFY)" --opt "$(OPT)" --density "$(DENSITY)" --batch "$(BATCH)" --pes "$(PES)" --samples "$(SAMPLES)"

## make infer [MODEL=file.onnx DATA=…] [NORM=…] [SPARSIFY=…] [QUANT=…] [BATCH=16] [PES=8] [SIM=icarus|model] [SAMPLES=n]
##        [RESUME=1]
##                                     test pictures through it, in simulation or the model; every output compared
infer: setup
	@$(FLOW) infer $(net) --quant "$(QUANT)" --sparsify "$(SPARSIFY)" --batch "$(BATCH)" --pes "$(PES)" --sim "$(or $(SIM),verilator)" --samples "$(SAMPLES)" --resume "$(RESUME)"

## make sparsify MODEL=file.onnx,… DATA=… [NORM=…] [POINTS=8] [SAMPLES=n] [CLOCKS=0] [BATCH=16] [PES=8] [RESUME=1]
##                                     accuracy against sparsity without retraining, and what it saves: some hours
sparsify: setup
	@$(FLOW) sparsify --model "$(MODEL)" --data "$(DATA)" --norm "$(NORM)" --samples "$(SAMPLES)" --points "$(POINTS)" --clocks "$(or $(CLOCKS),1)" --batch "$(BATCH)" --pes "$(PES)" --resume "$(RESUME)"

## make sweep SPACE=configs/sweep/tiny_lanes.toml [RESUME=1] [JOBS=n] [CLUSTER=tcp://host:8786]
##                                     many configurations: accuracy, exact clocks, area and energy of each, and a page
sweep: setup
	@$(FLOW) sweep --space "$(SPACE)" --cluster "$(CLUSTER)" --resume "$(RESUME)"

## make data SET=cifar10                bring a data set to data/, verified: mnist (is there), fashion_mnist or cifar10
data: setup
	@$(FLOW) data --set "$(or $(SET),mnist)"

## make example                         the C driver of sw/ trains a few samples on the Verilated edge engine
example: setup
	@$(FLOW) example

## make bench [CONFIG=configs/edge/mnist_64.toml] [SAMPLES=n]
##                                     speed of the simulation, beside a bare C++ loop, and of the model
bench: setup
	@$(FLOW) bench --config "$(or $(CONFIG),configs/edge/mnist_64.toml)" --samples "$(SAMPLES)"

## make scoreboard                     clocks of the PE array beside the published tables; page in build/scoreboard
scoreboard: setup
	@$(FLOW) scoreboard

## make full-size [LAYERS=conv4_2,conv1,dense6|mobilenet_v1,resnet34]
##                                     layers of VGG-11, or blocks of networks that are compiled, on 32 PEs of 32 MACs
##                                     in simulation, all memory compared
full-size: setup
	@$(FLOW) full-size --layers "$(LAYERS)"

## make synth [CONFIG=configs/edge/mnist_64.toml] [UPDATE=1]
##                                     area (Yosys, xc7) and clock (nextpnr, ECP5) against tests/synth_baseline.json
synth: setup
	@$(FLOW) synth --config "$(or $(CONFIG),configs/edge/mnist_64.toml)" --update "$(UPDATE)"

## make check [JOBS=n]                 in a few minutes: lint, quick unit tests, one run of each module
check: setup
	@$(FLOW) check

## make test [JOBS=n] [COVERAGE=1]     lint, unit tests and the regression on both simulators; and what coverage does
test: setup
	@$(FLOW) test --coverage "$(COVERAGE)"

## make lint                           warnings of Verilator on all RTL, ruff, mypy, generated files, rules of the house
lint: setup
	@$(FLOW) lint

## make generate                       headers and tables of docs/reference, from the descriptions in models/
generate: setup
	@$(FLOW) generate

## make docs                           the docs as a site in build/docs that opens from disk; draws pictures that are stale
docs: setup
	@$(FLOW) docs

## make regress [SEEDS=20] [MODULE=x,…] [RESUME=1] [JOBS=n] [CLUSTER=tcp://host:8786]
##                                     the regression alone, on more seeds; on the workers of a cluster, if one is named
regress: setup
	@$(FLOW) regress --seeds "$(or $(SEEDS),20)" --module "$(MODULE)" --cluster "$(CLUSTER)" --resume "$(RESUME)"

## make coverage                       coverage of RTL, models and functional points, with its gates
coverage: setup
	@$(FLOW) coverage

## make modules                        the modules that have a bench
modules: setup
	@$(FLOW) modules

## make sim MODULE=x [SIM=icarus] [SET=name|all] [CONFIG=file] [SEED=n,n,…] [TEST=name|?]
##          [WAVES=1 [SCOPE=instance,…] [FROM=clock] [TO=clock]]
##                                     run the bench of one module; waves of some instances and clocks of 10 ns alone
sim: setup
	@$(FLOW) sim "$(MODULE)" --sim "$(or $(SIM),verilator)" --seed "$(or $(SEED),1)" --set "$(SET)" --config "$(CONFIG)" --test "$(TEST)" --waves "$(WAVES)" --scope "$(SCOPE)" --from "$(FROM)" --to "$(TO)"

## make clean                          remove all build outputs
clean:
	@sh flow/clean.sh

## make … BUILD=directory              any of these: all outputs are in that directory, not in build; a new or empty one
