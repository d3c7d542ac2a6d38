// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * One lane of the words of packed gradients: a memory that all slots write, one at a time
 *
 * Of the slots that ask in a clock one is granted, in rotation. Slot r has the words r*DEPTH ... r*DEPTH+DEPTH-1.
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
    // Synchronous, active high: drops a write under way and starts the rotation at slot 0
    input  wire                       rst,

    // Slots that want to write, what and to which of their words
    input  wire [P-1:0]               request,
    input  wire [P*32-1:0]            data,
    input  wire [P*$clog2(DEPTH)-1:0] word,
    // The one that does
    output wire [P-1:0]               grant,

    // Read port: the word stands on rdata from the next clock
    input  wire                       re,
    input  wire [$clog2(P*DEPTH)-1:0] raddr,
    output wire [31:0]                rdata
);

localparam WW = $clog2(DEPTH);
localparam AW = $clog2(P*DEPTH);

// Slots behind the one granted last
reg  [P-1:0] behind_reg;
wire [P-1:0] first = request & behind_reg;
wire [P-1:0] from = first != {P{1'b0}} ? first : request;

assign grant = from & (~from + {{(P-1){1'b0}}, 1'b1});

reg [31:0]   chosen;
reg [AW-1:0] address;
integer      r;

always @* begin
    chosen = 32'd0;
    address = {AW{1'b0}};
    for (r = 0; r < P; r = r + 1) begin
        if (grant[r]) begin
            chosen = chosen | data[r*32 +: 32];
            address = address | r[AW-1:0] * DEPTH[AW-1:0] | {{(AW-WW){1'b0}}, word[r*WW +: WW]};
        end
    end
end

reg          we_reg;
reg [31:0]   wdata_reg;
reg [AW-1:0] waddr_reg;

always @(posedge clk) begin
    if (request != {P{1'b0}}) behind_reg <= ~(grant | (grant - {{(P-1){1'b0}}, 1'b1}));
    we_reg <= request != {P{1'b0}};
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

endmodule
`resetall
