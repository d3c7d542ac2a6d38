// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Gradients of a processing element: the lanes have sums of products, here these are added up over lanes and queued
 *
 * Time is that of the lanes (mac_lane): `d0_first` comes in d0, the lanes' products in d3.
 *
 * Latency: a gradient is at the port 3 + TREE_CLOCKS clocks after its `d3_last`, if none is before it.
 *
 * No ready towards the lanes: whoever issues keeps room for DEPTH gradients.
 */
module pe_gradients #(
    // Lanes: a power of two, 4 ... 64
    parameter B = 32,
    // Gradients that can wait
    parameter DEPTH = 16
) (
    input  wire            clk,
    input  wire            rst,           // drops all gradients

    input  wire [B*16-1:0] products,      // d3: signed, one per lane
    input  wire            d0_first,      // a sum begins
    input  wire            d3_last,       // it ends

    output wire            grad_valid,
    input  wire            grad_ready,
    output wire [31:0]     grad_data      // signed
);

// Trees of 1, 4 or 16 lanes, two levels of adders per clock, and the last one or two levels with the accumulator
localparam TREES = $clog2(B) % 2 == 1 ? 2 : 4;
localparam LANES = B / TREES;
localparam TREE_CLOCKS = $clog2(LANES) / 2;
localparam PART = 16 + $clog2(LANES);

wire [TREES*PART-1:0] parts;
wire                  parts_first;
wire                  parts_gradient;
reg  [31:0]           gradient_reg;
reg                   gradient_valid_reg;
wire                  unused_last, unused_done;

genvar n;
generate
    for (n = 0; n < TREES; n = n + 1) begin : g_tree
        adder_tree #(
            .N(LANES),
            .WIDTH(16),
            .REG_EVERY(2)
        ) tree (
            .clk(clk),
            .x(products[n*LANES*16 +: LANES*16]),
            .sum(parts[n*PART +: PART])
        );
    end
endgenerate

delay_line #(
    .WIDTH(1),
    .DEPTH(TREE_CLOCKS + 3)
) first_line (
    .clk(clk),
    .rst(1'b0),
    .d(d0_first),
    .q(parts_first)
);

delay_line #(
    .WIDTH(1),
    .DEPTH(TREE_CLOCKS),
    .RESET(1)
) gradient_line (
    .clk(clk),
    .rst(rst),
    .d(d3_last),
    .q(parts_gradient)
);

reg [PART+1:0] parts_sum;
integer        k;

always @* begin
    parts_sum = {(PART+2){1'b0}};
    for (k = 0; k < TREES; k = k + 1) parts_sum = parts_sum + {{2{parts[k*PART + PART-1]}}, parts[k*PART +: PART]};
end

always @(posedge clk) begin
    gradient_reg <= (parts_first ? 32'd0 : gradient_reg) + {{(30-PART){parts_sum[PART+1]}}, parts_sum};
    gradient_valid_reg <= parts_gradient;
    if (rst) gradient_valid_reg <= 1'b0;
end

frame_fifo #(
    .WIDTH(32),
    .DEPTH(DEPTH)
) gradient_queue (
    .clk(clk),
    .rst(rst),
    .flush(1'b0),
    .s_valid(gradient_valid_reg),
    .s_data(gradient_reg),
    .s_last(1'b1),
    .m_valid(grad_valid),
    .m_ready(grad_ready),
    .m_data(grad_data),
    .m_last(unused_last),
    .frame_done(unused_done)
);

endmodule
`resetall
