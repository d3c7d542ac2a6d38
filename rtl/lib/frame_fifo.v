// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * FIFO of whole frames
 *
 * The words of a frame become visible to the reader only when its last word is written. There is no
 * back-pressure on the write side: the writer must see to it that no more than DEPTH words are inside.
 * flush takes back the words of the frame not yet complete, the one written in the same clock
 * included; complete frames stay.
 *
 * Read side: valid/ready, valid never drops and data is stable until taken, one word per clock.
 * Latency: the first word of a frame stands at the output 2 clocks after the clock in which its last was written.
 */
module frame_fifo #(
    // Bits of a word
    parameter WIDTH = 32,
    // Words, at least 1
    parameter DEPTH = 64
) (
    input  wire             clk,
    // Synchronous, active high: empties everything
    input  wire             rst,
    // Take back the incomplete frame
    input  wire             flush,

    // Write side
    input  wire             s_valid,
    input  wire [WIDTH-1:0] s_data,
    input  wire             s_last,

    // Read side
    output wire             m_valid,
    input  wire             m_ready,
    output wire [WIDTH-1:0] m_data,
    output wire             m_last,

    // The last word of a frame leaves in this clock
    output wire             frame_done
);

`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))

localparam AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
// (with a legal stand-in where DEPTH is not, so that every simulator gets as far as the message)
localparam CW = DEPTH > 0 ? $clog2(DEPTH + 1) : 1;
localparam [31:0] LAST_WORD = DEPTH - 1;
localparam [AW-1:0] LAST = LAST_WORD[AW-1:0];
localparam [AW-1:0] ONE = 1;
localparam [CW-1:0] COUNT_ONE = 1;

// Next word to write, first word of the incomplete frame, next word to read
reg [AW-1:0] write_reg, write_next;
reg [AW-1:0] start_reg, start_next;
reg [AW-1:0] read_reg, read_next;
// Words in memory: of the incomplete frame, of complete frames
reg [CW-1:0] hidden_reg, hidden_next;
reg [CW-1:0] visible_reg, visible_next;
reg          valid_reg, valid_next;

wire read = visible_reg != {CW{1'b0}} && (!valid_reg || m_ready);

always @* begin
    write_next = write_reg;
    start_next = start_reg;
    read_next = read_reg;
    hidden_next = hidden_reg;
    visible_next = visible_reg;
    valid_next = valid_reg && !m_ready;

    if (read) begin
        read_next = read_reg == LAST ? {AW{1'b0}} : read_reg + ONE;
        visible_next = visible_reg - COUNT_ONE;
        valid_next = 1'b1;
    end
    if (flush) begin
        write_next = start_reg;
        hidden_next = {CW{1'b0}};
    end else if (s_valid) begin
        write_next = write_reg == LAST ? {AW{1'b0}} : write_reg + ONE;
        hidden_next = hidden_reg + COUNT_ONE;
        if (s_last) begin
            visible_next = visible_next + hidden_next;
            hidden_next = {CW{1'b0}};
            start_next = write_next;
        end
    end
end

always @(posedge clk) begin
    write_reg <= write_next;
    start_reg <= start_next;
    read_reg <= read_next;
    hidden_reg <= hidden_next;
    visible_reg <= visible_next;
    valid_reg <= valid_next;
    if (rst) begin
        write_reg <= {AW{1'b0}};
        start_reg <= {AW{1'b0}};
        read_reg <= {AW{1'b0}};
        hidden_reg <= {CW{1'b0}};
        visible_reg <= {CW{1'b0}};
        valid_reg <= 1'b0;
    end
end

ram_sdp #(
    .WIDTH(WIDTH + 1),
    .DEPTH(DEPTH)
) ram (
    .clk(clk),
    .we(s_valid),
    .waddr(write_reg),
    .wdata({s_last, s_data}),
    .re(read),
    .raddr(read_reg),
    .rdata({m_last, m_data})
);

assign m_valid = valid_reg;
assign frame_done = valid_reg && m_ready && m_last;

`ifdef SIMULATION
localparam [31:0] DEPTH_WORD = DEPTH;
localparam [CW-1:0] FULL = DEPTH_WORD[CW-1:0];

// A word written where none is free is a fault of the writer: stop, which fails the test
always @(posedge clk) begin
    if ($time != 0 && !rst && s_valid && !read && hidden_reg + visible_reg == FULL) begin
        $display("%m: overflow, a word was written to a FIFO of DEPTH = %0d that is full", DEPTH);
        $finish;
    end
end
`endif

endmodule
`resetall
