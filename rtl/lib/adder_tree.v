// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Pipelined adder tree
 *
 * Exact sum of N signed lanes. Every level adds pairs and one bit; an odd lane passes through.
 * Registers stand after level FIRST, after every REG_EVERY-th level behind it, and after the last one. No reset. Where
 * the lanes are registered products, FIRST = 1 lets the DSP slices that make them do the first level too.
 *
 * Latency: 1 + ceil((L - FIRST) / REG_EVERY) clocks with L = clog2(N) levels, 1 if L < FIRST, one sum per clock; with
 * N = 1 it is a wire.
 */
module adder_tree #(
    // Lanes to add, at least 1, any number
    parameter N = 8,
    // Bits of a signed lane
    parameter WIDTH = 24,
    // Adder levels between registers, at least 1
    parameter REG_EVERY = 2,
    // Adder levels before the first register, at least 1
    parameter FIRST = REG_EVERY
) (
    input  wire                       clk,
    // Lanes, lane 0 in the low bits
    input  wire [N*WIDTH-1:0]         x,
    // Signed sum
    output wire [WIDTH+$clog2(N)-1:0] sum
);

`REQUIRE(g_n, N >= 1, ("%m: N = %0d must be at least 1", N))
`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_reg_every, REG_EVERY >= 1, ("%m: REG_EVERY = %0d must be at least 1", REG_EVERY))
`REQUIRE(g_first, FIRST >= 1, ("%m: FIRST = %0d must be at least 1", FIRST))

localparam LEVELS = $clog2(N);
// A legal stand-in where WIDTH is not, so that every simulator gets as far as the message
localparam LANE = WIDTH > 0 ? WIDTH : 1;

genvar level, k;

generate
    for (level = 0; level <= LEVELS; level = level + 1) begin : g_level
        for (k = 0; k == 0 || k << level < N; k = k + 1) begin : g_node
            wire signed [LANE+level-1:0] value;
            if (level == 0) begin : g_lane
                assign value = x[k*LANE +: LANE];
            end else begin : g_add
                wire signed [LANE+level-1:0] added;
                if ((2*k + 1) << (level - 1) < N) begin : g_pair
                    assign added = g_level[level-1].g_node[2*k].value + g_level[level-1].g_node[2*k+1].value;
                end else begin : g_single
                    wire signed [LANE+level-2:0] single = g_level[level-1].g_node[2*k].value;
                    assign added = {single[LANE+level-2], single};
                end
                if ((level >= FIRST && (level - FIRST) % REG_EVERY == 0) || level == LEVELS) begin : g_register
                    reg [LANE+level-1:0] value_reg;
                    always @(posedge clk) value_reg <= added;
                    assign value = value_reg;
                end else begin : g_wire
                    assign value = added;
                end
            end
        end
    end
    if (N <= 1) begin : g_no_clock
        wire unused_clk = clk;
    end
endgenerate

assign sum = g_level[LEVELS].g_node[0].value;

endmodule
`resetall
