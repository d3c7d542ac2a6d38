// SPDX-License-Identifier: Apache-2.0
/*
 * Registers of the PE array
 *
 * Made by `make generate` from models/pe_array/isa/registers.py: change that, not this.
 *
 * They are macros: every tool takes one as the range of a slice, word[`NAME], and none warns of those that a module
 * does not use, as it would of parameters.
 */
`ifndef EDGELOOM_ARRAY_REGISTERS_VH
`define EDGELOOM_ARRAY_REGISTERS_VH

// Registers of the PE array: word addresses; bits of fields
`define ARRAY_ID                     10'h000       // "ELPA"
`define ARRAY_ID_VALUE               32'h454C5041
`define ARRAY_VERSION                10'h001       // of this map
`define ARRAY_VERSION_VALUE          32'h00010000
`define ARRAY_SHAPE                  10'h002       // parameters of the array
`define ARRAY_SHAPE_P                7:0           // PEs
`define ARRAY_SHAPE_B                15:8          // images of the batch, and bytes of a beat
`define ARRAY_SHAPE_ACC              23:16         // bits of an accumulator
`define ARRAY_SHAPE_GROUPS           30:24         // PE groups that are counted for themselves
`define ARRAY_SHAPE_WIDE             31            // the port is wide: its beats have 2*B bytes
`define ARRAY_DEPTHS                 10'h003       // memories of a PE
`define ARRAY_DEPTHS_X               3:0           // log2 of the words of X
`define ARRAY_DEPTHS_Y               7:4           // log2 of the words of Y
`define ARRAY_DEPTHS_W               11:8          // log2 of the words of W
`define ARRAY_DEPTHS_E               15:12         // log2 of the words of E
`define ARRAY_DEPTHS_T               19:16         // log2 of the words of T
`define ARRAY_CONTROL                10'h004       // commands
`define ARRAY_CONTROL_START          0             // 1: start the program
`define ARRAY_CONTROL_STOP           1             // 1: stop it
`define ARRAY_STATUS                 10'h005       // state of the program
`define ARRAY_STATUS_BUSY            0             // a program runs
`define ARRAY_STATUS_ENDED           1             // the last one came to its end
`define ARRAY_STATUS_ERROR           2             // it was stopped
`define ARRAY_STATUS_CAUSE           7:4           // why: a cause
`define ARRAY_STATUS_ENGINE          9:8           // by which engine
`define ARRAY_ERROR_INDEX            10'h006       // descriptor that stopped the program
`define ARRAY_ERROR_INDEX_DESCRIPTOR 23:0          // its place in the program
`define ARRAY_PROGRAM                10'h007       // address of the program: bytes, a multiple of 32 and of B
`define ARRAY_LENGTH                 10'h008       // descriptors of the program
`define ARRAY_LENGTH_DESCRIPTORS     23:0          // at least 1
`define ARRAY_LENGTH_RESET           32'h00000001  // after a reset
`define ARRAY_READ_BASE              10'h009       // window for reading: its first byte
`define ARRAY_READ_LAST              10'h00A       // window for reading: its last byte
`define ARRAY_WRITE_BASE             10'h00B       // window for writing: its first byte
`define ARRAY_WRITE_LAST             10'h00C       // window for writing: its last byte
`define ARRAY_SEED                   10'h00D       // random words of stochastic rounding
`define ARRAY_SEED_WORD              15:0          // seed of the random words
`define ARRAY_SEED_ENABLE            16            // 1: every start loads it
`define ARRAY_SNAPSHOT               10'h00E       // any value: copies all counters at once

// Counters of the whole array: word addresses, from the first word on; bits of fields
`define ARRAY_COUNTER_BASE            10'h010  // first word, byte address 040
`define ARRAY_COUNTER_CLOCKS          10'h000  // clocks in which a program ran
`define ARRAY_COUNTER_BUSY_PES        10'h002  // PE clocks in which an entry was issued
`define ARRAY_COUNTER_STALL_PES       10'h004  // PE clocks in which an entry waited
`define ARRAY_COUNTER_LOAD_CLOCKS     10'h006  // clocks in which the load engine was not idle
`define ARRAY_COUNTER_COMPUTE_CLOCKS  10'h008  // clocks in which the compute engine was not idle
`define ARRAY_COUNTER_STORE_CLOCKS    10'h00A  // clocks in which the store engine was not idle
`define ARRAY_COUNTER_FETCH_BEATS     10'h00C  // beats read by the program fetch
`define ARRAY_COUNTER_LOAD_BEATS      10'h00E  // beats read by the load engine
`define ARRAY_COUNTER_STORE_BEATS     10'h010  // beats read by the store engine
`define ARRAY_COUNTER_WRITTEN_BEATS   10'h012  // beats written
`define ARRAY_COUNTER_LOADS           10'h014  // loads done
`define ARRAY_COUNTER_COMPUTES        10'h016  // computes done
`define ARRAY_COUNTER_STORES          10'h018  // stores done
`define ARRAY_COUNTER_CLIPPED_OUTPUTS 10'h01A  // values clipped by requantise
`define ARRAY_COUNTER_CLIPPED_MASTERS 10'h01C  // masters clipped by updates
`define ARRAY_COUNTER_CLIPPED_MOMENTA 10'h01E  // momenta clipped by updates
`define ARRAY_COUNTER_CLIPPED_WEIGHTS 10'h020  // MAC weights clipped by updates

// Counters of a group of neighbouring PEs: word addresses, from the first word on; bits of fields
`define ARRAY_GROUP_BASE    10'h032  // first word, byte address 0C8
`define ARRAY_GROUP_WORDS   4        // words from one PE group to the next
`define ARRAY_GROUP_BUSY    10'h000  // PE clocks in which an entry was issued
`define ARRAY_GROUP_STALLED 10'h002  // PE clocks in which an entry waited

`endif
