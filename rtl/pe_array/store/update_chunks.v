// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Chunks of up to three arrays that are walked side by side
 *
 * A chunk of the first array, one of the second, if wanted one of the third, and again, until all beats have come. A
 * chunk has 16 beats; of the second array 4, if QUARTER is 1, which then has a beat where the others have four. The
 * last chunk of each may be shorter. In place of the first array there may be several, one right behind the other:
 * then a chunk of each of them comes before that of the second.
 *
 * Latency: a chunk stands at the output in the clock after start, then one per clock.
 */
module update_chunks #(
    // Bytes of a beat, a power of two
    parameter B = 32,
    // 1: the second array has a quarter of the beats
    parameter QUARTER = 0
) (
    input  wire        clk,
    // Synchronous, active high: ends the walk
    input  wire        rst,

    // Begin at these byte addresses; only while not valid
    input  wire        start,
    input  wire [31:0] first_addr,
    input  wire [31:0] second_addr,
    input  wire [31:0] third_addr,
    // Number of the last array, 0 to 2
    input  wire [1:0]  last_array,
    // log2 of the arrays that stand in place of the first
    input  wire [2:0]  firsts_log2,
    // Quarters of the beats of the first array, less one
    input  wire [23:0] quarters,

    // Chunks: byte address, beats less one, array (0 to 2)
    output wire        m_valid,
    input  wire        m_ready,
    output wire [31:0] m_addr,
    output wire [3:0]  m_beats,
    output wire [1:0]  m_array
);

localparam [31:0] CHUNK_BYTES = 16 * B;
localparam [31:0] QUARTER_BYTES = 4 * B;
localparam [31:0] SECOND_BYTES = QUARTER != 0 ? 4 * B : 16 * B;
localparam [1:0] FIRST = 2'd0;
localparam [1:0] SECOND = 2'd1;
localparam [1:0] THIRD = 2'd2;

reg         valid_reg;
reg  [1:0]  array_reg;
reg  [1:0]  last_reg;
// Next addresses of the present array and of the next ones, in turn
reg  [31:0] addr_reg;
reg  [31:0] next_reg;
reg  [31:0] after_reg;
reg  [23:0] left_reg;
// Of the first arrays: this many less one, those whose chunk is still to come in this round, bytes from one to the
// next, address in the first of them
reg  [6:0]  firsts_reg;
reg  [6:0]  more_reg;
reg  [31:0] stride_reg;
reg  [31:0] begin_reg;

wire        move = valid_reg && m_ready;
wire        first = array_reg == FIRST;
wire        again = first && more_reg != 7'd0;
wire        round = array_reg == last_reg && !again;
wire        final_chunk = left_reg[23:2] == 22'd0;
wire [1:0]  size = final_chunk ? left_reg[1:0] : 2'd3;
wire        quarter = QUARTER != 0 && array_reg == SECOND;
wire [31:0] behind = (first ? begin_reg : addr_reg) + (array_reg == SECOND ? SECOND_BYTES : CHUNK_BYTES);

always @(posedge clk) begin
    if (move && again) begin
        addr_reg <= addr_reg + stride_reg;
        more_reg <= more_reg - 7'd1;
    end
    if (move && !again) begin
        addr_reg <= next_reg;
        more_reg <= firsts_reg;
        if (round) begin_reg <= next_reg;
        next_reg <= last_reg == THIRD ? after_reg : behind;
        after_reg <= behind;
        array_reg <= round ? FIRST : array_reg + 2'd1;
        if (round) left_reg <= left_reg - 24'd4;
        if (round && final_chunk) valid_reg <= 1'b0;
    end
    // (start comes late, and only while not valid: all but valid_reg need not wait for it)
    if (!valid_reg) begin
        array_reg <= FIRST;
        last_reg <= last_array;
        addr_reg <= first_addr;
        next_reg <= second_addr;
        after_reg <= third_addr;
        left_reg <= quarters;
        firsts_reg <= ~(7'h7f << firsts_log2);
        more_reg <= ~(7'h7f << firsts_log2);
        stride_reg <= ({8'd0, quarters} + 32'd1) * QUARTER_BYTES;
        begin_reg <= first_addr;
    end
    if (start) valid_reg <= 1'b1;
    if (rst) valid_reg <= 1'b0;
end

assign m_valid = valid_reg;
assign m_addr = addr_reg;
assign m_beats = quarter ? {2'd0, size} : {size, 2'd3};
assign m_array = array_reg;

endmodule
`resetall
