// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Coordinates inside their block?
 *
 * Looks at a beat of B/2 coordinates per clock, or with WIDE = 2 at two of them: of the first `left` of them, or all if
 * there are fewer, no row and no column may be above its limit.
 *
 * Latency: 2 clocks. Never waits.
 */
module coordinate_check #(
    // bytes of a beat, a power of two, 4 ... 64
    parameter B = 32,
    // beats that can be looked at in a clock, 1 or 2
    parameter WIDE = 1
) (
    input  wire           clk,
    input  wire           rst,     // synchronous, active high: forgets the beats inside

    input  wire           s_valid, // a beat to look at
    input  wire           s_pair,  // and one behind it (with WIDE = 2)
    input  wire [WIDE*8*B-1:0] s_data, // coordinates: row in bits 15:8, column in 7:0, the first in the low bits
    input  wire [11:0]    s_left,  // coordinates from this beat on
    input  wire [7:0]     s_row,   // highest legal row
    input  wire [7:0]     s_col,   // highest legal column

    output wire           bad      // a coordinate of the beat 2 clocks ago was beyond
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))

`REQUIRE(g_wide, WIDE == 1 || WIDE == 2, ("%m: WIDE = %0d must be 1 or 2", WIDE))

localparam LANES = B >= 2 && WIDE >= 1 ? WIDE * B / 2 : 1;

reg [LANES-1:0] beyond_reg;   // lane by lane
reg             bad_reg;

genvar i;

generate
    for (i = 0; i < LANES; i = i + 1) begin : g_lane
        localparam [31:0] NUMBER = i;
        wire beyond = s_data[16*i+8 +: 8] > s_row || s_data[16*i +: 8] > s_col;
        wire there = i < B / 2 || s_pair;
        always @(posedge clk) beyond_reg[i] <= !rst && s_valid && there && s_left > NUMBER[11:0] && beyond;
    end
endgenerate

always @(posedge clk) bad_reg <= !rst && beyond_reg != {LANES{1'b0}};

assign bad = bad_reg;

generate
    if (WIDE == 1) begin : g_one
        wire unused = s_pair;
    end
endgenerate

endmodule
`resetall
