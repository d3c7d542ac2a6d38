/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers and descriptors of the PE array, for drivers in C99.
 *
 * Made by `make generate` from models/pe_array/isa/registers.py and models/pe_array/isa/descriptors.py:
 * change that, not this.
 */
#ifndef EDGELOOM_ARRAY_H
#define EDGELOOM_ARRAY_H

#include <stdint.h>

/* Registers of the whole array: byte addresses; fields */
#define EDGELOOM_ARRAY_ID 0x000u /* "ELPA" */
#define EDGELOOM_ARRAY_ID_VALUE 0x454c5041u
#define EDGELOOM_ARRAY_VERSION 0x004u /* of this map */
#define EDGELOOM_ARRAY_VERSION_VALUE 0x00010000u
#define EDGELOOM_ARRAY_SHAPE 0x008u /* parameters of the array */
#define EDGELOOM_ARRAY_SHAPE_P_MASK 0x000000ffu /* PEs */
#define EDGELOOM_ARRAY_SHAPE_P_SHIFT 0
#define EDGELOOM_ARRAY_SHAPE_B_MASK 0x0000ff00u /* images of the batch, and bytes of a beat */
#define EDGELOOM_ARRAY_SHAPE_B_SHIFT 8
#define EDGELOOM_ARRAY_SHAPE_ACC_MASK 0x00ff0000u /* bits of an accumulator */
#define EDGELOOM_ARRAY_SHAPE_ACC_SHIFT 16
#define EDGELOOM_ARRAY_SHAPE_GROUPS_MASK 0x7f000000u /* PE groups that are counted for themselves */
#define EDGELOOM_ARRAY_SHAPE_GROUPS_SHIFT 24
#define EDGELOOM_ARRAY_SHAPE_WIDE_MASK 0x80000000u /* the port is wide: its beats have 2*B bytes */
#define EDGELOOM_ARRAY_SHAPE_WIDE_SHIFT 31
#define EDGELOOM_ARRAY_DEPTHS 0x00cu /* memories of a PE */
#define EDGELOOM_ARRAY_DEPTHS_X_MASK 0x0000000fu /* log2 of the words of X */
#define EDGELOOM_ARRAY_DEPTHS_X_SHIFT 0
#define EDGELOOM_ARRAY_DEPTHS_Y_MASK 0x000000f0u /* log2 of the words of Y */
#define EDGELOOM_ARRAY_DEPTHS_Y_SHIFT 4
#define EDGELOOM_ARRAY_DEPTHS_W_MASK 0x00000f00u /* log2 of the words of W */
#define EDGELOOM_ARRAY_DEPTHS_W_SHIFT 8
#define EDGELOOM_ARRAY_DEPTHS_E_MASK 0x0000f000u /* log2 of the words of E */
#define EDGELOOM_ARRAY_DEPTHS_E_SHIFT 12
#define EDGELOOM_ARRAY_DEPTHS_T_MASK 0x000f0000u /* log2 of the words of T */
#define EDGELOOM_ARRAY_DEPTHS_T_SHIFT 16
#define EDGELOOM_ARRAY_CONTROL 0x010u /* commands */
#define EDGELOOM_ARRAY_CONTROL_START_MASK 0x00000001u /* 1: start the program; refused while busy */
#define EDGELOOM_ARRAY_CONTROL_START_SHIFT 0
#define EDGELOOM_ARRAY_CONTROL_STOP_MASK 0x00000002u /* 1: stop it */
#define EDGELOOM_ARRAY_CONTROL_STOP_SHIFT 1
#define EDGELOOM_ARRAY_STATUS 0x014u /* state of the program; start clears all but BUSY */
#define EDGELOOM_ARRAY_STATUS_BUSY_MASK 0x00000001u /* a program runs */
#define EDGELOOM_ARRAY_STATUS_BUSY_SHIFT 0
#define EDGELOOM_ARRAY_STATUS_ENDED_MASK 0x00000002u /* the last one came to its end */
#define EDGELOOM_ARRAY_STATUS_ENDED_SHIFT 1
#define EDGELOOM_ARRAY_STATUS_ERROR_MASK 0x00000004u /* it was stopped */
#define EDGELOOM_ARRAY_STATUS_ERROR_SHIFT 2
#define EDGELOOM_ARRAY_STATUS_CAUSE_MASK 0x000000f0u /* why: a cause */
#define EDGELOOM_ARRAY_STATUS_CAUSE_SHIFT 4
#define EDGELOOM_ARRAY_STATUS_ENGINE_MASK 0x00000300u /* by which engine */
#define EDGELOOM_ARRAY_STATUS_ENGINE_SHIFT 8
#define EDGELOOM_ARRAY_ERROR_INDEX 0x018u /* descriptor that stopped the program */
#define EDGELOOM_ARRAY_ERROR_INDEX_DESCRIPTOR_MASK 0x00ffffffu /* its place in the program */
#define EDGELOOM_ARRAY_ERROR_INDEX_DESCRIPTOR_SHIFT 0
#define EDGELOOM_ARRAY_PROGRAM 0x01cu /* address of the program: bytes, a multiple of 32 and of B */
#define EDGELOOM_ARRAY_LENGTH 0x020u /* descriptors of the program; others are refused */
#define EDGELOOM_ARRAY_LENGTH_DESCRIPTORS_MASK 0x00ffffffu /* at least 1 */
#define EDGELOOM_ARRAY_LENGTH_DESCRIPTORS_SHIFT 0
#define EDGELOOM_ARRAY_LENGTH_RESET 0x00000001u
#define EDGELOOM_ARRAY_READ_BASE 0x024u /* window for reading: its first byte */
#define EDGELOOM_ARRAY_READ_LAST 0x028u /* window for reading: its last byte */
#define EDGELOOM_ARRAY_WRITE_BASE 0x02cu /* window for writing: its first byte */
#define EDGELOOM_ARRAY_WRITE_LAST 0x030u /* window for writing: its last byte */
#define EDGELOOM_ARRAY_SEED 0x034u /* random words of stochastic rounding */
#define EDGELOOM_ARRAY_SEED_WORD_MASK 0x0000ffffu /* seed of the random words */
#define EDGELOOM_ARRAY_SEED_WORD_SHIFT 0
#define EDGELOOM_ARRAY_SEED_ENABLE_MASK 0x00010000u /* 1: every start loads it */
#define EDGELOOM_ARRAY_SEED_ENABLE_SHIFT 16
#define EDGELOOM_ARRAY_SNAPSHOT 0x038u /* any value: copies all counters at once; they count from the last start */

/* Counters of the whole array: byte addresses; fields */
#define EDGELOOM_ARRAY_COUNTER_CLOCKS 0x040u /* clocks in which a program ran */
#define EDGELOOM_ARRAY_COUNTER_BUSY_PES 0x048u /* PE clocks in which an entry was issued */
#define EDGELOOM_ARRAY_COUNTER_STALL_PES 0x050u /* PE clocks in which an entry waited */
#define EDGELOOM_ARRAY_COUNTER_LOAD_CLOCKS 0x058u /* clocks in which the load engine was not idle */
#define EDGELOOM_ARRAY_COUNTER_COMPUTE_CLOCKS 0x060u /* clocks in which the compute engine was not idle */
#define EDGELOOM_ARRAY_COUNTER_STORE_CLOCKS 0x068u /* clocks in which the store engine was not idle */
#define EDGELOOM_ARRAY_COUNTER_FETCH_BEATS 0x070u /* beats read by the program fetch */
#define EDGELOOM_ARRAY_COUNTER_LOAD_BEATS 0x078u /* beats read by the load engine */
#define EDGELOOM_ARRAY_COUNTER_STORE_BEATS 0x080u /* beats read by the store engine */
#define EDGELOOM_ARRAY_COUNTER_WRITTEN_BEATS 0x088u /* beats written */
#define EDGELOOM_ARRAY_COUNTER_LOADS 0x090u /* loads done */
#define EDGELOOM_ARRAY_COUNTER_COMPUTES 0x098u /* computes done */
#define EDGELOOM_ARRAY_COUNTER_STORES 0x0a0u /* stores done */
#define EDGELOOM_ARRAY_COUNTER_CLIPPED_OUTPUTS 0x0a8u /* values clipped by requantise */
#define EDGELOOM_ARRAY_COUNTER_CLIPPED_MASTERS 0x0b0u /* masters clipped by updates */
#define EDGELOOM_ARRAY_COUNTER_CLIPPED_MOMENTA 0x0b8u /* momenta clipped by updates */
#define EDGELOOM_ARRAY_COUNTER_CLIPPED_WEIGHTS 0x0c0u /* MAC weights clipped by updates */

/* Counters of a group of neighbouring PEs: byte addresses, of PE group n from 0 on; fields */
#define EDGELOOM_ARRAY_GROUP_BUSY(n) (0x0c8u + 0x10u * (n)) /* PE clocks in which an entry was issued */
#define EDGELOOM_ARRAY_GROUP_STALLED(n) (0x0d0u + 0x10u * (n)) /* PE clocks in which an entry waited */

/* Why a program was stopped */
#define EDGELOOM_ARRAY_CAUSE_OPCODE 1u /* unknown opcode */
#define EDGELOOM_ARRAY_CAUSE_FIELD 2u /* an illegal field */
#define EDGELOOM_ARRAY_CAUSE_ADDRESS 3u /* an address outside the window that the host opened, or misaligned */
#define EDGELOOM_ARRAY_CAUSE_READ_SLVERR 4u /* SLVERR while reading */
#define EDGELOOM_ARRAY_CAUSE_READ_DECERR 5u /* DECERR while reading */
#define EDGELOOM_ARRAY_CAUSE_WRITE_SLVERR 6u /* SLVERR while writing */
#define EDGELOOM_ARRAY_CAUSE_WRITE_DECERR 7u /* DECERR while writing */
#define EDGELOOM_ARRAY_CAUSE_POINTERS 8u /* CSB: block pointers that do not start at 0, fall, or end elsewhere */
#define EDGELOOM_ARRAY_CAUSE_COORDINATE 9u /* CSB: a coordinate beyond its block */
#define EDGELOOM_ARRAY_CAUSE_HOST 10u /* stopped by the host */

/* Engines: their numbers in STATUS, and upper digit of the opcode */
#define EDGELOOM_ARRAY_ENGINE_FETCH 0u /* fetch and dispatch of the program */
#define EDGELOOM_ARRAY_ENGINE_LOAD 1u /* load engine */
#define EDGELOOM_ARRAY_ENGINE_COMPUTE 2u /* compute engine */
#define EDGELOOM_ARRAY_ENGINE_STORE 3u /* store engine */

/* Operations of a processing element */
#define EDGELOOM_ARRAY_OP_MAC 0u /* sums of products of weights and pixels */
#define EDGELOOM_ARRAY_OP_GRAD 1u /* gradients of weights: sums of products over pixels and images */
#define EDGELOOM_ARRAY_OP_MAX 2u /* the largest pixel of a window, and which one it is */
#define EDGELOOM_ARRAY_OP_UNPOOL 3u /* a gradient goes to where the largest pixel was */

/* Fields of a command that every PE has for itself */
#define EDGELOOM_ARRAY_FIELD_ELEMENTS 0u /* elements of the list */
#define EDGELOOM_ARRAY_FIELD_CLEAR 1u /* words of Y to clear first */
#define EDGELOOM_ARRAY_FIELD_TAPS 2u /* taps of an element */
#define EDGELOOM_ARRAY_FIELD_TBASE 3u /* first word of the taps in T */
#define EDGELOOM_ARRAY_FIELD_XSTRIDE 4u /* words of X per channel */
#define EDGELOOM_ARRAY_FIELD_YSTRIDE 5u /* words of Y per channel */

/* Memories of a processing element, as its load port selects them */
#define EDGELOOM_ARRAY_MEMORY_X 0u /* input map */
#define EDGELOOM_ARRAY_MEMORY_Y 1u /* accumulators, or the map of gradients */
#define EDGELOOM_ARRAY_MEMORY_W 2u /* weights */
#define EDGELOOM_ARRAY_MEMORY_E 3u /* elements: which weight meets which channel */
#define EDGELOOM_ARRAY_MEMORY_T 4u /* taps: offsets of a window */

/* Memories that a stream can go to */
#define EDGELOOM_ARRAY_STREAM_W 0u /* weights */
#define EDGELOOM_ARRAY_STREAM_E 1u /* elements */
#define EDGELOOM_ARRAY_STREAM_T 2u /* taps */

/* Registers of the window that a processing element holds of a map */
#define EDGELOOM_ARRAY_WINDOW_X_COLUMNS 0u /* columns that X takes */
#define EDGELOOM_ARRAY_WINDOW_X_ROWS 1u /* rows that X takes */
#define EDGELOOM_ARRAY_WINDOW_Y_COLUMNS 2u /* columns that Y takes */
#define EDGELOOM_ARRAY_WINDOW_Y_ROWS 3u /* rows that Y takes */
#define EDGELOOM_ARRAY_WINDOW_SLOT 4u /* slot of the PE */

/* What of an accumulator becomes the byte of an output */
#define EDGELOOM_ARRAY_BYTE_SUM 0u /* the sum, requantised */
#define EDGELOOM_ARRAY_BYTE_VALUE 1u /* the largest pixel of a window */
#define EDGELOOM_ARRAY_BYTE_INDEX 2u /* its place in the window */

/* What a drain reads of each channel */
#define EDGELOOM_ARRAY_RECORDS_NONE 0u /* nothing */
#define EDGELOOM_ARRAY_RECORDS_BIASES 1u /* its bias */
#define EDGELOOM_ARRAY_RECORDS_FULL 2u /* its bias, multiplier and shift */

/* Opcodes */
#define EDGELOOM_ARRAY_OPCODE_WINDOW 0x10u
#define EDGELOOM_ARRAY_OPCODE_MAP 0x11u
#define EDGELOOM_ARRAY_OPCODE_STREAM 0x12u
#define EDGELOOM_ARRAY_OPCODE_POINTERS 0x13u
#define EDGELOOM_ARRAY_OPCODE_SET 0x20u
#define EDGELOOM_ARRAY_OPCODE_COMPUTE 0x21u
#define EDGELOOM_ARRAY_OPCODE_DRAIN 0x30u
#define EDGELOOM_ARRAY_OPCODE_OUTPUT 0x31u
#define EDGELOOM_ARRAY_OPCODE_SLOT 0x32u
#define EDGELOOM_ARRAY_OPCODE_COLLECT 0x33u
#define EDGELOOM_ARRAY_OPCODE_UPDATE 0x34u
#define EDGELOOM_ARRAY_OPCODE_DELTA 0x35u
#define EDGELOOM_ARRAY_OPCODE_SCALES 0x36u
#define EDGELOOM_ARRAY_OPCODE_LEARN 0x37u

/*
 * A descriptor, in words: bit n of the 256 is bit n % 32 of word n / 32. A value that does not fit in its field loses
 * its upper bits. A field that holds a number less one is set to, and gives, the number.
 */
typedef struct {
    uint32_t word[8];
} edgeloom_descriptor;

static inline void edgeloom_put(edgeloom_descriptor *d, unsigned low, unsigned width, uint64_t value)
{
    while (width != 0) {
        unsigned at = low % 32;
        unsigned part = 32 - at < width ? 32 - at : width;
        uint32_t mask = (uint32_t)(0xffffffffu >> (32 - part)) << at;
        d->word[low / 32] = (d->word[low / 32] & ~mask) | ((uint32_t)(value << at) & mask);
        value >>= part;
        low += part;
        width -= part;
    }
}

static inline uint64_t edgeloom_get(const edgeloom_descriptor *d, unsigned low, unsigned width)
{
    uint64_t value = 0;
    unsigned done = 0;

    while (done != width) {
        unsigned at = (low + done) % 32;
        unsigned part = 32 - at < width - done ? 32 - at : width - done;
        value |= (uint64_t)(d->word[(low + done) / 32] >> at & (0xffffffffu >> (32 - part))) << done;
        done += part;
    }
    return value;
}

/* An empty descriptor: no field is set, it waits for nothing */
static inline void edgeloom_begin(edgeloom_descriptor *d, uint32_t opcode)
{
    for (int n = 0; n < 8; n++) {
        d->word[n] = 0;
    }
    edgeloom_put(d, 0, 8, opcode);
}

/* The 32 bytes in memory */
static inline void edgeloom_bytes(const edgeloom_descriptor *d, unsigned char bytes[32])
{
    for (int n = 0; n < 32; n++) {
        bytes[n] = (unsigned char)(d->word[n / 4] >> n % 4 * 8);
    }
}

/* loads that must be done */
static inline void edgeloom_after_set_loads(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 8, 24, value);
}

static inline uint32_t edgeloom_after_get_loads(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 8, 24);
}

/* computes that must be done */
static inline void edgeloom_after_set_computes(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 32, 24, value);
}

static inline uint32_t edgeloom_after_get_computes(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 32, 24);
}

/* stores that must be done */
static inline void edgeloom_after_set_stores(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 64, 24, value);
}

static inline uint32_t edgeloom_after_get_stores(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 64, 24);
}

/* WINDOW */
static inline void edgeloom_window_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_WINDOW);
}

/* PE */
static inline void edgeloom_window_set_pe(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 8, value);
}

static inline uint32_t edgeloom_window_get_pe(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 8);
}

/* its slot */
static inline void edgeloom_window_set_slot(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 8, value);
}

static inline uint32_t edgeloom_window_get_slot(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 8);
}

/* columns that X takes */
static inline void edgeloom_window_set_x_columns_first(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 12, value);
}

static inline uint32_t edgeloom_window_get_x_columns_first(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 12);
}

/* columns that X takes: last + 1 */
static inline void edgeloom_window_set_x_columns_end(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 108, 12, value);
}

static inline uint32_t edgeloom_window_get_x_columns_end(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 108, 12);
}

/* rows that X takes */
static inline void edgeloom_window_set_x_rows_first(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 12, value);
}

static inline uint32_t edgeloom_window_get_x_rows_first(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 12);
}

/* rows that X takes: last + 1 */
static inline void edgeloom_window_set_x_rows_end(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 140, 12, value);
}

static inline uint32_t edgeloom_window_get_x_rows_end(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 140, 12);
}

/* columns that Y takes */
static inline void edgeloom_window_set_y_columns_first(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 12, value);
}

static inline uint32_t edgeloom_window_get_y_columns_first(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 12);
}

/* columns that Y takes: last + 1 */
static inline void edgeloom_window_set_y_columns_end(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 172, 12, value);
}

static inline uint32_t edgeloom_window_get_y_columns_end(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 172, 12);
}

/* rows that Y takes */
static inline void edgeloom_window_set_y_rows_first(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 12, value);
}

static inline uint32_t edgeloom_window_get_y_rows_first(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 12);
}

/* rows that Y takes: last + 1 */
static inline void edgeloom_window_set_y_rows_end(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 204, 12, value);
}

static inline uint32_t edgeloom_window_get_y_rows_end(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 204, 12);
}

/* MAP */
static inline void edgeloom_map_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_MAP);
}

/* left shift of a byte that goes to Y */
static inline void edgeloom_map_set_shift(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 4, value);
}

static inline uint32_t edgeloom_map_get_shift(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 4);
}

/* to Y, else to X */
static inline void edgeloom_map_set_y(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 60, 1, value);
}

static inline uint32_t edgeloom_map_get_y(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 60, 1);
}

/* for the PEs of all slots */
static inline void edgeloom_map_set_all(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 61, 1, value);
}

static inline uint32_t edgeloom_map_get_all(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 61, 1);
}

/* else for those of this slot */
static inline void edgeloom_map_set_slot(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 8, value);
}

static inline uint32_t edgeloom_map_get_slot(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 8);
}

/* of the first run */
static inline void edgeloom_map_set_address(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_map_get_address(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* beats of a run */
static inline void edgeloom_map_set_run_beats(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 16, value - 1u);
}

static inline uint32_t edgeloom_map_get_run_beats(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 16) + 1u;
}

/* runs */
static inline void edgeloom_map_set_runs(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 144, 13, value - 1u);
}

static inline uint32_t edgeloom_map_get_runs(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 144, 13) + 1u;
}

/* beats from run to run */
static inline void edgeloom_map_set_run_stride(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 20, value);
}

static inline uint32_t edgeloom_map_get_run_stride(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 20);
}

/* columns of the map */
static inline void edgeloom_map_set_width(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 180, 12, value);
}

static inline uint32_t edgeloom_map_get_width(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 180, 12);
}

/* channels, at most 4096 */
static inline void edgeloom_map_set_channels(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 13, value);
}

static inline uint32_t edgeloom_map_get_channels(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 13);
}

/* first word in every PE */
static inline void edgeloom_map_set_base(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 205, 12, value);
}

static inline uint32_t edgeloom_map_get_base(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 205, 12);
}

/* first row */
static inline void edgeloom_map_set_row(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 224, 12, value);
}

static inline uint32_t edgeloom_map_get_row(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 224, 12);
}

/* rows */
static inline void edgeloom_map_set_rows(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 236, 12, value);
}

static inline uint32_t edgeloom_map_get_rows(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 236, 12);
}

/* STREAM */
static inline void edgeloom_stream_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_STREAM);
}

/* 0 W, 1 E, 2 T */
static inline void edgeloom_stream_set_memory(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 2, value);
}

static inline uint32_t edgeloom_stream_get_memory(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 2);
}

/* check the coordinates */
static inline void edgeloom_stream_set_check(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 1, value);
}

static inline uint32_t edgeloom_stream_get_check(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 1);
}

/* of the first beat */
static inline void edgeloom_stream_set_address(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_stream_get_address(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* beats */
static inline void edgeloom_stream_set_beats(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 12, value - 1u);
}

static inline uint32_t edgeloom_stream_get_beats(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 12) + 1u;
}

/* word of the memory that the first goes to */
static inline void edgeloom_stream_set_word(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 140, 12, value);
}

static inline uint32_t edgeloom_stream_get_word(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 140, 12);
}

/* largest row */
static inline void edgeloom_stream_set_row_max(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 8, value);
}

static inline uint32_t edgeloom_stream_get_row_max(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 8);
}

/* largest column */
static inline void edgeloom_stream_set_col_max(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 168, 8, value);
}

static inline uint32_t edgeloom_stream_get_col_max(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 168, 8);
}

/* how many coordinates are checked */
static inline void edgeloom_stream_set_coordinates(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 176, 12, value);
}

static inline uint32_t edgeloom_stream_get_coordinates(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 176, 12);
}

/* mask of the PEs that take it */
static inline void edgeloom_stream_set_pes(edgeloom_descriptor *d, uint64_t value)
{
    edgeloom_put(d, 192, 64, value);
}

static inline uint64_t edgeloom_stream_get_pes(const edgeloom_descriptor *d)
{
    return edgeloom_get(d, 192, 64);
}

/* POINTERS */
static inline void edgeloom_pointers_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_POINTERS);
}

/* of the first pointer */
static inline void edgeloom_pointers_set_address(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_pointers_get_address(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* blocks; there is one pointer more */
static inline void edgeloom_pointers_set_blocks(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 20, value);
}

static inline uint32_t edgeloom_pointers_get_blocks(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 20);
}

/* elements of the matrix */
static inline void edgeloom_pointers_set_elements(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 32, value);
}

static inline uint32_t edgeloom_pointers_get_elements(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 32);
}

/* SET */
static inline void edgeloom_set_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_SET);
}

/* 0 elements, 1 clear, 2 taps, 3 tbase, 4 xstride, 5 ystride */
static inline void edgeloom_set_set_field(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 3, value);
}

static inline uint32_t edgeloom_set_get_field(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 3);
}

/* its value */
static inline void edgeloom_set_set_value(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 12, value);
}

static inline uint32_t edgeloom_set_get_value(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 12);
}

/* mask of the PEs that take it */
static inline void edgeloom_set_set_pes(edgeloom_descriptor *d, uint64_t value)
{
    edgeloom_put(d, 192, 64, value);
}

static inline uint64_t edgeloom_set_get_pes(const edgeloom_descriptor *d)
{
    return edgeloom_get(d, 192, 64);
}

/* COMPUTE */
static inline void edgeloom_compute_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_COMPUTE);
}

/* 0 MAC, 1 GRAD, 2 MAX, 3 UNPOOL */
static inline void edgeloom_compute_set_op(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 2, value);
}

static inline uint32_t edgeloom_compute_get_op(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 2);
}

/* a coordinate's column is the output row */
static inline void edgeloom_compute_set_swap(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 58, 1, value);
}

static inline uint32_t edgeloom_compute_get_swap(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 58, 1);
}

/* log2 of the PEs of a slot (GRAD) */
static inline void edgeloom_compute_set_tiles_log2(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 3, value);
}

static inline uint32_t edgeloom_compute_get_tiles_log2(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 3);
}

/* first word of E */
static inline void edgeloom_compute_set_ebase(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 12, value);
}

static inline uint32_t edgeloom_compute_get_ebase(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 12);
}

/* first word of W */
static inline void edgeloom_compute_set_wbase(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 108, 12, value);
}

static inline uint32_t edgeloom_compute_get_wbase(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 108, 12);
}

/* first word of X */
static inline void edgeloom_compute_set_xbase(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 12, value);
}

static inline uint32_t edgeloom_compute_get_xbase(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 12);
}

/* bytes of weights per element */
static inline void edgeloom_compute_set_wstride(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 140, 7, value);
}

static inline uint32_t edgeloom_compute_get_wstride(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 140, 7);
}

/* first word of Y */
static inline void edgeloom_compute_set_ybase(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 12, value);
}

static inline uint32_t edgeloom_compute_get_ybase(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 12);
}

/* first word of the results (UNPOOL) */
static inline void edgeloom_compute_set_rbase(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 172, 12, value);
}

static inline uint32_t edgeloom_compute_get_rbase(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 172, 12);
}

/* DRAIN */
static inline void edgeloom_drain_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_DRAIN);
}

/* slots */
static inline void edgeloom_drain_set_slots(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 7, value);
}

static inline uint32_t edgeloom_drain_get_slots(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 7);
}

/* what is high or above has no gradient, as what a ReLU stops */
static inline void edgeloom_drain_set_limited(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 63, 1, value);
}

static inline uint32_t edgeloom_drain_get_limited(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 63, 1);
}

/* log2 of the tiles on top of each other */
static inline void edgeloom_drain_set_sy_log2(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 3, value);
}

static inline uint32_t edgeloom_drain_get_sy_log2(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 3);
}

/* log2 of the tiles side by side */
static inline void edgeloom_drain_set_sx_log2(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 91, 3, value);
}

static inline uint32_t edgeloom_drain_get_sx_log2(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 91, 3);
}

/* the largest of every 2 x 2 pixels */
static inline void edgeloom_drain_set_windows(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 94, 1, value);
}

static inline uint32_t edgeloom_drain_get_windows(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 94, 1);
}

/* write places of these, or spread words by them */
static inline void edgeloom_drain_set_index(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 95, 1, value);
}

static inline uint32_t edgeloom_drain_get_index(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 95, 1);
}

/* channels of a slot */
static inline void edgeloom_drain_set_channels(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 12, value);
}

static inline uint32_t edgeloom_drain_get_channels(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 12);
}

/* channels of the last slot */
static inline void edgeloom_drain_set_channels_last(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 108, 12, value);
}

static inline uint32_t edgeloom_drain_get_channels_last(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 108, 12);
}

/* rows of the region */
static inline void edgeloom_drain_set_height(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 12, value);
}

static inline uint32_t edgeloom_drain_get_height(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 12);
}

/* columns of the region */
static inline void edgeloom_drain_set_width(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 140, 12, value);
}

static inline uint32_t edgeloom_drain_get_width(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 140, 12);
}

/* rows of a tile */
static inline void edgeloom_drain_set_tile_height(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 12, value);
}

static inline uint32_t edgeloom_drain_get_tile_height(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 12);
}

/* columns of a tile */
static inline void edgeloom_drain_set_tile_width(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 172, 12, value);
}

static inline uint32_t edgeloom_drain_get_tile_width(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 172, 12);
}

/* first word of Y */
static inline void edgeloom_drain_set_ybase(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 12, value);
}

static inline uint32_t edgeloom_drain_get_ybase(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 12);
}

/* words of Y per channel */
static inline void edgeloom_drain_set_ystride(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 204, 12, value);
}

static inline uint32_t edgeloom_drain_get_ystride(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 204, 12);
}

/* OUTPUT */
static inline void edgeloom_output_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_OUTPUT);
}

/* right shift of a sum */
static inline void edgeloom_output_set_shift(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 5, value);
}

static inline uint32_t edgeloom_output_get_shift(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 5);
}

/* 0 sum, 1 value of MAX, 2 its index */
static inline void edgeloom_output_set_field(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 2, value);
}

static inline uint32_t edgeloom_output_get_field(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 2);
}

/* stochastic rounding */
static inline void edgeloom_output_set_stochastic(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 90, 1, value);
}

static inline uint32_t edgeloom_output_get_stochastic(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 90, 1);
}

/* ReLU */
static inline void edgeloom_output_set_relu(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 91, 1, value);
}

static inline uint32_t edgeloom_output_get_relu(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 91, 1);
}

/* 0 where the mask is not positive */
static inline void edgeloom_output_set_use_mask(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 92, 1, value);
}

static inline uint32_t edgeloom_output_get_use_mask(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 92, 1);
}

/* of the first run */
static inline void edgeloom_output_set_address(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_output_get_address(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* address of the mask */
static inline void edgeloom_output_set_mask(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 32, value);
}

static inline uint32_t edgeloom_output_get_mask(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 32);
}

/* beats of a run */
static inline void edgeloom_output_set_run_beats(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 16, value - 1u);
}

static inline uint32_t edgeloom_output_get_run_beats(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 16) + 1u;
}

/* runs of a group */
static inline void edgeloom_output_set_runs(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 176, 12, value - 1u);
}

static inline uint32_t edgeloom_output_get_runs(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 176, 12) + 1u;
}

/* beats from run to run */
static inline void edgeloom_output_set_run_stride(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 20, value);
}

static inline uint32_t edgeloom_output_get_run_stride(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 20);
}

/* groups */
static inline void edgeloom_output_set_groups(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 212, 12, value - 1u);
}

static inline uint32_t edgeloom_output_get_groups(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 212, 12) + 1u;
}

/* beats from group to group */
static inline void edgeloom_output_set_group_stride(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 224, 20, value);
}

static inline uint32_t edgeloom_output_get_group_stride(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 224, 20);
}

/* SLOT */
static inline void edgeloom_slot_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_SLOT);
}

/* slot */
static inline void edgeloom_slot_set_slot(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 6, value);
}

static inline uint32_t edgeloom_slot_get_slot(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 6);
}

/* beat of the gradients, or masters, that the first goes to */
static inline void edgeloom_slot_set_beat(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 24, value);
}

static inline uint32_t edgeloom_slot_get_beat(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 24);
}

/* gradients; 0: as if not named */
static inline void edgeloom_slot_set_gradients(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 24, value);
}

static inline uint32_t edgeloom_slot_get_gradients(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 24);
}

/* COLLECT */
static inline void edgeloom_collect_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_COLLECT);
}

/* to what is there, modulo 2^32 */
static inline void edgeloom_collect_set_add(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 1, value);
}

static inline uint32_t edgeloom_collect_get_add(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 1);
}

/* of the gradient array */
static inline void edgeloom_collect_set_address(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_collect_get_address(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* UPDATE */
static inline void edgeloom_update_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_UPDATE);
}

/* right shift of a gradient: the learning rate */
static inline void edgeloom_update_set_shift(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 5, value);
}

static inline uint32_t edgeloom_update_get_shift(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 5);
}

/* stochastic rounding */
static inline void edgeloom_update_set_stochastic(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 61, 1, value);
}

static inline uint32_t edgeloom_update_get_stochastic(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 61, 1);
}

/* the step is Nesterov's, else the momentum */
static inline void edgeloom_update_set_nesterov(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 62, 1, value);
}

static inline uint32_t edgeloom_update_get_nesterov(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 62, 1);
}

/* shift of the decay of momenta; 0: there are none */
static inline void edgeloom_update_set_decay(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 4, value);
}

static inline uint32_t edgeloom_update_get_decay(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 4);
}

/* address of the gradients */
static inline void edgeloom_update_set_gradients(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_update_get_gradients(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* address of the masters */
static inline void edgeloom_update_set_masters(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 32, value);
}

static inline uint32_t edgeloom_update_get_masters(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 32);
}

/* address of the momenta */
static inline void edgeloom_update_set_momenta(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 32, value);
}

static inline uint32_t edgeloom_update_get_momenta(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 32);
}

/* address of the MAC weights */
static inline void edgeloom_update_set_weights(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 32, value);
}

static inline uint32_t edgeloom_update_get_weights(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 32);
}

/* beats of MAC weights; of the other arrays four times as many */
static inline void edgeloom_update_set_beats(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 224, 24, value - 1u);
}

static inline uint32_t edgeloom_update_get_beats(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 224, 24) + 1u;
}

/* shift of the decay of masters; 0: they do not decay */
static inline void edgeloom_update_set_weight_decay(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 248, 5, value);
}

static inline uint32_t edgeloom_update_get_weight_decay(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 248, 5);
}

/* log2 of the arrays of gradients, which are added modulo 2^32 */
static inline void edgeloom_update_set_arrays_log2(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 253, 3, value);
}

static inline uint32_t edgeloom_update_get_arrays_log2(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 253, 3);
}

/* DELTA */
static inline void edgeloom_delta_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_DELTA);
}

/* softmax with cross-entropy, else sigmoid */
static inline void edgeloom_delta_set_softmax(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 1, value);
}

static inline uint32_t edgeloom_delta_get_softmax(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 1);
}

/* address of the logits */
static inline void edgeloom_delta_set_logits(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_delta_get_logits(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* address of the labels, one beat */
static inline void edgeloom_delta_set_labels(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 128, 32, value);
}

static inline uint32_t edgeloom_delta_get_labels(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 128, 32);
}

/* address of the result; it may be that of the logits */
static inline void edgeloom_delta_set_output(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 32, value);
}

static inline uint32_t edgeloom_delta_get_output(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 32);
}

/* classes, at most 256 */
static inline void edgeloom_delta_set_classes(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 12, value - 1u);
}

static inline uint32_t edgeloom_delta_get_classes(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 12) + 1u;
}

/* SCALES */
static inline void edgeloom_scales_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_SCALES);
}

/* of each channel from memory: 0 none, 1 bias, 2 bias, multiplier and shift */
static inline void edgeloom_scales_set_records(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 2, value);
}

static inline uint32_t edgeloom_scales_get_records(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 2);
}

/* round halves to even, else up */
static inline void edgeloom_scales_set_even(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 58, 1, value);
}

static inline uint32_t edgeloom_scales_get_even(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 58, 1);
}

/* add a map */
static inline void edgeloom_scales_set_addend(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 59, 1, value);
}

static inline uint32_t edgeloom_scales_get_addend(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 59, 1);
}

/* 0 where the mask is high or above, too; then high limits no result */
static inline void edgeloom_scales_set_mask_high(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 60, 1, value);
}

static inline uint32_t edgeloom_scales_get_mask_high(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 60, 1);
}

/* even: what is less than 2^-15 above a half is one, too */
static inline void edgeloom_scales_set_near_half(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 61, 1, value);
}

static inline uint32_t edgeloom_scales_get_near_half(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 61, 1);
}

/* right shift of a bias, half up */
static inline void edgeloom_scales_set_bias_shift(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 4, value);
}

static inline uint32_t edgeloom_scales_get_bias_shift(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 4);
}

/* of the first record, a multiple of its 4 or 8 bytes */
static inline void edgeloom_scales_set_address(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_scales_get_address(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* else the bias of all channels */
static inline void edgeloom_scales_set_bias(edgeloom_descriptor *d, int32_t value)
{
    edgeloom_put(d, 128, 32, (uint64_t)(int64_t)value);
}

static inline int32_t edgeloom_scales_get_bias(const edgeloom_descriptor *d)
{
    return (int32_t)((int64_t)(edgeloom_get(d, 128, 32) ^ 0x80000000u) - 0x80000000ll);
}

/* else the multiplier of all channels, 2^23 is 1.0 */
static inline void edgeloom_scales_set_multiplier(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 24, value);
}

static inline uint32_t edgeloom_scales_get_multiplier(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 24);
}

/* its multiplier, 2^23 is 1.0 */
static inline void edgeloom_scales_set_addend_multiplier(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 24, value);
}

static inline uint32_t edgeloom_scales_get_addend_multiplier(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 24);
}

/* its right shift */
static inline void edgeloom_scales_set_addend_shift(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 216, 5, value);
}

static inline uint32_t edgeloom_scales_get_addend_shift(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 216, 5);
}

/* zero point of the result */
static inline void edgeloom_scales_set_zero(edgeloom_descriptor *d, int32_t value)
{
    edgeloom_put(d, 224, 8, (uint64_t)(int64_t)value);
}

static inline int32_t edgeloom_scales_get_zero(const edgeloom_descriptor *d)
{
    return (int32_t)((int64_t)(edgeloom_get(d, 224, 8) ^ 0x80u) - 0x80ll);
}

/* least result */
static inline void edgeloom_scales_set_low(edgeloom_descriptor *d, int32_t value)
{
    edgeloom_put(d, 232, 8, (uint64_t)(int64_t)value);
}

static inline int32_t edgeloom_scales_get_low(const edgeloom_descriptor *d)
{
    return (int32_t)((int64_t)(edgeloom_get(d, 232, 8) ^ 0x80u) - 0x80ll);
}

/* largest result */
static inline void edgeloom_scales_set_high(edgeloom_descriptor *d, int32_t value)
{
    edgeloom_put(d, 240, 8, (uint64_t)(int64_t)value);
}

static inline int32_t edgeloom_scales_get_high(const edgeloom_descriptor *d)
{
    return (int32_t)((int64_t)(edgeloom_get(d, 240, 8) ^ 0x80u) - 0x80ll);
}

/* its zero point */
static inline void edgeloom_scales_set_addend_zero(edgeloom_descriptor *d, int32_t value)
{
    edgeloom_put(d, 248, 8, (uint64_t)(int64_t)value);
}

static inline int32_t edgeloom_scales_get_addend_zero(const edgeloom_descriptor *d)
{
    return (int32_t)((int64_t)(edgeloom_get(d, 248, 8) ^ 0x80u) - 0x80ll);
}

/* LEARN */
static inline void edgeloom_learn_begin(edgeloom_descriptor *d)
{
    edgeloom_begin(d, EDGELOOM_ARRAY_OPCODE_LEARN);
}

/* right shift of a gradient: the learning rate */
static inline void edgeloom_learn_set_shift(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 56, 5, value);
}

static inline uint32_t edgeloom_learn_get_shift(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 56, 5);
}

/* stochastic rounding */
static inline void edgeloom_learn_set_stochastic(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 61, 1, value);
}

static inline uint32_t edgeloom_learn_get_stochastic(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 61, 1);
}

/* the step is Nesterov's, else the momentum */
static inline void edgeloom_learn_set_nesterov(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 62, 1, value);
}

static inline uint32_t edgeloom_learn_get_nesterov(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 62, 1);
}

/* shift of the decay of momenta; 0: there are none */
static inline void edgeloom_learn_set_decay(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 88, 4, value);
}

static inline uint32_t edgeloom_learn_get_decay(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 88, 4);
}

/* address of the masters */
static inline void edgeloom_learn_set_masters(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 96, 32, value);
}

static inline uint32_t edgeloom_learn_get_masters(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 96, 32);
}

/* address of the momenta */
static inline void edgeloom_learn_set_momenta(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 160, 32, value);
}

static inline uint32_t edgeloom_learn_get_momenta(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 160, 32);
}

/* address of the MAC weights */
static inline void edgeloom_learn_set_weights(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 192, 32, value);
}

static inline uint32_t edgeloom_learn_get_weights(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 192, 32);
}

/* shift of the decay of masters; 0: they do not decay */
static inline void edgeloom_learn_set_weight_decay(edgeloom_descriptor *d, uint32_t value)
{
    edgeloom_put(d, 248, 5, value);
}

static inline uint32_t edgeloom_learn_get_weight_decay(const edgeloom_descriptor *d)
{
    return (uint32_t)edgeloom_get(d, 248, 5);
}

#endif
