/* SPDX-License-Identifier: Apache-2.0 */
#include "edgeloom_edge_driver.h"

#include "edgeloom_edge.h"

static uint32_t get(const edgeloom_edge *edge, uint32_t address)
{
    return edge->read(edge->bus, address);
}

static void set(const edgeloom_edge *edge, uint32_t address, uint32_t value)
{
    edge->write(edge->bus, address, value);
}

static void choose(const edgeloom_edge *edge, uint32_t junction, uint32_t kind)
{
    set(edge, EDGELOOM_EDGE_PARAM_SEL,
        junction << EDGELOOM_EDGE_PARAM_SEL_JUNCTION_SHIFT | kind << EDGELOOM_EDGE_PARAM_SEL_KIND_SHIFT);
}

int edgeloom_edge_found(const edgeloom_edge *edge)
{
    return get(edge, EDGELOOM_EDGE_ID) == EDGELOOM_EDGE_ID_VALUE
        && get(edge, EDGELOOM_EDGE_VERSION) == EDGELOOM_EDGE_VERSION_VALUE;
}

uint32_t edgeloom_edge_words(const edgeloom_edge *edge, uint32_t junction, uint32_t kind)
{
    uint32_t flags = get(edge, EDGELOOM_EDGE_FLAGS);
    uint32_t fan_out = get(edge, EDGELOOM_EDGE_JUNCTION_FAN_OUT(junction));
    uint32_t lanes = get(edge, EDGELOOM_EDGE_JUNCTION_Z(junction));

    switch (kind) {
    case EDGELOOM_EDGE_KIND_WEIGHTS:
        return get(edge, EDGELOOM_EDGE_JUNCTION_N_LEFT(junction)) * fan_out;
    case EDGELOOM_EDGE_KIND_BIASES:
        return get(edge, EDGELOOM_EDGE_JUNCTION_N_RIGHT(junction));
    case EDGELOOM_EDGE_KIND_SEEDS:
        return flags & EDGELOOM_EDGE_FLAGS_SWEEP_SEEDS_MASK ? fan_out * lanes : lanes;
    default:
        return flags & EDGELOOM_EDGE_FLAGS_DITHER_MASK ? fan_out * lanes : 0;
    }
}

void edgeloom_edge_load(const edgeloom_edge *edge, uint32_t junction, uint32_t kind)
{
    choose(edge, junction, kind);
    set(edge, EDGELOOM_EDGE_CTRL, EDGELOOM_EDGE_CTRL_LOAD_MASK);
}

void edgeloom_edge_dump(const edgeloom_edge *edge, uint32_t junction, uint32_t kind)
{
    choose(edge, junction, kind);
    set(edge, EDGELOOM_EDGE_CTRL, EDGELOOM_EDGE_CTRL_DUMP_MASK);
}

void edgeloom_edge_start(const edgeloom_edge *edge, const edgeloom_edge_run *run)
{
    set(edge, EDGELOOM_EDGE_CTRL, EDGELOOM_EDGE_CTRL_CLEAR_MASK);
    set(edge, EDGELOOM_EDGE_MODE,
        run->mode << EDGELOOM_EDGE_MODE_KIND_SHIFT | run->stochastic << EDGELOOM_EDGE_MODE_STOCHASTIC_SHIFT);
    set(edge, EDGELOOM_EDGE_LR_SHIFT, run->lr_shift);
    set(edge, EDGELOOM_EDGE_NSAMPLES, run->samples);
    set(edge, EDGELOOM_EDGE_RNG_SEED, run->rng_seed);
    set(edge, EDGELOOM_EDGE_CTRL, EDGELOOM_EDGE_CTRL_START_MASK);
}

int edgeloom_edge_wait(const edgeloom_edge *edge, uint32_t polls, uint32_t *status)
{
    const uint32_t busy = EDGELOOM_EDGE_STATUS_RUN_BUSY_MASK | EDGELOOM_EDGE_STATUS_LOAD_BUSY_MASK
        | EDGELOOM_EDGE_STATUS_DUMP_BUSY_MASK;
    uint32_t done = 0;

    do {
        *status = get(edge, EDGELOOM_EDGE_STATUS);
        done++;
    } while (*status & busy && done < polls);
    return *status & busy ? -1 : 0;
}

uint64_t edgeloom_edge_long_counter(const edgeloom_edge *edge, uint32_t low)
{
    uint64_t value = get(edge, low); /* latches the upper half */

    return value | (uint64_t)get(edge, low + 4) << 32;
}
