// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * 16-bit Galois LFSR of period 65535
 *
 * x' = (x >> 1) ^ (x[0] ? 16'hB400 : 0). load wins over step. The all-zero state, from which it would
 * never leave, cannot be loaded: seed 0 loads 1. No reset: load it before use.
 * Latency: 1 clock from load or step to the state.
 */
module lfsr16 (
    input  wire        clk,
    // Load the seed
    input  wire        load,
    input  wire [15:0] seed,
    // Go to the next state
    input  wire        step,
    // Present state
    output wire [15:0] state
);

localparam [15:0] TAPS = 16'hB400;

reg [15:0] state_reg;

always @(posedge clk) begin
    if (load) state_reg <= seed == 16'd0 ? 16'd1 : seed;
    else if (step) state_reg <= {1'b0, state_reg[15:1]} ^ (state_reg[0] ? TAPS : 16'd0);
end

assign state = state_reg;

endmodule
`resetall
