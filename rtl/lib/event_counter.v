// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Event counter
 *
 * Adds up to 2^STEP_WIDTH-1 events per clock and wraps. rst or clear sets it to 0 and wins over step.
 * Latency: 1 clock.
 */
module event_counter #(
    // Bits of the count
    parameter WIDTH = 32,
    // Bits of the step, at most WIDTH
    parameter STEP_WIDTH = 1
) (
    input  wire                  clk,
    // Synchronous, active high
    input  wire                  rst,
    // Back to 0
    input  wire                  clear,
    // Events of this clock
    input  wire [STEP_WIDTH-1:0] step,
    // Events so far, modulo 2^WIDTH
    output wire [WIDTH-1:0]      count
);

`REQUIRE(g_step_width, STEP_WIDTH >= 1, ("%m: STEP_WIDTH = %0d must be at least 1", STEP_WIDTH))
`REQUIRE(g_width, WIDTH >= STEP_WIDTH,
         ("%m: WIDTH = %0d must be at least STEP_WIDTH = %0d", WIDTH, STEP_WIDTH))

reg  [WIDTH-1:0] count_reg;
wire [WIDTH-1:0] step_extended;

generate
    if (WIDTH > STEP_WIDTH) begin : g_extend
        assign step_extended = {{(WIDTH-STEP_WIDTH){1'b0}}, step};
    end else begin : g_same
        assign step_extended = step;
    end
endgenerate

always @(posedge clk) begin
    if (rst || clear) count_reg <= {WIDTH{1'b0}};
    else count_reg <= count_reg + step_extended;
end

assign count = count_reg;

endmodule
`resetall
