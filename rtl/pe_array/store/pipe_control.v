// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Handshake of a pipeline in which every stage can wait
 *
 * A stage takes what is before it in a clock in which it is empty or is itself taken from, so bubbles close under
 * back-pressure. The data registers are the user's: those of stage i load in clocks in which enable[i] is high
 * (also where no word comes).
 *
 * Latency: a word goes through in STAGES clocks if nobody waits, one per clock.
 */
module pipe_control #(
    // Stages, at least 1
    parameter STAGES = 3
) (
    input  wire              clk,
    // Synchronous, active high: forgets all words
    input  wire              rst,

    // A word is there for stage 0
    input  wire              s_valid,
    output wire              s_ready,

    // The last stage holds a word
    output wire              m_valid,
    input  wire              m_ready,

    // Load enables of the stages, stage 0 lowest
    output wire [STAGES-1:0] enable
);

`REQUIRE(g_stages, STAGES >= 1, ("%m: STAGES = %0d must be at least 1", STAGES))

reg [STAGES-1:0] valid_reg, valid_next;
reg [STAGES-1:0] load;
reg              moves;
integer i;

always @* begin
    moves = m_ready;
    for (i = STAGES - 1; i >= 0; i = i - 1) begin
        moves = moves || !valid_reg[i];
        load[i] = moves;
    end
    valid_next[0] = load[0] ? s_valid : valid_reg[0];
    for (i = 1; i < STAGES; i = i + 1) valid_next[i] = load[i] ? valid_reg[i-1] : valid_reg[i];
end

always @(posedge clk) begin
    if (rst) valid_reg <= {STAGES{1'b0}};
    else valid_reg <= valid_next;
end

assign enable = load;
assign s_ready = load[0];
assign m_valid = valid_reg[STAGES-1];

endmodule
`resetall
