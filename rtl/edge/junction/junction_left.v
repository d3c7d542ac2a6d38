// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "edge_spans.vh"
/*
 * Left layer of a junction: its activations, on the lanes of the edges that need them
 *
 * Holds the frames of left activations (activation_bank) and tells which of them a row of edges meets (interleaver).
 * FF and UP of a row read them at different times and from different frames: FF from that of the sample that enters
 * the junction, UP from that of the sample that leaves it.
 *
 * Latency: from the row (s0): addresses, permutation and activations of UP 6 clocks, activations of FF 7 clocks.
 * A row per clock, no handshake.
 */
module junction_left #(
    // Left memories and lanes (z)
    parameter Z = 8,
    // Words in a left memory, clocks per sweep
    parameter D = 4,
    // Sweeps per pass
    parameter FAN_OUT = 2,
    // One seed vector per sweep
    parameter SWEEP_SEEDS = 1,
    // One permutation of memories onto lanes per sweep
    parameter DITHER = 0,
    // Left activations written per clock
    parameter P_IN = 2,
    // Width of an activation in bits
    parameter WIDTH = 12,
    // Frames of left activations held for FF, and until they are copied for UP (see activation_bank)
    parameter FF_SLOTS = 3,
    parameter SLOTS = 8,
    // Width of a left address (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of a sweep number (derived)
    parameter FW = FAN_OUT > 1 ? $clog2(FAN_OUT) : 1,
    // Width of a memory number (derived)
    parameter ZW = Z > 1 ? $clog2(Z) : 1
) (
    input  wire                  clk,
    input  wire                  rst,

    // Passes: pulse before the first row, with the tokens of FF and UP, and that of UP in the pass after it
    input  wire                  pass_start,
    input  wire                  ff_token,
    input  wire                  up_token,
    input  wire                  copy_token,

    // Rows: at s2 the sweep and the clock in it, later whether FF and UP work on the row
    input  wire                  row_s2,
    input  wire [FW-1:0]         sweep_s2,
    input  wire [AW-1:0]         t_s2,
    input  wire                  up_s4,
    input  wire                  ff_s5,

    // Activations in (see activation_bank)
    input  wire                  wr_valid,
    input  wire [P_IN*WIDTH-1:0] wr_act,
    input  wire                  wr_commit,
    input  wire                  wr_abort,

    // Left address of each memory, and memory that feeds each lane
    output wire [Z*AW-1:0]       addr_s6,
    output wire [Z*ZW-1:0]       perm_s6,
    // Activations on their lanes
    output wire [Z*WIDTH-1:0]    up_act_s6,
    output wire [Z*WIDTH-1:0]    ff_act_s7,

    // Seeds and permutations at run time (see interleaver)
    input  wire                  cfg_seeds,
    input  wire                  cfg_perms,
    input  wire                  cfg_shift,
    input  wire [31:0]           cfg_word,
    input  wire                  cfg_write,
    input  wire                  cfg_read,
    input  wire [15:0]           cfg_addr,
    output wire [31:0]           cfg_out
);

localparam SW = FF_SLOTS > 1 ? $clog2(FF_SLOTS) : 1;

// --- addresses ---

wire [Z*AW-1:0] addr_s4;
wire [Z*ZW-1:0] perm_s4;
wire [Z*AW-1:0] addr_s5;
wire [Z*ZW-1:0] perm_s5;

interleaver #(
    .Z(Z),
    .D(D),
    .FAN_OUT(FAN_OUT),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER)
) addresses (
    .clk(clk),
    .en(row_s2),
    .sweep(sweep_s2),
    .t(t_s2),
    .addr(addr_s4),
    .perm(perm_s4),
    .cfg_seeds(cfg_seeds),
    .cfg_perms(cfg_perms),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_out)
);

delay_line #(
    .WIDTH(Z*AW + Z*ZW),
    .DEPTH(1)
) delay_s5 (
    .clk(clk),
    .rst(rst),
    .d({addr_s4, perm_s4}),
    .q({addr_s5, perm_s5})
);

delay_line #(
    .WIDTH(Z*AW + Z*ZW),
    .DEPTH(1)
) delay_s6 (
    .clk(clk),
    .rst(rst),
    .d({addr_s5, perm_s5}),
    .q({addr_s6, perm_s6})
);

// --- frames of the pass ---

wire          up_slot;
wire          up_slot_s4;
wire [SW-1:0] ff_slot;
wire [SW-1:0] ff_slot_s5;

slot_counter #(
    .SLOTS(2)
) up_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(pass_start),
    .token(up_token),
    .slot(up_slot)
);

slot_counter #(
    .SLOTS(FF_SLOTS)
) ff_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(pass_start),
    .token(ff_token),
    .slot(ff_slot)
);

delay_line #(
    .WIDTH(1),
    .DEPTH(4)
) up_slot_delay (
    .clk(clk),
    .rst(rst),
    .d(up_slot),
    .q(up_slot_s4)
);

delay_line #(
    .WIDTH(SW),
    .DEPTH(5)
) ff_slot_delay (
    .clk(clk),
    .rst(rst),
    .d(ff_slot),
    .q(ff_slot_s5)
);

// --- activations ---

wire [Z*WIDTH-1:0] up_act_s5;
wire [Z*WIDTH-1:0] ff_act_s6;

activation_bank #(
    .Z(Z),
    .D(D),
    .P_IN(P_IN),
    .WIDTH(WIDTH),
    .FF_SLOTS(FF_SLOTS),
    .SLOTS(SLOTS),
    .COPY_DELAY(`EDGE_SPAN_COPY)
) bank (
    .clk(clk),
    .rst(rst),
    .wr_valid(wr_valid),
    .wr_data(wr_act),
    .wr_commit(wr_commit),
    .wr_abort(wr_abort),
    .ff_en(ff_s5),
    .ff_slot(ff_slot_s5),
    .ff_addr(addr_s5),
    .ff_data(ff_act_s6),
    .copy_start(pass_start),
    .copy_token(copy_token),
    .up_en(up_s4),
    .up_slot(up_slot_s4),
    .up_addr(addr_s4),
    .up_data(up_act_s5)
);

permute #(
    .LANES(Z),
    .WIDTH(WIDTH),
    .SCATTER(0),
    .ENABLE(DITHER)
) up_lanes (
    .clk(clk),
    .perm(perm_s5),
    .x(up_act_s5),
    .y(up_act_s6)
);

permute #(
    .LANES(Z),
    .WIDTH(WIDTH),
    .SCATTER(0),
    .ENABLE(DITHER)
) ff_lanes (
    .clk(clk),
    .perm(perm_s6),
    .x(ff_act_s6),
    .y(ff_act_s7)
);

endmodule
`resetall
