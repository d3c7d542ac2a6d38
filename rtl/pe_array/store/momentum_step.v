// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * What a gradient makes of a momentum: v - hu(v, m) + g, clipped to 32 bits
 *
 * weight_update_lane has two behind each other: the first makes the new momentum, the second, with it and the same
 * gradient, Nesterov's step.
 *
 * Latency: 2 clocks, one per enable; no handshake of its own.
 */
module momentum_step #(
    // What comes out where the step is not made: 0 the gradient, 1 the momentum
    parameter KEEPS = 0
) (
    input  wire        clk,
    // Loads of the two stages
    input  wire [1:0]  enable,

    // Stage 0: gradient g and momentum v, signed
    input  wire [31:0] gradient,
    input  wire [31:0] momentum,
    // Stage 0: shift m of the decay, 0 ... 15
    input  wire [3:0]  decay,
    // Stage 1: the step is made
    input  wire        made,

    // Signed result, and whether it was clipped
    output wire [31:0] result,
    output wire        clipped,
    // What came in, 2 clocks later
    output wire [31:0] late_gradient,
    output wire [31:0] late_momentum
);

`REQUIRE(g_keeps, KEEPS == 0 || KEEPS == 1, ("%m: KEEPS = %0d must be 0 or 1", KEEPS))

// Stage 0: half a bit is kept below the decay's point
wire signed [32:0] extended = {momentum, 1'b0};
wire        [32:0] decayed = extended >>> decay;

reg [31:0] gradient_s0_reg;
reg [31:0] momentum_s0_reg;
reg [31:0] loss_reg;

always @(posedge clk) begin
    if (enable[0]) begin
        gradient_s0_reg <= gradient;
        momentum_s0_reg <= momentum;
        loss_reg <= decayed[32:1] + {31'd0, decayed[0]};
    end
end

// Stage 1: v - hu(v, m) is no larger than v
wire [31:0] rest = momentum_s0_reg - loss_reg;
wire [32:0] sum = {rest[31], rest} + {gradient_s0_reg[31], gradient_s0_reg};
wire        too_large = made && sum[32] != sum[31];
wire [31:0] kept = KEEPS != 0 ? momentum_s0_reg : gradient_s0_reg;

reg [31:0] gradient_s1_reg;
reg [31:0] momentum_s1_reg;
reg [31:0] result_reg;
reg        clipped_reg;

always @(posedge clk) begin
    if (enable[1]) begin
        gradient_s1_reg <= gradient_s0_reg;
        momentum_s1_reg <= momentum_s0_reg;
        result_reg <= too_large ? {sum[32], {31{!sum[32]}}} : made ? sum[31:0] : kept;
        clipped_reg <= too_large;
    end
end

assign result = result_reg;
assign clipped = clipped_reg;
assign late_gradient = gradient_s1_reg;
assign late_momentum = momentum_s1_reg;

endmodule
`resetall
