// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Bank of trainable parameters: one read serves FF, BP and UP
 *
 * A row of LANES words is read per clock; in the clock in which it comes out, an update may be added to
 * it, and the saturated sum is written back to the same row at the end of that clock. Rows are loaded and
 * dumped at run time (see row_bank). Weights use it with z lanes, biases with P lanes.
 *
 * Latency: 1 clock from `rd_en` to `rd_data`. A row must not be read in two clocks running while updates
 * are on (the second read would miss the first update); the schedule rules that out with C >= 2.
 */
module weight_bank #(
    // Words per row
    parameter LANES = 8,
    // Width of a word in bits, signed
    parameter WIDTH = 12,
    // Width of an update in bits, signed, same weight of the last bit as a word
    parameter UPD_WIDTH = 16,
    // Rows
    parameter DEPTH = 32,
    // 1: ask for block RAM (see ram_sdp)
    parameter BLOCK = 0,
    // Width of a row address (derived)
    parameter AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire                       clk,

    input  wire                       rd_en,
    input  wire [AW-1:0]              rd_addr,
    output wire [LANES*WIDTH-1:0]     rd_data,    // 1 clock after rd_en

    input  wire                       upd_valid,  // with rd_data: add upd to it and write it back
    input  wire [LANES*UPD_WIDTH-1:0] upd,
    output wire [LANES-1:0]           upd_sat,    // with upd_valid: lanes whose sum was clipped

    input  wire                       cfg_shift,
    input  wire [WIDTH-1:0]           cfg_word,
    input  wire                       cfg_write,
    input  wire                       cfg_read,
    input  wire [15:0]                cfg_addr,
    output wire [WIDTH-1:0]           cfg_out
);

localparam SUM_WIDTH = ((UPD_WIDTH > WIDTH) ? UPD_WIDTH : WIDTH) + 1;

reg  [AW-1:0]          addr_reg;
wire                   unused = &{1'b0, cfg_addr};
wire [LANES*WIDTH-1:0] new_row;

always @(posedge clk) begin
    addr_reg <= rd_addr;
end

row_bank #(
    .LANES(LANES),
    .WIDTH(WIDTH),
    .DEPTH(DEPTH),
    .BLOCK(BLOCK)
) bank (
    .clk(clk),
    .rd_en(rd_en),
    .rd_addr(rd_addr),
    .rd_data(rd_data),
    .wr_en(upd_valid),
    .wr_addr(addr_reg),
    .wr_data(new_row),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr[AW-1:0]),
    .cfg_out(cfg_out)
);

genvar l;

generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
        wire [WIDTH-1:0]     word = rd_data[l*WIDTH +: WIDTH];
        wire [UPD_WIDTH-1:0] step = upd[l*UPD_WIDTH +: UPD_WIDTH];
        wire [SUM_WIDTH-1:0] sum = {{SUM_WIDTH-WIDTH{word[WIDTH-1]}}, word}
            + {{SUM_WIDTH-UPD_WIDTH{step[UPD_WIDTH-1]}}, step};
        wire                 fits = sum[SUM_WIDTH-1:WIDTH-1] == {SUM_WIDTH-WIDTH+1{sum[SUM_WIDTH-1]}};

        assign new_row[l*WIDTH +: WIDTH] = fits ? sum[WIDTH-1:0] : {sum[SUM_WIDTH-1], {WIDTH-1{~sum[SUM_WIDTH-1]}}};
        assign upd_sat[l] = upd_valid && !fits;
    end
endgenerate

endmodule
`resetall
