/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver of the edge engine, in C99
 *
 * It needs two functions of the system: to write and to read a register over AXI4-Lite. What goes through the streams
 * (samples, predictions, parameters) is the business of the system, of its DMA for instance.
 */
#ifndef EDGELOOM_EDGE_DRIVER_H
#define EDGELOOM_EDGE_DRIVER_H

#include <stdint.h>

typedef struct {
    void *bus; /* handed to both functions */
    void (*write)(void *bus, uint32_t address, uint32_t value);
    uint32_t (*read)(void *bus, uint32_t address);
} edgeloom_edge;

/* A run: fields of MODE, LR_SHIFT, NSAMPLES, RNG_SEED */
typedef struct {
    uint32_t mode;       /* EDGELOOM_EDGE_MODE_... */
    uint32_t stochastic; /* 1: stochastic rounding */
    uint32_t lr_shift;   /* the learning rate is 2^-lr_shift */
    uint32_t samples;
    uint32_t rng_seed;
} edgeloom_edge_run;

/* Is it an edge engine of this version? */
int edgeloom_edge_found(const edgeloom_edge *edge);

/* Words of a section of parameters of a junction (1 and up): EDGELOOM_EDGE_KIND_...; 0 where there is none */
uint32_t edgeloom_edge_words(const edgeloom_edge *edge, uint32_t junction, uint32_t kind);

/* Take a section from the parameter stream, or send it there: the frame may be sent before or after the call */
void edgeloom_edge_load(const edgeloom_edge *edge, uint32_t junction, uint32_t kind);
void edgeloom_edge_dump(const edgeloom_edge *edge, uint32_t junction, uint32_t kind);

/* Clear counters and flags, and start a run */
void edgeloom_edge_start(const edgeloom_edge *edge, const edgeloom_edge_run *run);

/*
 * Wait until no run, load or dump is busy: 0; or -1 where one still is after so many reads of STATUS (at least one).
 * Sets *status to STATUS as it was read last: look there for errors (PARAM_ERR, BAD_CMD and others).
 */
int edgeloom_edge_wait(const edgeloom_edge *edge, uint32_t polls, uint32_t *status);

/* A counter of 48 bits: EDGELOOM_EDGE_CYCLES_LO or EDGELOOM_EDGE_STALLS_LO */
uint64_t edgeloom_edge_long_counter(const edgeloom_edge *edge, uint32_t low);

#endif
