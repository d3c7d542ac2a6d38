/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus of the example: what a system has between its processor and the edge engine, here a simulation of edge_top
 *
 * Frames that are sent wait in a queue and move while the clock runs, which is while a register is written or read.
 */
#ifndef EDGELOOM_EDGE_BUS_H
#define EDGELOOM_EDGE_BUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Registers over AXI4-Lite; an access that is refused or never answered ends the program */
void edge_bus_write(void *bus, uint32_t address, uint32_t value);
uint32_t edge_bus_read(void *bus, uint32_t address);

/* The engine, reset */
void *edge_bus_open(void);
void edge_bus_close(void *bus);

/* A frame of parameters in; the words that have come out so far, at most count: how many */
void edge_bus_send_parameters(void *bus, const int32_t *words, size_t count);
size_t edge_bus_take_parameters(void *bus, int32_t *words, size_t count);

/* A sample in, with its label */
void edge_bus_send_sample(void *bus, const int32_t *activations, size_t count, uint16_t label);

/* Class of the next prediction, or -1 where none has come out */
int edge_bus_take_class(void *bus);

#ifdef __cplusplus
}
#endif

#endif
