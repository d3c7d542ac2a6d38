// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Permutation of lanes at run time
 *
 * Gather: y[l] = x[perm[l]]. Scatter: y[perm[l]] = x[l], the inverse. perm must be a permutation
 * of 0 ... LANES-1 (for gather, any values below LANES).
 *
 * Latency: 1 clock.
 */
module permute #(
    // Lanes, at least 1
    parameter LANES = 8,
    // Bits of a lane
    parameter WIDTH = 12,
    // 0: gather, 1: scatter
    parameter SCATTER = 0,
    // 0: y = x, registered; perm is ignored
    parameter ENABLE = 1
) (
    input  wire                                             clk,
    // One lane number per lane, lane 0 in the low bits
    input  wire [LANES*(LANES > 1 ? $clog2(LANES) : 1)-1:0] perm,
    input  wire [LANES*WIDTH-1:0]                           x,
    output wire [LANES*WIDTH-1:0]                           y
);

`REQUIRE(g_lanes, LANES >= 1, ("%m: LANES = %0d must be at least 1", LANES))
`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_scatter, SCATTER == 0 || SCATTER == 1, ("%m: SCATTER = %0d must be 0 or 1", SCATTER))
`REQUIRE(g_enable, ENABLE == 0 || ENABLE == 1, ("%m: ENABLE = %0d must be 0 or 1", ENABLE))

// Bits of a lane number
localparam PW = LANES > 1 ? $clog2(LANES) : 1;
// A legal stand-in where WIDTH is not, so that every simulator gets as far as the message
localparam LANE = WIDTH > 0 ? WIDTH : 1;

genvar i, b;

generate
    if (ENABLE != 0 && LANES > 1) begin : g_permute
        // Source lane of every output lane
        wire [LANES*PW-1:0] source;
        if (SCATTER != 0) begin : g_scatter
            // Bit b of the inverse permutation: one bit per output lane, set by the input lanes whose
            // number has bit b. Vectors over output lanes keep simulation fast; the tree of decoder
            // and OR is what synthesis should see.
            wire [LANES*LANES-1:0] onehot;
            for (i = 0; i < LANES; i = i + 1) begin : g_decode
                assign onehot[i*LANES +: LANES] = {{(LANES-1){1'b0}}, 1'b1} << perm[i*PW +: PW];
            end
            for (b = 0; b < PW; b = b + 1) begin : g_bit
                reg [LANES-1:0] set;
                integer l;
                always @* begin
                    set = {LANES{1'b0}};
                    for (l = 0; l < LANES; l = l + 1) begin
                        if ((l >> b) % 2 == 1) set = set | onehot[l*LANES +: LANES];
                    end
                end
                for (i = 0; i < LANES; i = i + 1) begin : g_lane
                    assign source[i*PW + b] = set[i];
                end
            end
        end else begin : g_gather
            assign source = perm;
        end
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            reg [LANE-1:0] y_reg;
            always @(posedge clk) y_reg <= x[source[i*PW +: PW]*LANE +: LANE];
            assign y[i*LANE +: LANE] = y_reg;
        end
    end else begin : g_straight
        reg [LANES*WIDTH-1:0] y_reg;
        always @(posedge clk) y_reg <= x;
        assign y = y_reg;
        wire unused_perm = &perm;
    end
endgenerate

endmodule
`resetall
