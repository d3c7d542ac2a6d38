// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Ring buffer of left activations in Z memories
 *
 * Frames of Z*D activations are written in natural order, P_IN per clock: neuron k goes to memory k mod Z,
 * address k div Z. FF and UP read one word per memory and clock, each at its own slot, at the interleaved
 * addresses. The two readers have a copy each, so that every memory has one write and one read port.
 *
 * Latency: 1 clock from `ff_en`/`up_en` to data. A written word can be read from the next clock on.
 * `wr_commit` closes a frame (next slot), `wr_abort` gives it up (the slot is written again); each acts
 * before a word that is written in the same clock.
 */
module activation_bank #(
    // Memories (z)
    parameter Z = 8,
    // Words per memory and slot
    parameter D = 4,
    // Words written per clock, divides Z
    parameter P_IN = 2,
    // Width of a word in bits
    parameter WIDTH = 12,
    // Frames held, at least 2
    parameter SLOTS = 4,
    // Width of an address in a slot (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of a slot number (derived)
    parameter SW = SLOTS > 1 ? $clog2(SLOTS) : 1
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  wr_valid,
    input  wire [P_IN*WIDTH-1:0] wr_data,
    input  wire                  wr_commit,
    input  wire                  wr_abort,

    input  wire                  ff_en,
    input  wire [SW-1:0]         ff_slot,
    input  wire [Z*AW-1:0]       ff_addr,
    output wire [Z*WIDTH-1:0]    ff_data,

    input  wire                  up_en,
    input  wire [SW-1:0]         up_slot,
    input  wire [Z*AW-1:0]       up_addr,
    output wire [Z*WIDTH-1:0]    up_data
);

`REQUIRE(g_slots, SLOTS >= 2, ("%m: SLOTS = %0d must be at least 2", SLOTS))
`REQUIRE(g_p_in, Z % P_IN == 0, ("%m: P_IN = %0d must divide Z = %0d", P_IN, Z))

localparam COLS = Z / P_IN;
localparam CW = COLS > 1 ? $clog2(COLS) : 1;
localparam DEPTH = SLOTS << AW;

reg  [CW-1:0] col_reg;
reg  [AW-1:0] row_reg;
reg  [SW-1:0] slot_reg;
wire          close = wr_commit || wr_abort;
wire [CW-1:0] col = close ? {CW{1'b0}} : col_reg;
wire [AW-1:0] row = close ? {AW{1'b0}} : row_reg;
wire [SW-1:0] slot_after = ({{32-SW{1'b0}}, slot_reg} == SLOTS-1) ? {SW{1'b0}} : slot_reg + 1'b1;
wire [SW-1:0] slot = wr_commit ? slot_after : slot_reg;
wire          col_last = {{32-CW{1'b0}}, col} == COLS-1;

always @(posedge clk) begin
    slot_reg <= slot;
    col_reg <= col;
    row_reg <= row;
    if (wr_valid) begin
        col_reg <= col_last ? {CW{1'b0}} : col + 1'b1;
        if (col_last) begin
            row_reg <= row + 1'b1;
        end
    end
    if (rst) begin
        slot_reg <= {SW{1'b0}};
        col_reg <= {CW{1'b0}};
        row_reg <= {AW{1'b0}};
    end
end

wire [SW+AW-1:0] wr_addr = {slot, row};

genvar m;

generate
    for (m = 0; m < Z; m = m + 1) begin : g_mem
        wire              we = wr_valid && {{32-CW{1'b0}}, col} == m / P_IN;
        wire [WIDTH-1:0]  word = wr_data[(m % P_IN)*WIDTH +: WIDTH];

        ram_sdp #(
            .WIDTH(WIDTH),
            .DEPTH(DEPTH)
        ) ff_ram (
            .clk(clk),
            .we(we),
            .waddr(wr_addr),
            .wdata(word),
            .re(ff_en),
            .raddr({ff_slot, ff_addr[m*AW +: AW]}),
            .rdata(ff_data[m*WIDTH +: WIDTH])
        );

        ram_sdp #(
            .WIDTH(WIDTH),
            .DEPTH(DEPTH)
        ) up_ram (
            .clk(clk),
            .we(we),
            .waddr(wr_addr),
            .wdata(word),
            .re(up_en),
            .raddr({up_slot, up_addr[m*AW +: AW]}),
            .rdata(up_data[m*WIDTH +: WIDTH])
        );
    end
endgenerate

endmodule
`resetall
