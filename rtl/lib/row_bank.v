// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Memory of rows with run-time load and dump
 *
 * DEPTH rows of LANES words in one wide RAM: a whole row is read (1 clock, with OUT_REG 2; rd_data keeps its
 * value while nothing is read) and a whole row written per clock. Load and dump go word by word, load through a
 * shift register of one row:
 *
 *   load: LANES times cfg_shift with cfg_word (first word = lane 0), then cfg_write
 *   dump: cfg_read, then LANES words of rd_data on cfg_out (first word = lane 0), cfg_shift to step
 *
 * Every cfg_shift does both, so words that stand on cfg_out can be shifted in behind new ones.
 *
 * Latency: cfg_out is valid from 2 clocks after cfg_shift on, and after cfg_read from 2 clocks, with OUT_REG 3.
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
    parameter BLOCK = 0,
    // 1: register rd_data once more, because block RAM is slow
    parameter OUT_REG = 0
) (
    input  wire                                     clk,

    // Read: rd_data shows row rd_addr from the next clock on, with OUT_REG from that after it
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
    // Word of rd_data, lane 0 after cfg_read, one lane up with every cfg_shift, lane 0 after the last
    output wire [WIDTH-1:0]                         cfg_out
);

`REQUIRE(g_lanes, LANES >= 1, ("%m: LANES = %0d must be at least 1", LANES))
`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))
`REQUIRE(g_out_reg, OUT_REG == 0 || OUT_REG == 1, ("%m: OUT_REG = %0d must be 0 or 1", OUT_REG))

// Legal stand-ins where WIDTH or LANES is not, so that every simulator gets as far as the message
localparam WORD = WIDTH > 0 ? WIDTH : 1;
localparam ROW = LANES > 0 ? LANES : 1;
localparam ROW_WIDTH = ROW * WORD;
localparam LW = ROW > 1 ? $clog2(ROW) : 1;

reg  [ROW_WIDTH-1:0]      shift_reg;
wire [ROW_WIDTH+WORD-1:0] chain = {cfg_word, shift_reg};
wire                      unused = &{1'b0, chain[WORD-1:0]};  // lane 0 leaves
reg  [LW-1:0]             lane_reg;
wire                      lane_last = {{32-LW{1'b0}}, lane_reg} == ROW-1;
wire [WORD-1:0]           word;
reg  [WORD-1:0]           word_reg;

always @(posedge clk) begin
    if (cfg_shift) begin
        shift_reg <= chain[ROW_WIDTH+WORD-1:WORD];
        lane_reg <= lane_last ? {LW{1'b0}} : lane_reg + 1'b1;
    end
    if (cfg_read) lane_reg <= {LW{1'b0}};
    word_reg <= word;
end

assign cfg_out = word_reg;

genvar b, l;

generate
    for (b = 0; b < WORD; b = b + 1) begin : g_bit
        wire [ROW-1:0] lanes;

        for (l = 0; l < ROW; l = l + 1) begin : g_lane
            assign lanes[l] = rd_data[l*WORD + b];
        end

        assign word[b] = lanes[lane_reg];
    end
endgenerate

wire [ROW_WIDTH-1:0] row;

delay_line #(
    .WIDTH(ROW_WIDTH),
    .DEPTH(OUT_REG)
) row_delay (
    .clk(clk),
    .rst(1'b0),
    .d(row),
    .q(rd_data)
);

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
    .rdata(row)
);

endmodule
`resetall
