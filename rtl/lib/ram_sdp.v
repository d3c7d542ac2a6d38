// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Simple dual-port RAM: one write port, one read port, one clock
 *
 * Latency: rdata is registered (1 clock) and keeps its value while re is low. With OUT a register stands behind it (2
 * clocks), which block RAMs have inside: what comes from them is slow without it. Reading the address that is written
 * in the same clock returns the old word, if OLD says so: on some FPGAs that takes logic around a block RAM. Addresses
 * must be below DEPTH. No reset; words are undefined until written.
 */
module ram_sdp #(
    // Bits of a word
    parameter WIDTH = 16,
    // Words, at least 1
    parameter DEPTH = 256,
    // 1: ask for block RAM, whatever the size; 0: leave the choice to the tool
    parameter BLOCK = 0,
    // Register behind the word: 0 none, 1 one that follows in every clock, 2 one that moves with re
    parameter OUT = 0,
    // Reading the address that is written in the same clock: 1 returns the old word; 0 returns anything, which nobody
    // uses: in simulation it is the old word with every bit inverted, so that a use is seen
    parameter OLD = 1
) (
    input  wire                                     clk,
    // Write wdata to waddr
    input  wire                                     we,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] waddr,
    input  wire [WIDTH-1:0]                         wdata,
    // Read raddr; the word stands on rdata from the next clock, from the one after that or from the next re on (OUT)
    input  wire                                     re,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] raddr,
    output wire [WIDTH-1:0]                         rdata
);

`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_depth, DEPTH >= 1, ("%m: DEPTH = %0d must be at least 1", DEPTH))
`REQUIRE(g_block, BLOCK == 0 || BLOCK == 1, ("%m: BLOCK = %0d must be 0 or 1", BLOCK))
`REQUIRE(g_out, OUT >= 0 && OUT <= 2, ("%m: OUT = %0d must be 0 to 2", OUT))
`REQUIRE(g_old, OLD == 0 || OLD == 1, ("%m: OLD = %0d must be 0 or 1", OLD))

wire [WIDTH-1:0] word;
wire             wrong;

`ifdef SIMULATION
assign wrong = OLD == 0 && we && waddr == raddr;
`else
assign wrong = 1'b0;
`endif

// The same memory twice: an attribute cannot depend on a parameter in every tool. In Yosys it can.
generate
    if (BLOCK != 0) begin : g_mem
        (* ram_style = "block" *)
`ifdef YOSYS
        (* no_rw_check = (OLD == 0) *)
`endif
        reg [WIDTH-1:0] mem [0:DEPTH-1];
        reg [WIDTH-1:0] rdata_reg;

        always @(posedge clk) begin
            if (we) mem[waddr] <= wdata;
            if (re) rdata_reg <= wrong ? ~mem[raddr] : mem[raddr];
        end

        assign word = rdata_reg;
    end else begin : g_mem
`ifdef YOSYS
        (* no_rw_check = (OLD == 0) *)
`endif
        reg [WIDTH-1:0] mem [0:DEPTH-1];
        reg [WIDTH-1:0] rdata_reg;

        always @(posedge clk) begin
            if (we) mem[waddr] <= wdata;
            if (re) rdata_reg <= wrong ? ~mem[raddr] : mem[raddr];
        end

        assign word = rdata_reg;
    end
    if (OUT != 0) begin : g_behind
        reg [WIDTH-1:0] out_reg;

        always @(posedge clk) if (re || OUT == 1) out_reg <= word;

        assign rdata = out_reg;
    end else begin : g_behind
        assign rdata = word;
    end
endgenerate

endmodule
`resetall
