// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Memory of streams: W, E or T of a PE
 *
 * One word is read per clock. With WIDE = 2 two words that follow each other can be written in one, whatever the first
 * one's address is: even words are in one bank, odd words in another.
 *
 * Latency: rdata follows raddr by 2 clocks in which re is high. Reading what is written in the same clock returns
 * anything (ram_sdp).
 */
module stream_ram #(
    // Bytes of a word
    parameter B = 32,
    // Words, a power of two, at least 2
    parameter DEPTH = 512,
    // 1: ask for block RAM, whatever the size
    parameter BLOCK = 0,
    // Words that can be written in a clock, 1 or 2
    parameter WIDE = 1,
    // Bits of an address (derived)
    parameter AW = $clog2(DEPTH)
) (
    input  wire                clk,
    input  wire                we,    // write the word of waddr
    input  wire                pair,  // and the one behind it (with WIDE = 2)
    input  wire [AW-1:0]       waddr,
    input  wire [WIDE*8*B-1:0] wdata, // with WIDE = 2 the word of the even address in the low half
    input  wire                re,
    input  wire [AW-1:0]       raddr,
    output wire [8*B-1:0]      rdata
);

generate
    if (WIDE == 2) begin : g_banks
        // Words of a bank, and bits of their addresses
        localparam ROWS = DEPTH / 2;
        localparam RW = AW > 1 ? AW - 1 : 1;
        localparam [31:0] LAST_ROW = ROWS - 1;

        wire [AW:0]     write_row = {1'b0, waddr} >> 1;
        wire [AW:0]     read_row = {1'b0, raddr} >> 1;
        // The even word of a pair that begins with an odd one is in the next row
        wire [AW:0]     even_row = (({1'b0, waddr} + {{AW{1'b0}}, 1'b1}) >> 1) & LAST_ROW[AW:0];
        wire [8*B-1:0]  even, odd;
        reg             odd1_reg, odd2_reg;

        ram_sdp #(
            .WIDTH(8 * B),
            .DEPTH(ROWS),
            .BLOCK(BLOCK),
            .OUT(2),
            .OLD(0)
        ) even_ram (
            .clk(clk),
            .we(we && (pair || !waddr[0])),
            .waddr(even_row[RW-1:0]),
            .wdata(wdata[0 +: 8*B]),
            .re(re),
            .raddr(read_row[RW-1:0]),
            .rdata(even)
        );

        ram_sdp #(
            .WIDTH(8 * B),
            .DEPTH(ROWS),
            .BLOCK(BLOCK),
            .OUT(2),
            .OLD(0)
        ) odd_ram (
            .clk(clk),
            .we(we && (pair || waddr[0])),
            .waddr(write_row[RW-1:0]),
            .wdata(wdata[8*B +: 8*B]),
            .re(re),
            .raddr(read_row[RW-1:0]),
            .rdata(odd)
        );

        always @(posedge clk) begin
            if (re) begin
                odd1_reg <= raddr[0];
                odd2_reg <= odd1_reg;
            end
        end

        assign rdata = odd2_reg ? odd : even;

        wire unused = &{1'b0, write_row, read_row, even_row};
    end else begin : g_banks
        ram_sdp #(
            .WIDTH(8 * B),
            .DEPTH(DEPTH),
            .BLOCK(BLOCK),
            .OUT(2),
            .OLD(0)
        ) ram (
            .clk(clk),
            .we(we),
            .waddr(waddr),
            .wdata(wdata),
            .re(re),
            .raddr(raddr),
            .rdata(rdata)
        );

        wire unused = pair;
    end
endgenerate

endmodule
`resetall
