// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "edge_spans.vh"
/*
 * Ring buffer of BP sums: written per memory at interleaved addresses, read in natural order
 *
 * The junction that computes the sums of its left layer writes Z of them per clock, one into each memory;
 * the junction to its left reads P of them per clock, neuron after neuron. Each side opens its pass with
 * `*_start` (and `*_token` if the pass carries a sample); the written slot belongs to the pass that was
 * current WR_DELAY clocks before.
 *
 * Latency: 2 clocks from `rd_en` to `rd_sum`. A written sum can be read from the next clock on.
 */
module delta_bank #(
    // Memories (z of the writing junction)
    parameter Z = 8,
    // Words per memory and slot
    parameter D = 4,
    // Sums read per clock, divides Z
    parameter P = 2,
    // Width of a sum in bits
    parameter WIDTH = 26,
    // Frames held, at least 2
    parameter SLOTS = 3,
    // Clocks from the first edge of a pass entering the writing junction to its first sum here
    parameter WR_DELAY = `EDGE_SPAN_SUM_TO_DELTA,
    // Width of an address in a slot (derived)
    parameter AW = D > 1 ? $clog2(D) : 1
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               wr_start,
    input  wire               wr_token,
    input  wire               wr_valid,
    input  wire [Z*AW-1:0]    wr_addr,
    input  wire [Z*WIDTH-1:0] wr_sum,

    input  wire               rd_start,
    input  wire               rd_token,
    input  wire               rd_en,     // read the current P sums
    input  wire               rd_step,   // go to the next P sums after this clock
    output wire [P*WIDTH-1:0] rd_sum
);

`REQUIRE(g_slots, SLOTS >= 2, ("%m: SLOTS = %0d must be at least 2", SLOTS))
`REQUIRE(g_p, Z % P == 0, ("%m: P = %0d must divide Z = %0d", P, Z))

localparam SW = SLOTS > 1 ? $clog2(SLOTS) : 1;
localparam COLS = Z / P;
localparam CW = COLS > 1 ? $clog2(COLS) : 1;

wire [SW-1:0] wr_pass_slot;
wire [SW-1:0] wr_slot;
wire [SW-1:0] rd_slot;

slot_counter #(
    .SLOTS(SLOTS)
) wr_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(wr_start),
    .token(wr_token),
    .slot(wr_pass_slot)
);

delay_line #(
    .WIDTH(SW),
    .DEPTH(WR_DELAY)
) wr_slot_delay (
    .clk(clk),
    .rst(rst),
    .d(wr_pass_slot),
    .q(wr_slot)
);

slot_counter #(
    .SLOTS(SLOTS)
) rd_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(rd_start),
    .token(rd_token),
    .slot(rd_slot)
);

reg  [AW-1:0] rd_row_reg;
reg  [CW-1:0] rd_col_reg;
reg  [CW-1:0] rd_col_d_reg;
wire          rd_col_last = {{32-CW{1'b0}}, rd_col_reg} == COLS-1;

always @(posedge clk) begin
    rd_col_d_reg <= rd_col_reg;
    if (rd_step) begin
        rd_col_reg <= rd_col_last ? {CW{1'b0}} : rd_col_reg + 1'b1;
        if (rd_col_last) begin
            rd_row_reg <= rd_row_reg + 1'b1;
        end
    end
    if (rst || rd_start) begin
        rd_row_reg <= {AW{1'b0}};
        rd_col_reg <= {CW{1'b0}};
    end
end

wire [Z*WIDTH-1:0] rd_all;

genvar m;

generate
    for (m = 0; m < Z; m = m + 1) begin : g_mem
        ram_sdp #(
            .WIDTH(WIDTH),
            .DEPTH(SLOTS << AW)
        ) ram (
            .clk(clk),
            .we(wr_valid),
            .waddr({wr_slot, wr_addr[m*AW +: AW]}),
            .wdata(wr_sum[m*WIDTH +: WIDTH]),
            .re(rd_en),
            .raddr({rd_slot, rd_row_reg}),
            .rdata(rd_all[m*WIDTH +: WIDTH])
        );
    end
endgenerate

reg [P*WIDTH-1:0] rd_sum_reg;

always @(posedge clk) begin
    rd_sum_reg <= rd_all[rd_col_d_reg*P*WIDTH +: P*WIDTH];
end

assign rd_sum = rd_sum_reg;

endmodule
`resetall
