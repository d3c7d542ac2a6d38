// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Delay line
 *
 * Latency: q is d of DEPTH clocks ago; DEPTH = 0 is a wire.
 */
module delay_line #(
    // Bits
    parameter WIDTH = 1,
    // Clocks, at least 0
    parameter DEPTH = 1,
    // 1: rst clears all registers; 0: rst is ignored
    parameter RESET = 0
) (
    input  wire             clk,
    // Synchronous, active high
    input  wire             rst,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);

`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 0, ("%m: DEPTH = %0d must be at least 0", DEPTH))
`REQUIRE(g_reset, RESET == 0 || RESET == 1, ("%m: RESET = %0d must be 0 or 1", RESET))

// A legal stand-in where DEPTH is not, so that every simulator gets as far as the message
localparam STAGES = DEPTH > 0 ? DEPTH : 0;

genvar i;

generate
    for (i = 0; i <= STAGES; i = i + 1) begin : g_stage
        wire [WIDTH-1:0] value;
        if (i == 0) begin : g_input
            assign value = d;
        end else begin : g_register
            reg [WIDTH-1:0] value_reg;
            if (RESET != 0) begin : g_reset_to_zero
                always @(posedge clk) begin
                    if (rst) value_reg <= {WIDTH{1'b0}};
                    else value_reg <= g_stage[i-1].value;
                end
            end else begin : g_free
                always @(posedge clk) value_reg <= g_stage[i-1].value;
            end
            assign value = value_reg;
        end
    end
    if (STAGES == 0) begin : g_no_clock
        wire unused_clk = clk;
    end
    if (STAGES == 0 || RESET == 0) begin : g_no_reset
        wire unused_rst = rst;
    end
endgenerate

assign q = g_stage[STAGES].value;

endmodule
`resetall
