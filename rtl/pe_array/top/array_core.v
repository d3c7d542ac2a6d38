// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * Array core: load, compute and store engine with their grid of PEs
 *
 * Each engine takes descriptors of its own and works beside the others: load_engine from memory to the PEs,
 * compute_engine tells the PEs what to do, store_engine from the PEs to memory (and from memory to memory); pe_grid has
 * the PEs. Vectors over engines have the load engine in the low bits, then compute, then store; those over readers have
 * that of the load engine in the low bits, then that of the store engine.
 *
 * Latency: no register of its own, see the engines and pe_grid.
 *
 * Handshakes: valid and ready on descriptors, commands and beats; done, error and the counts of clipped values are
 * pulses without an answer.
 */
module array_core #(
    // PEs, a power of two, 1 ... 64
    parameter P = 32,
    // Images of a batch and bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32,
    // Words of the memories of a PE, powers of two, see pe.v
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    parameter T_DEPTH = 64,
    // Fraction bits of the logits, 0 ... 7
    parameter FRAC = 4,
    // 1: deltas with softmax too; 0: with sigmoid alone
    parameter SOFTMAX = 1,
    // Bits of activations, gradients of maps and MAC weights, 4 ... 8
    parameter DATA = 8,
    // Bits of a master weight, 16 ... 32
    parameter MASTER = 24,
    // 1: there are multipliers of outputs; 0: all are 1.0
    parameter SCALE = 1,
    // Registers of the broadcast of loads, at least 1; words that can wait at a PE; gradients that can wait there
    parameter STAGES = 2,
    parameter MAP_DEPTH = 16,
    parameter GRAD_DEPTH = 16,
    // Descriptors taken and not done by the load engine, at least 2
    parameter LOAD_DEPTH = 32,
    // B-byte words of a beat of the ports, 1 or 2
    parameter WIDE = 1,
    // Bits of a number of clipped weights (derived)
    parameter UW = $clog2(WIDE*B/4 + 1)
) (
    input  wire                     clk,
    // Synchronous, active high: forgets all but the memories and windows of the PEs and the random lanes
    input  wire                     rst,

    // Load all random lanes with this seed
    input  wire                     seed_load,
    input  wire [15:0]              seed,

    // To each engine: descriptors whose counts are reached, word 0 in the low bits, and their places in the program
    input  wire [2:0]               d_valid,
    output wire [2:0]               d_ready,
    input  wire [3*256-1:0]         d_data,
    input  wire [3*24-1:0]          d_index,
    // Pulse of each engine: an operation that is counted is done
    output wire [2:0]               done,
    // The engine has begun nothing that is not done
    output wire [2:0]               idle,

    // Pulses: the first error of each engine, its cause and its descriptor
    output wire                     load_error,
    output wire [3:0]               load_error_cause,
    output wire [23:0]              load_error_index,
    output wire                     compute_error,
    output wire [3:0]               compute_error_cause,
    output wire [23:0]              compute_error_index,
    output wire                     store_error,
    output wire [3:0]               store_error_cause,
    output wire [23:0]              store_error_index,

    // Read ports of load and store engine, see axi_read
    output wire [1:0]               rd_cmd_valid,
    input  wire [1:0]               rd_cmd_ready,
    output wire [2*32-1:0]          rd_cmd_addr,
    output wire [2*16-1:0]          rd_cmd_beats,
    input  wire [1:0]               rd_valid,
    output wire [1:0]               rd_ready,
    // (a wide beat; or B bytes, as always for the load engine, and for the store engine with rd_half)
    input  wire [2*WIDE*8*B-1:0]    rd_data,
    // The load engine's next beat is there too, in the high bits; it is taken with this one
    input  wire                     rd_pair,
    output wire                     rd_both,
    output wire                     rd_half,
    input  wire [1:0]               rd_last,
    input  wire [2*2-1:0]           rd_error,

    // Write port of the store engine, see axi_write
    output wire                     wr_cmd_valid,
    input  wire                     wr_cmd_ready,
    output wire [31:0]              wr_cmd_addr,
    output wire [15:0]              wr_cmd_beats,
    output wire                     wr_half,
    output wire                     wr_valid,
    input  wire                     wr_ready,
    output wire [WIDE*8*B-1:0]      wr_data,
    input  wire                     wr_done,
    input  wire [1:0]               wr_error,

    // For the counters: PEs that issue an entry, PEs in which an entry waits
    output wire [P-1:0]             busy_pes,
    output wire [P-1:0]             stall_pes,
    // For the counters: values clipped in this clock, of outputs, masters, momenta and MAC weights
    output wire [$clog2(B+1)-1:0]   clipped_outputs,
    output wire [UW-1:0]            clipped_masters,
    output wire [UW-1:0]            clipped_momenta,
    output wire [UW-1:0]            clipped_weights
);

localparam XAW = $clog2(X_DEPTH);
localparam YAW = $clog2(Y_DEPTH);
localparam WAW = $clog2(W_DEPTH);
localparam EAW = $clog2(E_DEPTH);
localparam SW = P > 1 ? $clog2(P) : 1;
localparam GW = P > 1 ? $clog2($clog2(P) + 1) : 1;
localparam DW = 8*B;

// Load engine to grid: windows, maps, streams
wire           window_valid;
wire [SW-1:0]  window_pe;
wire [2:0]     window_select;
wire [23:0]    window_data;
wire           map_cmd_valid, map_cmd_ready, map_cmd_error;
wire [`ARRAY_MAP_CMD_BITS-1:0] map_cmd;
wire           map_done, map_idle, map_valid, map_ready, map_pair, map_both;
wire [WIDE*DW-1:0] map_data;
wire           stream_valid, streamed;
wire [1:0]     stream_select;
wire [P-1:0]   stream_pes;
wire [11:0]    stream_addr;
wire           stream_pair;
wire [WIDE*DW-1:0] stream_data;

// Compute engine to grid
wire           set_valid, set_ready;
wire [P-1:0]   set_pes;
wire [2:0]     set_field;
wire [11:0]    set_value;
wire           cmd_valid, cmd_ready, cmd_swap;
wire [1:0]     cmd_op;
wire [EAW-1:0] cmd_ebase;
wire [WAW-1:0] cmd_wbase;
wire [6:0]     cmd_wstride;
wire [XAW-1:0] cmd_xbase;
wire [YAW-1:0] cmd_ybase, cmd_rbase;
wire           grid_done, grid_idle;
wire [GW-1:0]  tiles_log2;

// Grid to store engine
wire             drain_cmd_valid, drain_cmd_ready, drain_cmd_error, drain_idle;
wire [`ARRAY_DRAIN_CMD_BITS-1:0] drain_cmd;
wire             drain_valid, drain_ready, drain_last;
wire [B*ACC-1:0] drain_data;
wire [P-1:0]     grad_valid, grad_ready, grad_empty;
wire [P*32-1:0]  grad_data;

load_engine #(
    .P(P),
    .B(B),
    .STAGES(STAGES),
    .DEPTH(LOAD_DEPTH),
    .WIDE(WIDE)
) loader (
    .clk(clk),
    .rst(rst),
    .d_valid(d_valid[0]),
    .d_ready(d_ready[0]),
    .d_data(d_data[0 +: 256]),
    .d_index(d_index[0 +: 24]),
    .done(done[0]),
    .idle(idle[0]),
    .error(load_error),
    .error_cause(load_error_cause),
    .error_index(load_error_index),
    .rd_cmd_valid(rd_cmd_valid[0]),
    .rd_cmd_ready(rd_cmd_ready[0]),
    .rd_cmd_addr(rd_cmd_addr[0 +: 32]),
    .rd_cmd_beats(rd_cmd_beats[0 +: 16]),
    .rd_valid(rd_valid[0]),
    .rd_ready(rd_ready[0]),
    .rd_data(rd_data[0 +: WIDE*DW]),
    .rd_pair(rd_pair),
    .rd_both(rd_both),
    .rd_last(rd_last[0]),
    .rd_error(rd_error[0 +: 2]),
    .window_valid(window_valid),
    .window_pe(window_pe),
    .window_select(window_select),
    .window_data(window_data),
    .map_cmd_valid(map_cmd_valid),
    .map_cmd_ready(map_cmd_ready),
    .map_cmd(map_cmd),
    .map_done(map_done),
    .map_idle(map_idle),
    .map_valid(map_valid),
    .map_ready(map_ready),
    .map_pair(map_pair),
    .map_both(map_both),
    .map_data(map_data),
    .stream_valid(stream_valid),
    .stream_select(stream_select),
    .stream_pes(stream_pes),
    .stream_addr(stream_addr),
    .stream_pair(stream_pair),
    .stream_data(stream_data),
    .streamed(streamed)
);

compute_engine #(
    .P(P),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH)
) computer (
    .clk(clk),
    .rst(rst),
    .d_valid(d_valid[1]),
    .d_ready(d_ready[1]),
    .d_data(d_data[256 +: 256]),
    .d_index(d_index[24 +: 24]),
    .done(done[1]),
    .idle(idle[1]),
    .error(compute_error),
    .error_cause(compute_error_cause),
    .error_index(compute_error_index),
    .set_valid(set_valid),
    .set_ready(set_ready),
    .set_pes(set_pes),
    .set_field(set_field),
    .set_value(set_value),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd_op(cmd_op),
    .cmd_swap(cmd_swap),
    .cmd_ebase(cmd_ebase),
    .cmd_wbase(cmd_wbase),
    .cmd_wstride(cmd_wstride),
    .cmd_xbase(cmd_xbase),
    .cmd_ybase(cmd_ybase),
    .cmd_rbase(cmd_rbase),
    .grid_done(grid_done),
    .grid_idle(grid_idle),
    .tiles_log2(tiles_log2),
    .grad_empty(grad_empty)
);

store_engine #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .FRAC(FRAC),
    .SOFTMAX(SOFTMAX),
    .DATA(DATA),
    .MASTER(MASTER),
    .SCALE(SCALE),
    .WIDE(WIDE)
) storer (
    .clk(clk),
    .rst(rst),
    .seed_load(seed_load),
    .seed(seed),
    .d_valid(d_valid[2]),
    .d_ready(d_ready[2]),
    .d_data(d_data[256*2 +: 256]),
    .d_index(d_index[24*2 +: 24]),
    .done(done[2]),
    .idle(idle[2]),
    .error(store_error),
    .error_cause(store_error_cause),
    .error_index(store_error_index),
    .clipped_outputs(clipped_outputs),
    .clipped_masters(clipped_masters),
    .clipped_momenta(clipped_momenta),
    .clipped_weights(clipped_weights),
    .drain_cmd_valid(drain_cmd_valid),
    .drain_cmd_ready(drain_cmd_ready),
    .drain_cmd(drain_cmd),
    .drain_cmd_error(drain_cmd_error),
    .drain_valid(drain_valid),
    .drain_ready(drain_ready),
    .drain_data(drain_data),
    .drain_last(drain_last),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data),
    .rd_cmd_valid(rd_cmd_valid[1]),
    .rd_cmd_ready(rd_cmd_ready[1]),
    .rd_cmd_addr(rd_cmd_addr[32 +: 32]),
    .rd_cmd_beats(rd_cmd_beats[16 +: 16]),
    .rd_valid(rd_valid[1]),
    .rd_ready(rd_ready[1]),
    .rd_half(rd_half),
    .rd_data(rd_data[WIDE*DW +: WIDE*DW]),
    .rd_last(rd_last[1]),
    .rd_error(rd_error[2 +: 2]),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_cmd_beats),
    .wr_half(wr_half),
    .wr_valid(wr_valid),
    .wr_ready(wr_ready),
    .wr_data(wr_data),
    .wr_done(wr_done),
    .wr_error(wr_error)
);

pe_grid #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .WIDE(WIDE),
    .STAGES(STAGES),
    .MAP_DEPTH(MAP_DEPTH),
    .GRAD_DEPTH(GRAD_DEPTH)
) grid (
    .clk(clk),
    .rst(rst),
    .window_valid(window_valid),
    .window_pe(window_pe),
    .window_select(window_select),
    .window_data(window_data),
    .map_cmd_valid(map_cmd_valid),
    .map_cmd_ready(map_cmd_ready),
    .map_cmd(map_cmd),
    .map_cmd_error(map_cmd_error),
    .map_done(map_done),
    .map_idle(map_idle),
    .map_valid(map_valid),
    .map_ready(map_ready),
    .map_pair(map_pair),
    .map_both(map_both),
    .map_data(map_data),
    .stream_valid(stream_valid),
    .stream_select(stream_select),
    .stream_pes(stream_pes),
    .stream_addr(stream_addr),
    .stream_pair(stream_pair),
    .stream_data(stream_data),
    .streamed(streamed),
    .set_valid(set_valid),
    .set_ready(set_ready),
    .set_pes(set_pes),
    .set_field(set_field),
    .set_value(set_value),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd_op(cmd_op),
    .cmd_swap(cmd_swap),
    .cmd_ebase(cmd_ebase),
    .cmd_wbase(cmd_wbase),
    .cmd_wstride(cmd_wstride),
    .cmd_xbase(cmd_xbase),
    .cmd_ybase(cmd_ybase),
    .cmd_rbase(cmd_rbase),
    .done(grid_done),
    .idle(grid_idle),
    .drain_cmd_valid(drain_cmd_valid),
    .drain_cmd_ready(drain_cmd_ready),
    .drain_cmd(drain_cmd),
    .drain_cmd_error(drain_cmd_error),
    .drain_idle(drain_idle),
    .drain_valid(drain_valid),
    .drain_ready(drain_ready),
    .drain_data(drain_data),
    .drain_last(drain_last),
    .tiles_log2(tiles_log2),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data),
    .grad_empty(grad_empty),
    .busy_pes(busy_pes),
    .stall_pes(stall_pes)
);

wire unused = &{1'b0, map_cmd_error, drain_idle};

endmodule
`resetall
