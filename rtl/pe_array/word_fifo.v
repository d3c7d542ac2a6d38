// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * FIFO of words
 *
 * Valid/ready on both sides, one word per clock; a word stands at the output 2 clocks after it was taken. DEPTH words
 * of memory and the output register.
 */
module word_fifo #(
    // Bits of a word
    parameter WIDTH = 32,
    // Words of memory, at least 2
    parameter DEPTH = 16
) (
    input  wire             clk,
    // Synchronous, active high: empties it
    input  wire             rst,

    // Write side
    input  wire             s_valid,
    output wire             s_ready,
    input  wire [WIDTH-1:0] s_data,

    // Read side
    output wire             m_valid,
    input  wire             m_ready,
    output wire [WIDTH-1:0] m_data,

    // No word is inside
    output wire             empty
);

`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 2, ("%m: DEPTH = %0d must be at least 2", DEPTH))

// (with legal stand-ins where DEPTH is not, so that every simulator gets as far as the message)
localparam AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
localparam CW = DEPTH > 1 ? $clog2(DEPTH + 1) : 1;
localparam [31:0] LAST_WORD = DEPTH - 1;
localparam [AW-1:0] LAST = LAST_WORD[AW-1:0];
localparam [AW-1:0] ONE = 1;
localparam [31:0] DEPTH_WORD = DEPTH;
localparam [CW-1:0] FULL = DEPTH_WORD[CW-1:0];
localparam [CW-1:0] COUNT_ONE = 1;

reg [AW-1:0] write_reg;
reg [AW-1:0] read_reg;
reg [CW-1:0] count_reg;
reg          valid_reg;

wire write = s_valid && s_ready;
wire read = count_reg != {CW{1'b0}} && (!valid_reg || m_ready);

always @(posedge clk) begin
    if (write) write_reg <= write_reg == LAST ? {AW{1'b0}} : write_reg + ONE;
    if (read) read_reg <= read_reg == LAST ? {AW{1'b0}} : read_reg + ONE;
    if (write && !read) count_reg <= count_reg + COUNT_ONE;
    if (read && !write) count_reg <= count_reg - COUNT_ONE;
    valid_reg <= read || (valid_reg && !m_ready);
    if (rst) begin
        write_reg <= {AW{1'b0}};
        read_reg <= {AW{1'b0}};
        count_reg <= {CW{1'b0}};
        valid_reg <= 1'b0;
    end
end

ram_sdp #(
    .WIDTH(WIDTH),
    .DEPTH(DEPTH)
) ram (
    .clk(clk),
    .we(write),
    .waddr(write_reg),
    .wdata(s_data),
    .re(read),
    .raddr(read_reg),
    .rdata(m_data)
);

assign s_ready = count_reg != FULL;
assign m_valid = valid_reg;
assign empty = !valid_reg && count_reg == {CW{1'b0}};

endmodule
`resetall
