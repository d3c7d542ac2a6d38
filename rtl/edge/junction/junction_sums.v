// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "edge_spans.vh"
/*
 * BP sums of a junction's left layer: made, and kept until the junction to the left asks for them
 *
 * bp_unit adds up the products of a pass, delta_bank holds the sums of the last SLOTS passes that carried a sample.
 *
 * Latency: 3 clocks from the row (s9) to its sums in the bank; 2 clocks from rd_en to rd_sum. A row per clock, no
 * handshake.
 */
module junction_sums #(
    // Edges per clock, left memories (z)
    parameter Z = 8,
    // Words in a left memory, clocks per sweep
    parameter D = 4,
    // Sweeps per pass
    parameter FAN_OUT = 2,
    // Right neurons per clock
    parameter P = 2,
    // Sums read per clock
    parameter P_RD = 2,
    // Width of weights and deltas in bits, signed
    parameter WIDTH = 12,
    // One permutation of memories onto lanes per sweep
    parameter DITHER = 0,
    // Frames of sums held
    parameter SLOTS = 3,
    // Width of a left address (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of a memory number (derived)
    parameter ZW = Z > 1 ? $clog2(Z) : 1,
    // Width of a sum in bits, signed (derived)
    parameter SUM = 2 * WIDTH + $clog2(FAN_OUT)
) (
    input  wire                clk,
    input  wire                rst,

    // Passes: pulse before the first row, with the token of BP
    input  wire                pass_start,
    input  wire                up_token,

    // Rows (see bp_unit)
    input  wire                up_s9,
    input  wire                sweep_first_s9,
    input  wire                sweep_last_s9,
    input  wire [Z*WIDTH-1:0]  w_s9,
    input  wire [P*WIDTH-1:0]  delta_s9,
    // Left address of each memory, and memory that feeds each lane
    input  wire [Z*AW-1:0]     addr_s7,
    input  wire [Z*ZW-1:0]     perm_s8,

    // Sums of the left layer, in natural order (see delta_bank)
    input  wire                rd_start,
    input  wire                rd_token,
    input  wire                rd_en,
    input  wire                rd_step,
    output wire [P_RD*SUM-1:0] rd_sum
);

wire             sum_valid;
wire [Z*AW-1:0]  sum_addr;
wire [Z*SUM-1:0] sum;
wire [Z*AW-1:0]  addr_s10;
wire [Z*ZW-1:0]  perm_s10;

delay_line #(
    .WIDTH(Z*AW),
    .DEPTH(3)
) addr_delay (
    .clk(clk),
    .rst(rst),
    .d(addr_s7),
    .q(addr_s10)
);

delay_line #(
    .WIDTH(Z*ZW),
    .DEPTH(2)
) perm_delay (
    .clk(clk),
    .rst(rst),
    .d(perm_s8),
    .q(perm_s10)
);

bp_unit #(
    .Z(Z),
    .D(D),
    .FAN_OUT(FAN_OUT),
    .P(P),
    .WIDTH(WIDTH),
    .DITHER(DITHER)
) bp (
    .clk(clk),
    .rst(rst),
    .valid(up_s9),
    .sweep_first(sweep_first_s9),
    .sweep_last(sweep_last_s9),
    .w(w_s9),
    .delta(delta_s9),
    .addr(addr_s10),
    .perm(perm_s10),
    .out_valid(sum_valid),
    .out_addr(sum_addr),
    .out_sum(sum)
);

delta_bank #(
    .Z(Z),
    .D(D),
    .P(P_RD),
    .WIDTH(SUM),
    .SLOTS(SLOTS),
    .WR_DELAY(`EDGE_SPAN_SUM_TO_DELTA)
) sums (
    .clk(clk),
    .rst(rst),
    .wr_start(pass_start),
    .wr_token(up_token),
    .wr_valid(sum_valid),
    .wr_addr(sum_addr),
    .wr_sum(sum),
    .rd_start(rd_start),
    .rd_token(rd_token),
    .rd_en(rd_en),
    .rd_step(rd_step),
    .rd_sum(rd_sum)
);

endmodule
`resetall
