// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Simple dual-port RAM: one write port, one read port, one clock
 *
 * Latency: rdata is registered (1 clock) and keeps its value while re is low. Reading the address that is
 * written in the same clock returns the old word. Addresses must be below DEPTH. No reset; the words
 * are undefined until written.
 */
module ram_sdp #(
    // Bits of a word
    parameter WIDTH = 16,
    // Words, at least 1
    parameter DEPTH = 256,
    // 1: ask for block RAM, whatever the size; 0: leave the choice to the tool
    parameter BLOCK = 0
) (
    input  wire                                     clk,
    // Write wdata to waddr
    input  wire                                     we,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] waddr,
    input  wire [WIDTH-1:0]                         wdata,
    // Read raddr; the word stands on rdata from the next clock
    input  wire                                     re,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] raddr,
    output wire [WIDTH-1:0]                         rdata
);

`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))
`REQUIRE(g_block, BLOCK == 0 || BLOCK == 1, ("%m: BLOCK = %0d must be 0 or 1", BLOCK))

// The same memory twice: an attribute cannot depend on a parameter in every tool.
generate
    if (BLOCK != 0) begin : g_mem
        (* ram_style = "block" *)
        reg [WIDTH-1:0] mem [0:DEPTH-1];
        reg [WIDTH-1:0] rdata_reg;

        always @(posedge clk) begin
            if (we) mem[waddr] <= wdata;
            if (re) rdata_reg <= mem[raddr];
        end

        assign rdata = rdata_reg;
    end else begin : g_mem
        reg [WIDTH-1:0] mem [0:DEPTH-1];
        reg [WIDTH-1:0] rdata_reg;

        always @(posedge clk) begin
            if (we) mem[waddr] <= wdata;
            if (re) rdata_reg <= mem[raddr];
        end

        assign rdata = rdata_reg;
    end
endgenerate

endmodule
`resetall
