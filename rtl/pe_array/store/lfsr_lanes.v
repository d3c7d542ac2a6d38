// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Random words: one LFSR per lane
 *
 * Lane n of the module is lane LANE_BASE + n of the contract; its seed is that lane's key, exclusive-or the common
 * seed (lfsr16 makes 1 of 0). All lanes step together; load wins. No reset: load before use.
 * Latency: 1 clock from load or step to the words.
 */
module lfsr_lanes #(
    // Lanes, at least 1
    parameter LANES = 8,
    // Number of the first lane, at least 0
    parameter LANE_BASE = 0
) (
    input  wire                clk,
    // Load all lanes
    input  wire                seed_load,
    // SEED of the contract
    input  wire [15:0]         seed,
    // Go to the next states
    input  wire                step,
    // Present states, lane 0 in the low bits
    output wire [LANES*16-1:0] state
);

`REQUIRE(g_lanes, LANES >= 1, ("%m: LANES = %0d must be at least 1", LANES))
`REQUIRE(g_lane_base, LANE_BASE >= 0, ("%m: LANE_BASE = %0d must be at least 0", LANE_BASE))

genvar l;

generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
        localparam integer KEY = ((LANE_BASE + l + 1) * 40503) % 65536;

        lfsr16 lfsr (
            .clk(clk),
            .load(seed_load),
            .seed(KEY[15:0] ^ seed),
            .step(step),
            .state(state[l*16 +: 16])
        );
    end
endgenerate

endmodule
`resetall
