// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * FIFO with valid/ready on both sides
 *
 * Latency: a word written in clock c stands at the output in clock c+2 if none is before it. One per clock in and out.
 * s_ready and m_valid are registers; m_valid never drops and m_data is stable until taken. DEPTH counts all words
 * inside, the one at the output included; from DEPTH = 3 on a reader that always takes lets one word per clock pass.
 */
module stream_fifo #(
    // Bits of a word
    parameter WIDTH = 32,
    // Words, at least 1
    parameter DEPTH = 16
) (
    input  wire                         clk,
    input  wire                         rst,     // synchronous, active high: empties everything

    input  wire                         s_valid,
    output wire                         s_ready, // low in and one clock after a reset, and while DEPTH words are inside
    input  wire [WIDTH-1:0]             s_data,

    output wire                         m_valid,
    input  wire                         m_ready,
    output wire [WIDTH-1:0]             m_data,

    // Words inside, the one at the output included
    output wire [(DEPTH > 0 ? $clog2(DEPTH + 1) : 1)-1:0] level
);

`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))

localparam AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
localparam CW = DEPTH > 0 ? $clog2(DEPTH + 1) : 1;
localparam [31:0] DEPTH_WORD = DEPTH;
localparam [31:0] LAST_WORD = DEPTH - 1;
localparam [CW-1:0] FULL = DEPTH_WORD[CW-1:0];
localparam [AW-1:0] LAST = LAST_WORD[AW-1:0];
localparam [AW-1:0] ONE = 1;

// Next word to write, next word to read
reg [AW-1:0] write_reg;
reg [AW-1:0] read_reg;
// Words in memory, words in memory and at the output
reg [CW-1:0] memory_reg, memory_next;
reg [CW-1:0] level_reg, level_next;
reg          ready_reg;
reg          valid_reg;

wire write = s_valid && ready_reg;
wire take  = valid_reg && m_ready;
wire read  = memory_reg != {CW{1'b0}} && (!valid_reg || m_ready);

always @* begin
    memory_next = memory_reg;
    level_next = level_reg;
    if (write != read) memory_next = write ? memory_reg + {{(CW-1){1'b0}}, 1'b1} : memory_reg - {{(CW-1){1'b0}}, 1'b1};
    if (write != take) level_next = write ? level_reg + {{(CW-1){1'b0}}, 1'b1} : level_reg - {{(CW-1){1'b0}}, 1'b1};
end

always @(posedge clk) begin
    if (write) write_reg <= write_reg == LAST ? {AW{1'b0}} : write_reg + ONE;
    if (read) read_reg <= read_reg == LAST ? {AW{1'b0}} : read_reg + ONE;
    memory_reg <= memory_next;
    level_reg <= level_next;
    ready_reg <= level_next != FULL;
    valid_reg <= read || (valid_reg && !m_ready);
    if (rst) begin
        write_reg <= {AW{1'b0}};
        read_reg <= {AW{1'b0}};
        memory_reg <= {CW{1'b0}};
        level_reg <= {CW{1'b0}};
        ready_reg <= 1'b0;
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

assign s_ready = ready_reg;
assign m_valid = valid_reg;
assign level = level_reg;

endmodule
`resetall
