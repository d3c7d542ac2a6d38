// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Completions of loads, in the order in which the loads came
 *
 * An operation is pushed when all its beats have been handed over. A map load is done when a pulse of map_done has come
 * for it (before or after the push), any other when those before it are.
 *
 * Latency: pushed in clock c, or map_done in clock c, to `done` in c+1 if all before are done; one per clock.
 */
module load_order #(
    // operations that can be inside, at least 1
    parameter DEPTH = 32
) (
    input  wire clk,
    input  wire rst,      // synchronous, active high: forgets everything

    input  wire push,     // an operation; there must be room
    input  wire push_map, // it is a map load
    input  wire map_done, // pulse: the next map load is in the PEs

    output wire done      // pulse: the next operation is done
);

`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))

// (with a legal stand-in where DEPTH is not, so that every simulator gets as far as the message)
localparam WORDS = DEPTH >= 1 ? DEPTH : 1;
localparam CW = $clog2(WORDS + 1);
localparam AW = WORDS > 1 ? $clog2(WORDS) : 1;
localparam [CW-1:0] ONE = 1;

reg [WORDS-1:0] maps_reg;     // is it a map? Newest in bit 0, oldest in bit level - 1
reg [CW-1:0]    level_reg;
reg [CW-1:0]    arrived_reg;  // maps that are in the PEs and not done
// Of those registers, so that `done` is early: something is inside; the oldest is a map; a map has arrived
reg             any_reg;
reg             oldest_map_reg;
reg             any_arrived_reg;

wire [CW-1:0]    second = level_reg - ONE - ONE;
wire             second_map = maps_reg[second[AW-1:0]];   // the oldest when this one has gone
wire             alone = level_reg == ONE;
wire             map_ends = done && oldest_map_reg;
wire [WORDS:0]   maps_next = {maps_reg, push_map};

assign done = any_reg && (!oldest_map_reg || any_arrived_reg);

always @(posedge clk) begin
    if (push) maps_reg <= maps_next[WORDS-1:0];
    if (push && !done) level_reg <= level_reg + ONE;
    if (done && !push) level_reg <= level_reg - ONE;
    if (map_done && !map_ends) arrived_reg <= arrived_reg + ONE;
    if (map_ends && !map_done) arrived_reg <= arrived_reg - ONE;
    any_reg <= push || (any_reg && !(done && alone));
    if (!any_reg || (done && alone)) oldest_map_reg <= push_map;
    else if (done) oldest_map_reg <= second_map;
    any_arrived_reg <= map_done || (any_arrived_reg && !(map_ends && arrived_reg == ONE));
    if (rst) begin
        level_reg <= {CW{1'b0}};
        arrived_reg <= {CW{1'b0}};
        any_reg <= 1'b0;
        any_arrived_reg <= 1'b0;
    end
end

generate
    if (CW > AW) begin : g_wide
        wire unused = &{1'b0, second[CW-1:AW], maps_next[WORDS]};
    end else begin : g_narrow
        wire unused = maps_next[WORDS];
    end
endgenerate

endmodule
`resetall
