// SPDX-License-Identifier: Apache-2.0
/*
 * Registers of the edge engine
 *
 * Made by `make generate` from models/edge/registers.py: change that, not this.
 *
 * They are macros: every tool takes one as the range of a slice, word[`NAME], and none warns of those that a module
 * does not use, as it would of parameters.
 */
`ifndef EDGELOOM_EDGE_REGISTERS_VH
`define EDGELOOM_EDGE_REGISTERS_VH

// Registers of the edge engine: word addresses; bits of fields
`define EDGE_ID                 10'h000  // "EDL1"
`define EDGE_ID_VALUE           32'h45444C31
`define EDGE_VERSION            10'h001  // of this map
`define EDGE_VERSION_VALUE      32'h00010000
`define EDGE_CTRL               10'h002  // commands
`define EDGE_CTRL_START         0        // 1: start a run
`define EDGE_CTRL_STOP          1        // 1: let the run end
`define EDGE_CTRL_SOFT_RESET    2        // 1: reset
`define EDGE_CTRL_LOAD          3        // 1: take the section of PARAM_SEL from the parameter stream
`define EDGE_CTRL_DUMP          4        // 1: send it
`define EDGE_CTRL_CLEAR         5        // 1: clear counters and flags
`define EDGE_STATUS             10'h003  // what is busy, and flags
`define EDGE_STATUS_RUN_BUSY    0        // a run is under way
`define EDGE_STATUS_LOAD_BUSY   1        // a LOAD is
`define EDGE_STATUS_DUMP_BUSY   2        // a DUMP is
`define EDGE_STATUS_DONE        3        // a run ended since START or CLEAR
`define EDGE_STATUS_FRAME_SHORT 8        // a sample frame was too short
`define EDGE_STATUS_FRAME_LONG  9        // a sample frame was too long
`define EDGE_STATUS_BAD_LABEL   10       // a label was not below CLASSES
`define EDGE_STATUS_PARAM_ERR   11       // a parameter frame had a wrong length or a number beyond its range
`define EDGE_STATUS_BAD_CMD     12
`define EDGE_MODE               10'h004  // taken at START
`define EDGE_MODE_KIND          1:0      // how samples enter
`define EDGE_MODE_STOCHASTIC    8        // 1: stochastic rounding
`define EDGE_LR_SHIFT           10'h005  // learning rate 2^-shift
`define EDGE_LR_SHIFT_SHIFT     4:0      // 0 … LR_MAX
`define EDGE_NSAMPLES           10'h006  // samples of a run, taken at START
`define EDGE_RNG_SEED           10'h007  // taken at START
`define EDGE_RNG_SEED_SEED      15:0     // of the random words
`define EDGE_PARAM_SEL          10'h008  // section for LOAD and DUMP
`define EDGE_PARAM_SEL_JUNCTION 7:0      // 1 … L
`define EDGE_PARAM_SEL_KIND     9:8      // kind of section
`define EDGE_DROPPED            10'h009  // sample frames dropped
`define EDGE_CYCLES_LO          10'h010  // clocks in which a run was busy, bits 31:0
`define EDGE_CYCLES_HI          10'h011  // as latched
`define EDGE_CYCLES_HI_HIGH     15:0     // bits 47:32
`define EDGE_STALLS_LO          10'h012  // of these, clocks waiting for a pass, bits 31:0
`define EDGE_STALLS_HI          10'h013  // as latched
`define EDGE_STALLS_HI_HIGH     15:0     // bits 47:32
`define EDGE_SAMPLES            10'h014  // samples admitted
`define EDGE_CORRECT            10'h015  // predictions equal to the label
`define EDGE_PREDICTIONS        10'h016  // prediction frames produced
`define EDGE_JUNCTIONS          10'h020  // parameter JUNCTIONS
`define EDGE_WIDTH              10'h021  // parameter WIDTH
`define EDGE_FRAC               10'h022  // parameter FRAC
`define EDGE_LR_MAX             10'h023  // parameter LR_MAX
`define EDGE_CLASSES            10'h024  // parameter CLASSES
`define EDGE_IN_LANES           10'h025  // parameter IN_LANES
`define EDGE_OUT_LANES          10'h026  // activations per beat of predictions
`define EDGE_PASS_CLOCKS        10'h027  // clocks of a pass (CP)
`define EDGE_PIPELINE           10'h028  // passes of the pipeline (U)
`define EDGE_FLAGS              10'h029  // how edges are interleaved
`define EDGE_FLAGS_SWEEP_SEEDS  0        // 1: a seed vector per sweep
`define EDGE_FLAGS_DITHER       1        // 1: a permutation per sweep

// Registers of a junction: word addresses, from the first word on; bits of fields
`define EDGE_JUNCTION_BASE            10'h080  // first word, byte address 200
`define EDGE_JUNCTION_WORDS           16       // words from one junction to the next
`define EDGE_JUNCTION_N_LEFT          10'h000  // left neurons
`define EDGE_JUNCTION_N_RIGHT         10'h001  // right neurons
`define EDGE_JUNCTION_FAN_OUT         10'h002  // fan-out of a left neuron
`define EDGE_JUNCTION_Z               10'h003  // degree of parallelism
`define EDGE_JUNCTION_ACTIVATION      10'h004  // activation of the right layer
`define EDGE_JUNCTION_ACTIVATION_CODE 3:0      // code of the activation function
`define EDGE_JUNCTION_OFFSETS         10'h005  // its place in the schedule
`define EDGE_JUNCTION_OFFSETS_FF      15:0     // passes from the admission of a sample to its FF
`define EDGE_JUNCTION_OFFSETS_UP      31:16    // passes from the admission of a sample to its BP and UP
`define EDGE_JUNCTION_BUSY_FF         10'h006  // clocks with edges in FF
`define EDGE_JUNCTION_BUSY_BP         10'h007  // clocks with edges in BP
`define EDGE_JUNCTION_BUSY_UP         10'h008  // clocks with edges in UP
`define EDGE_JUNCTION_SAT_FF          10'h009  // right neurons whose sum was clipped
`define EDGE_JUNCTION_SAT_BP          10'h00A  // right neurons whose sum of deltas was clipped
`define EDGE_JUNCTION_SAT_UP          10'h00B  // weights and biases clipped

// Kinds of parameter sections
`define EDGE_KIND_WEIGHTS 2'd0  // weights, in the order of edges
`define EDGE_KIND_BIASES  2'd1  // biases
`define EDGE_KIND_SEEDS   2'd2  // seed vectors
`define EDGE_KIND_PERMS   2'd3  // permutations

// Run-time modes of the engine: field KIND of the MODE register
`define EDGE_MODE_PIPELINED  2'd0  // training, a sample enters every pass
`define EDGE_MODE_SEQUENTIAL 2'd1  // training, a sample enters after the last update of the one before
`define EDGE_MODE_INFERENCE  2'd2  // no training, a sample enters every pass

// Activation functions
`define EDGE_ACTIVATION_SIGMOID 4'd0  // 1 / (1 + exp(-s)), from a table
`define EDGE_ACTIVATION_RELU    4'd1  // max(s, 0)

`endif
