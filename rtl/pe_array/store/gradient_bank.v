// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * One lane of the words of packed gradients: a memory that all slots write, one at a time
 *
 * At most one slot is granted in a clock: of those that ask the first one behind the slot that was granted last, or, if
 * none is, the first of all (gradient_pack.v). Slot r has the words r*DEPTH ... r*DEPTH+DEPTH-1.
 *
 * Latency: a gradient is in the memory 2 clocks after it was granted.
 */
module gradient_bank #(
    // Slots, at least 1
    parameter P = 32,
    // Words per slot, a power of two, at least 2
    parameter DEPTH = 16
) (
    input  wire                       clk,
    // Synchronous, active high: drops a write under way; all slots are behind then
    input  wire                       rst,

    // The slot that writes, 0 (pads) or what and to which of its words
    input  wire [P-1:0]               grant,
    input  wire [P-1:0]               pads,
    input  wire [P*32-1:0]            data,
    input  wire [P*$clog2(DEPTH)-1:0] word,
    // Slots behind the one granted last
    output wire [P-1:0]               behind,

    // Read port: the word stands on rdata from the next clock
    input  wire                       re,
    input  wire [$clog2(P*DEPTH)-1:0] raddr,
    output wire [31:0]                rdata
);

localparam WW = $clog2(DEPTH);
localparam AW = $clog2(P*DEPTH);

reg [P-1:0]  behind_reg;
reg [31:0]   chosen;
reg [AW-1:0] address;
integer      r;

always @* begin
    chosen = 32'd0;
    address = {AW{1'b0}};
    for (r = 0; r < P; r = r + 1) begin
        if (grant[r] && !pads[r]) chosen = chosen | data[r*32 +: 32];
        if (grant[r]) address = address | r[AW-1:0] * DEPTH[AW-1:0] | {{(AW-WW){1'b0}}, word[r*WW +: WW]};
    end
end

reg          we_reg;
reg [31:0]   wdata_reg;
reg [AW-1:0] waddr_reg;

always @(posedge clk) begin
    if (grant != {P{1'b0}}) behind_reg <= ~(grant | (grant - {{(P-1){1'b0}}, 1'b1}));
    we_reg <= grant != {P{1'b0}};
    wdata_reg <= chosen;
    waddr_reg <= address;
    if (rst) begin
        behind_reg <= {P{1'b1}};
        we_reg <= 1'b0;
    end
end

ram_sdp #(
    .WIDTH(32),
    .DEPTH(P*DEPTH)
) ram (
    .clk(clk),
    .we(we_reg),
    .waddr(waddr_reg),
    .wdata(wdata_reg),
    .re(re),
    .raddr(raddr),
    .rdata(rdata)
);

assign behind = behind_reg;

endmodule
`resetall
