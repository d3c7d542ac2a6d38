// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * LFSR of a lane, 16 bits of period 65535, that is loaded bit by bit
 *
 * It steps as lfsr16 does. A lane has a key of its own, and the seed is the same for all: the register is set to the
 * key, then turns by 16 bits while the seed comes in, its lowest bit first. So no bit needs logic to be loaded but the
 * one that the seed is added to. A state of 0, from which it would never leave, becomes 1.
 *
 * Latency: 1 clock from `step` to the state; from `load` it is 18 clocks: `turn` in the next 16, then `settle`.
 */
module lane_lfsr #(
    // Key of the lane
    parameter [15:0] KEY = 16'd40503
) (
    input  wire        clk,
    // Set the register to the key
    input  wire        load,
    // Turn by a bit, which the seed is added to
    input  wire        turn,
    input  wire        seed_bit,
    // 1 from load on: the key counts and the register may step; 0: the seed alone is the state
    input  wire        keyed,
    // Make 1 of 0
    input  wire        settle,
    // Go to the next state
    input  wire        step,
    // Present state
    output wire [15:0] state
);

reg  [15:0] state_reg;
reg         found_reg;  // a 1 has been loaded
wire        low = state_reg[0] && keyed;
wire        top = low ^ (seed_bit && turn);
wire        tap = low && step;

always @(posedge clk) begin
    if (load) begin
        state_reg <= KEY;
        found_reg <= 1'b0;
    end else if (turn || step) begin
        state_reg <= {top, state_reg[15], state_reg[14] ^ tap, state_reg[13] ^ tap, state_reg[12], state_reg[11] ^ tap,
                      state_reg[10:1]};
        found_reg <= found_reg || top;
    end else if (settle) begin
        state_reg[0] <= state_reg[0] || !found_reg;
    end
end

assign state = state_reg;

endmodule
`resetall
