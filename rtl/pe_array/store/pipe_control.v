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

reg [STAGES-1:0] valid_reg;
// This stage and all behind it hold words, so that it waits for m_ready. A register of each stage, as m_ready comes
// late: no stage asks the next one
reg [STAGES-1:0] full_reg;
// Words in the stages after a clock in which all move, and after one without m_ready
reg [STAGES-1:0] moved;
reg [STAGES-1:0] waited;
reg [STAGES-1:0] moved_full;
reg [STAGES-1:0] waited_full;
integer i;

always @* begin
    moved[0] = s_valid;
    for (i = 1; i < STAGES; i = i + 1) moved[i] = valid_reg[i-1];
    waited = full_reg | moved;
    for (i = 0; i < STAGES; i = i + 1) begin
        moved_full[i] = &(moved | ~({STAGES{1'b1}} << i));
        waited_full[i] = &(waited | ~({STAGES{1'b1}} << i));
    end
end

always @(posedge clk) begin
    valid_reg <= m_ready ? moved : waited;
    full_reg <= m_ready ? moved_full : waited_full;
    if (rst) begin
        valid_reg <= {STAGES{1'b0}};
        full_reg <= {STAGES{1'b0}};
    end
end

assign enable = {STAGES{m_ready}} | ~full_reg;
assign s_ready = enable[0];
assign m_valid = valid_reg[STAGES-1];

endmodule
`resetall
