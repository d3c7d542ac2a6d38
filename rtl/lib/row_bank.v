// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Memory of rows with run-time load and dump
 *
 * DEPTH rows of LANES words in one wide RAM: a whole row is read (1 clock; rd_data keeps its value
 * while nothing is read) and a whole row written per clock. A shift register of one row serves load
 * and dump word by word:
 *
 *   load: LANES times cfg_shift with cfg_word (first word = lane 0), then cfg_write
 *   dump: cfg_read, then LANES words on cfg_out (first word = lane 0), cfg_shift to step
 *
 * Latency: cfg_out is valid from 2 clocks after cfg_read and from 1 clock after cfg_shift. In the
 * clock after cfg_read the row is taken into the shift register: no cfg_shift then.
 *
 * cfg and user accesses must not meet in one clock; where they do, cfg wins and the user's is lost.
 * Reading a row that is written in the same clock returns the old row. Addresses must be below DEPTH.
 * No reset.
 */
module row_bank #(
    // Words of a row, at least 1
    parameter LANES = 4,
    // Bits of a word
    parameter WIDTH = 12,
    // Rows, at least 1
    parameter DEPTH = 16,
    // 1: ask for block RAM (see ram_sdp)
    parameter BLOCK = 0
) (
    input  wire                                     clk,

    // Read: rd_data shows row rd_addr from the next clock
    input  wire                                     rd_en,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] rd_addr,
    output wire [LANES*WIDTH-1:0]                   rd_data,

    // Write
    input  wire                                     wr_en,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] wr_addr,
    input  wire [LANES*WIDTH-1:0]                   wr_data,

    // cfg_word enters the shift register at lane LANES-1, the others move one lane down
    input  wire                                     cfg_shift,
    input  wire [WIDTH-1:0]                         cfg_word,
    // Shift register to row cfg_addr
    input  wire                                     cfg_write,
    // Row cfg_addr to shift register
    input  wire                                     cfg_read,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] cfg_addr,
    // Lane 0 of the shift register
    output wire [WIDTH-1:0]                         cfg_out
);

`REQUIRE(g_lanes, LANES >= 1, ("%m: LANES = %0d must be at least 1", LANES))
`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))

// Legal stand-ins where WIDTH or LANES is not, so that every simulator gets as far as the message
localparam WORD = WIDTH > 0 ? WIDTH : 1;
localparam ROW_WIDTH = LANES > 0 ? LANES * WORD : WORD;

reg [ROW_WIDTH-1:0] shift_reg;
reg                 capture_reg;

wire [ROW_WIDTH+WORD-1:0] chain = {cfg_word, shift_reg};

always @(posedge clk) begin
    capture_reg <= cfg_read;
    if (capture_reg) shift_reg <= rd_data;
    else if (cfg_shift) shift_reg <= chain[ROW_WIDTH+WORD-1:WORD];
end

assign cfg_out = chain[WORD-1:0];

ram_sdp #(
    .WIDTH(ROW_WIDTH),
    .DEPTH(DEPTH),
    .BLOCK(BLOCK)
) ram (
    .clk(clk),
    .we(wr_en || cfg_write),
    .waddr(cfg_write ? cfg_addr : wr_addr),
    .wdata(cfg_write ? shift_reg : wr_data),
    .re(rd_en || cfg_read),
    .raddr(cfg_read ? cfg_addr : rd_addr),
    .rdata(rd_data)
);

`ifdef SIMULATION
// A word that is shifted in while a row is taken would be lost: stop, which fails the test
always @(posedge clk) begin
    if ($time != 0 && capture_reg && cfg_shift) begin
        $display("%m: cfg_shift in the clock after cfg_read");
        $finish;
    end
end
`endif

endmodule
`resetall
