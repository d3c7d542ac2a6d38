/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Train a few samples on an edge engine: load parameters, run, dump parameters, read counters
 *
 * train_tiny INPUTS OUTPUTS: files of numbers, with white space between them.
 * INPUTS: mode, stochastic, lr_shift, samples, rng_seed; then for every junction its seeds, permutations, weights,
 * biases; then for every sample its label and the activations of the first layer.
 * OUTPUTS: for every junction its weights and biases; then the class of every sample.
 * The counters go to standard output.
 */
#include <stdio.h>
#include <stdlib.h>

#include "edge_bus.h"
#include "edgeloom_edge.h"
#include "edgeloom_edge_driver.h"

static const uint32_t KINDS[] = {
    EDGELOOM_EDGE_KIND_SEEDS, EDGELOOM_EDGE_KIND_PERMS, EDGELOOM_EDGE_KIND_WEIGHTS, EDGELOOM_EDGE_KIND_BIASES,
};
static const uint32_t TRAINED[] = {EDGELOOM_EDGE_KIND_WEIGHTS, EDGELOOM_EDGE_KIND_BIASES};

enum { POLLS = 1000000 }; /* most reads of STATUS until a load, a dump or the run is over */

static void stop(const char *what)
{
    fprintf(stderr, "train_tiny: %s\n", what);
    exit(1);
}

static int32_t *room(uint32_t words)
{
    int32_t *memory = malloc((words ? words : 1) * sizeof *memory);

    if (memory == NULL) {
        stop("no memory left");
    }
    return memory;
}

static int32_t number(FILE *file)
{
    long value;

    if (fscanf(file, "%ld", &value) != 1) {
        stop("INPUTS ends too early, or is not made of numbers");
    }
    return (int32_t)value;
}

static int32_t *numbers(FILE *file, uint32_t count)
{
    int32_t *words = room(count);

    for (uint32_t i = 0; i < count; i++) {
        words[i] = number(file);
    }
    return words;
}

/* STATUS once the engine is idle, after commands that it took */
static uint32_t idle(const edgeloom_edge *edge)
{
    uint32_t status;

    if (edgeloom_edge_wait(edge, POLLS, &status) != 0) {
        stop("the engine does not end: it waits for samples or parameters, or for room for what it sends");
    }
    if (status & EDGELOOM_EDGE_STATUS_BAD_CMD_MASK) {
        stop("the engine refuses a command");
    }
    return status;
}

static void load(const edgeloom_edge *edge, FILE *file, uint32_t junction, uint32_t kind)
{
    uint32_t count = edgeloom_edge_words(edge, junction, kind);
    int32_t *words = numbers(file, count);

    if (count != 0) {
        edge_bus_send_parameters(edge->bus, words, count);
        edgeloom_edge_load(edge, junction, kind);
        if (idle(edge) & EDGELOOM_EDGE_STATUS_PARAM_ERR_MASK) {
            stop("the engine refuses parameters");
        }
    }
    free(words);
}

static void dump(const edgeloom_edge *edge, FILE *file, uint32_t junction, uint32_t kind)
{
    uint32_t count = edgeloom_edge_words(edge, junction, kind);
    int32_t *words = room(count);

    edgeloom_edge_dump(edge, junction, kind);
    idle(edge);
    if (edge_bus_take_parameters(edge->bus, words, count) != count) {
        stop("parameters are missing");
    }
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, "%ld\n", (long)words[i]);
    }
    free(words);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        stop("two arguments are needed: the files INPUTS and OUTPUTS");
    }
    FILE *inputs = fopen(argv[1], "r");
    FILE *outputs = fopen(argv[2], "w");
    if (inputs == NULL || outputs == NULL) {
        stop("INPUTS cannot be read, or OUTPUTS cannot be written");
    }
    edgeloom_edge edge = {edge_bus_open(), edge_bus_write, edge_bus_read};
    if (!edgeloom_edge_found(&edge)) {
        stop("there is no edge engine of this version");
    }
    uint32_t junctions = edge.read(edge.bus, EDGELOOM_EDGE_JUNCTIONS);
    uint32_t width = edge.read(edge.bus, EDGELOOM_EDGE_JUNCTION_N_LEFT(1));

    edgeloom_edge_run run;
    run.mode = (uint32_t)number(inputs);
    run.stochastic = (uint32_t)number(inputs);
    run.lr_shift = (uint32_t)number(inputs);
    run.samples = (uint32_t)number(inputs);
    run.rng_seed = (uint32_t)number(inputs);
    for (uint32_t junction = 1; junction <= junctions; junction++) {
        for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
            load(&edge, inputs, junction, KINDS[i]);
        }
    }

    for (uint32_t sample = 0; sample < run.samples; sample++) {
        uint16_t label = (uint16_t)number(inputs);
        int32_t *activations = numbers(inputs, width);
        edge_bus_send_sample(edge.bus, activations, width, label);
        free(activations);
    }
    edgeloom_edge_start(&edge, &run);
    printf("STATUS 0x%x\n", (unsigned)idle(&edge));
    printf("CYCLES %llu\n", (unsigned long long)edgeloom_edge_long_counter(&edge, EDGELOOM_EDGE_CYCLES_LO));
    printf("STALLS %llu\n", (unsigned long long)edgeloom_edge_long_counter(&edge, EDGELOOM_EDGE_STALLS_LO));
    printf("SAMPLES %lu\n", (unsigned long)edge.read(edge.bus, EDGELOOM_EDGE_SAMPLES));
    printf("CORRECT %lu\n", (unsigned long)edge.read(edge.bus, EDGELOOM_EDGE_CORRECT));

    for (uint32_t junction = 1; junction <= junctions; junction++) {
        for (size_t i = 0; i < sizeof TRAINED / sizeof *TRAINED; i++) {
            dump(&edge, outputs, junction, TRAINED[i]);
        }
    }
    for (uint32_t sample = 0; sample < run.samples; sample++) {
        fprintf(outputs, "%d\n", edge_bus_take_class(edge.bus));
    }
    edge_bus_close(edge.bus);
    fclose(inputs);
    if (fclose(outputs) != 0) {
        stop("OUTPUTS cannot be written");
    }
    return 0;
}
