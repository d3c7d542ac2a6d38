/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of the edge engine, for drivers in C99.
 *
 * Made by `make generate` from models/edge/registers.py:
 * change that, not this.
 */
#ifndef EDGELOOM_EDGE_H
#define EDGELOOM_EDGE_H

#include <stdint.h>

/* Registers of the whole engine: byte addresses; fields */
#define EDGELOOM_EDGE_ID 0x000u /* "EDL1" */
#define EDGELOOM_EDGE_ID_VALUE 0x45444c31u
#define EDGELOOM_EDGE_VERSION 0x004u /* of this map */
#define EDGELOOM_EDGE_VERSION_VALUE 0x00010000u
#define EDGELOOM_EDGE_CTRL 0x008u /* commands */
#define EDGELOOM_EDGE_CTRL_START_MASK 0x00000001u /* 1: start a run */
#define EDGELOOM_EDGE_CTRL_START_SHIFT 0
#define EDGELOOM_EDGE_CTRL_STOP_MASK 0x00000002u /* 1: let the run end; ignored when none is busy */
#define EDGELOOM_EDGE_CTRL_STOP_SHIFT 1
#define EDGELOOM_EDGE_CTRL_SOFT_RESET_MASK 0x00000004u /* 1: reset; all other bits are ignored */
#define EDGELOOM_EDGE_CTRL_SOFT_RESET_SHIFT 2
#define EDGELOOM_EDGE_CTRL_LOAD_MASK 0x00000008u /* 1: take the section of PARAM_SEL from the parameter stream */
#define EDGELOOM_EDGE_CTRL_LOAD_SHIFT 3
#define EDGELOOM_EDGE_CTRL_DUMP_MASK 0x00000010u /* 1: send it */
#define EDGELOOM_EDGE_CTRL_DUMP_SHIFT 4
#define EDGELOOM_EDGE_CTRL_CLEAR_MASK 0x00000020u /* 1: clear counters and flags */
#define EDGELOOM_EDGE_CTRL_CLEAR_SHIFT 5
#define EDGELOOM_EDGE_STATUS 0x00cu /* what is busy, and flags */
#define EDGELOOM_EDGE_STATUS_RUN_BUSY_MASK 0x00000001u /* a run is under way */
#define EDGELOOM_EDGE_STATUS_RUN_BUSY_SHIFT 0
#define EDGELOOM_EDGE_STATUS_LOAD_BUSY_MASK 0x00000002u /* a LOAD is */
#define EDGELOOM_EDGE_STATUS_LOAD_BUSY_SHIFT 1
#define EDGELOOM_EDGE_STATUS_DUMP_BUSY_MASK 0x00000004u /* a DUMP is */
#define EDGELOOM_EDGE_STATUS_DUMP_BUSY_SHIFT 2
#define EDGELOOM_EDGE_STATUS_DONE_MASK 0x00000008u /* a run ended since START or CLEAR */
#define EDGELOOM_EDGE_STATUS_DONE_SHIFT 3
#define EDGELOOM_EDGE_STATUS_FRAME_SHORT_MASK 0x00000100u /* a sample frame was too short; flags stay until CLEAR */
#define EDGELOOM_EDGE_STATUS_FRAME_SHORT_SHIFT 8
#define EDGELOOM_EDGE_STATUS_FRAME_LONG_MASK 0x00000200u /* a sample frame was too long */
#define EDGELOOM_EDGE_STATUS_FRAME_LONG_SHIFT 9
#define EDGELOOM_EDGE_STATUS_BAD_LABEL_MASK 0x00000400u /* a label was not below CLASSES */
#define EDGELOOM_EDGE_STATUS_BAD_LABEL_SHIFT 10
/* a parameter frame had a wrong length or a number beyond its range */
#define EDGELOOM_EDGE_STATUS_PARAM_ERR_MASK 0x00000800u
#define EDGELOOM_EDGE_STATUS_PARAM_ERR_SHIFT 11
/* START, LOAD or DUMP while busy, two of them in one write, or an illegal section */
#define EDGELOOM_EDGE_STATUS_BAD_CMD_MASK 0x00001000u
#define EDGELOOM_EDGE_STATUS_BAD_CMD_SHIFT 12
#define EDGELOOM_EDGE_MODE 0x010u /* taken at START */
#define EDGELOOM_EDGE_MODE_KIND_MASK 0x00000003u /* how samples enter; 3 is refused */
#define EDGELOOM_EDGE_MODE_KIND_SHIFT 0
#define EDGELOOM_EDGE_MODE_STOCHASTIC_MASK 0x00000100u /* 1: stochastic rounding */
#define EDGELOOM_EDGE_MODE_STOCHASTIC_SHIFT 8
#define EDGELOOM_EDGE_LR_SHIFT 0x014u /* learning rate 2^-shift; a change counts from the next pass on */
#define EDGELOOM_EDGE_LR_SHIFT_SHIFT_MASK 0x0000001fu /* 0 … LR_MAX; more is refused */
#define EDGELOOM_EDGE_LR_SHIFT_SHIFT_SHIFT 0
#define EDGELOOM_EDGE_NSAMPLES 0x018u /* samples of a run, taken at START; 0: until STOP */
#define EDGELOOM_EDGE_RNG_SEED 0x01cu /* taken at START */
#define EDGELOOM_EDGE_RNG_SEED_SEED_MASK 0x0000ffffu /* of the random words */
#define EDGELOOM_EDGE_RNG_SEED_SEED_SHIFT 0
#define EDGELOOM_EDGE_PARAM_SEL 0x020u /* section for LOAD and DUMP */
#define EDGELOOM_EDGE_PARAM_SEL_JUNCTION_MASK 0x000000ffu /* 1 … L */
#define EDGELOOM_EDGE_PARAM_SEL_JUNCTION_SHIFT 0
#define EDGELOOM_EDGE_PARAM_SEL_KIND_MASK 0x00000300u /* kind of section */
#define EDGELOOM_EDGE_PARAM_SEL_KIND_SHIFT 8
#define EDGELOOM_EDGE_DROPPED 0x024u /* sample frames dropped */
#define EDGELOOM_EDGE_CYCLES_LO 0x040u /* clocks in which a run was busy, bits 31:0; reading latches CYCLES_HI */
#define EDGELOOM_EDGE_CYCLES_HI 0x044u /* as latched */
#define EDGELOOM_EDGE_CYCLES_HI_HIGH_MASK 0x0000ffffu /* bits 47:32 */
#define EDGELOOM_EDGE_CYCLES_HI_HIGH_SHIFT 0
#define EDGELOOM_EDGE_STALLS_LO 0x048u /* of these, clocks waiting for a pass, bits 31:0; reading latches STALLS_HI */
#define EDGELOOM_EDGE_STALLS_HI 0x04cu /* as latched */
#define EDGELOOM_EDGE_STALLS_HI_HIGH_MASK 0x0000ffffu /* bits 47:32 */
#define EDGELOOM_EDGE_STALLS_HI_HIGH_SHIFT 0
#define EDGELOOM_EDGE_SAMPLES 0x050u /* samples admitted */
#define EDGELOOM_EDGE_CORRECT 0x054u /* predictions equal to the label */
#define EDGELOOM_EDGE_PREDICTIONS 0x058u /* prediction frames produced */
#define EDGELOOM_EDGE_JUNCTIONS 0x080u /* parameter JUNCTIONS */
#define EDGELOOM_EDGE_WIDTH 0x084u /* parameter WIDTH */
#define EDGELOOM_EDGE_FRAC 0x088u /* parameter FRAC */
#define EDGELOOM_EDGE_LR_MAX 0x08cu /* parameter LR_MAX */
#define EDGELOOM_EDGE_CLASSES 0x090u /* parameter CLASSES */
#define EDGELOOM_EDGE_IN_LANES 0x094u /* parameter IN_LANES */
#define EDGELOOM_EDGE_OUT_LANES 0x098u /* activations per beat of predictions */
#define EDGELOOM_EDGE_PASS_CLOCKS 0x09cu /* clocks of a pass (CP) */
#define EDGELOOM_EDGE_PIPELINE 0x0a0u /* passes of the pipeline (U) */
#define EDGELOOM_EDGE_FLAGS 0x0a4u /* how edges are interleaved */
#define EDGELOOM_EDGE_FLAGS_SWEEP_SEEDS_MASK 0x00000001u /* 1: a seed vector per sweep */
#define EDGELOOM_EDGE_FLAGS_SWEEP_SEEDS_SHIFT 0
#define EDGELOOM_EDGE_FLAGS_DITHER_MASK 0x00000002u /* 1: a permutation per sweep */
#define EDGELOOM_EDGE_FLAGS_DITHER_SHIFT 1

/* Registers of a junction: byte addresses, of junction n from 1 on; fields */
#define EDGELOOM_EDGE_JUNCTION_N_LEFT(n) (0x200u + 0x40u * ((n) - 1u)) /* left neurons */
#define EDGELOOM_EDGE_JUNCTION_N_RIGHT(n) (0x204u + 0x40u * ((n) - 1u)) /* right neurons */
#define EDGELOOM_EDGE_JUNCTION_FAN_OUT(n) (0x208u + 0x40u * ((n) - 1u)) /* fan-out of a left neuron */
#define EDGELOOM_EDGE_JUNCTION_Z(n) (0x20cu + 0x40u * ((n) - 1u)) /* degree of parallelism */
#define EDGELOOM_EDGE_JUNCTION_ACTIVATION(n) (0x210u + 0x40u * ((n) - 1u)) /* activation of the right layer */
#define EDGELOOM_EDGE_JUNCTION_ACTIVATION_CODE_MASK 0x0000000fu /* code of the activation function */
#define EDGELOOM_EDGE_JUNCTION_ACTIVATION_CODE_SHIFT 0
#define EDGELOOM_EDGE_JUNCTION_OFFSETS(n) (0x214u + 0x40u * ((n) - 1u)) /* its place in the schedule */
#define EDGELOOM_EDGE_JUNCTION_OFFSETS_FF_MASK 0x0000ffffu /* passes from the admission of a sample to its FF */
#define EDGELOOM_EDGE_JUNCTION_OFFSETS_FF_SHIFT 0
#define EDGELOOM_EDGE_JUNCTION_OFFSETS_UP_MASK 0xffff0000u /* passes from the admission of a sample to its BP and UP */
#define EDGELOOM_EDGE_JUNCTION_OFFSETS_UP_SHIFT 16
#define EDGELOOM_EDGE_JUNCTION_BUSY_FF(n) (0x218u + 0x40u * ((n) - 1u)) /* clocks with edges in FF */
#define EDGELOOM_EDGE_JUNCTION_BUSY_BP(n) (0x21cu + 0x40u * ((n) - 1u)) /* clocks with edges in BP */
#define EDGELOOM_EDGE_JUNCTION_BUSY_UP(n) (0x220u + 0x40u * ((n) - 1u)) /* clocks with edges in UP */
#define EDGELOOM_EDGE_JUNCTION_SAT_FF(n) (0x224u + 0x40u * ((n) - 1u)) /* right neurons whose sum was clipped */
/* right neurons whose sum of deltas was clipped */
#define EDGELOOM_EDGE_JUNCTION_SAT_BP(n) (0x228u + 0x40u * ((n) - 1u))
#define EDGELOOM_EDGE_JUNCTION_SAT_UP(n) (0x22cu + 0x40u * ((n) - 1u)) /* weights and biases clipped */

/* Kinds of parameter sections */
#define EDGELOOM_EDGE_KIND_WEIGHTS 0u /* weights, in the order of edges */
#define EDGELOOM_EDGE_KIND_BIASES 1u /* biases */
#define EDGELOOM_EDGE_KIND_SEEDS 2u /* seed vectors */
#define EDGELOOM_EDGE_KIND_PERMS 3u /* permutations */

/* Run-time modes of the engine: field KIND of the MODE register */
#define EDGELOOM_EDGE_MODE_PIPELINED 0u /* training, a sample enters every pass */
#define EDGELOOM_EDGE_MODE_SEQUENTIAL 1u /* training, a sample enters after the last update of the one before */
#define EDGELOOM_EDGE_MODE_INFERENCE 2u /* no training, a sample enters every pass */

/* Activation functions */
#define EDGELOOM_EDGE_ACTIVATION_SIGMOID 0u /* 1 / (1 + exp(-s)), from a table */
#define EDGELOOM_EDGE_ACTIVATION_RELU 1u /* max(s, 0) */

#endif
