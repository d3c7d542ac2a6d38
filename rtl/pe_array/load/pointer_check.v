// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Block pointers that start at 0, do not fall and end at the number of elements?
 *
 * Looks at a beat of B/4 pointers of 32 bits per clock. Beats of an array come one after the other, others may be in
 * between.
 *
 * Latency: 2 clocks. Never waits.
 */
module pointer_check #(
    // bytes of a beat, a power of two, 4 ... 64
    parameter B = 32
) (
    input  wire           clk,
    input  wire           rst,        // synchronous, active high: forgets the beats inside

    input  wire           s_valid,    // a beat to look at
    input  wire           s_first,    // the first one of its array
    input  wire [8*B-1:0] s_data,     // pointers, the first in the low bits
    input  wire [19:0]    s_left,     // pointers from this beat on, less one
    input  wire [31:0]    s_elements, // what the last one must be

    output wire           bad         // a pointer of the beat 2 clocks ago broke a rule
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))

localparam LANES = B >= 4 ? B / 4 : 1;

reg  [LANES-1:0] wrong_reg;    // lane by lane
reg              bad_reg;
reg  [31:0]      before_reg;   // last pointer of the beat before

wire [20:0] count = {1'b0, s_left} + 21'd1;

genvar i;

generate
    for (i = 0; i < LANES; i = i + 1) begin : g_lane
        localparam [31:0] NUMBER = i;
        wire [31:0] pointer = s_data[32*i +: 32];
        wire        falls;
        if (i == 0) begin : g_first
            assign falls = s_first ? pointer != 32'd0 : pointer < before_reg;
        end else begin : g_next
            assign falls = pointer < s_data[32*(i-1) +: 32];
        end
        wire wrong_end = s_left == NUMBER[19:0] && pointer != s_elements;
        always @(posedge clk) wrong_reg[i] <= !rst && s_valid && count > NUMBER[20:0] && (falls || wrong_end);
    end
endgenerate

always @(posedge clk) begin
    if (s_valid) before_reg <= s_data[32*(LANES-1) +: 32];
    bad_reg <= !rst && wrong_reg != {LANES{1'b0}};
end

assign bad = bad_reg;

endmodule
`resetall
