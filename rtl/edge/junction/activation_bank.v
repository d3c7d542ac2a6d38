// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Left activations of the samples in flight, for FF and for UP
 *
 * Frames of Z*D activations are written in natural order, P_IN per clock: neuron k belongs to memory k mod Z,
 * address k div Z. FF and UP read one word per memory and clock, each at its own slot, at the interleaved addresses.
 * Such memories are many and small, so each reader has only the few frames that it needs soon: FF those that wait for
 * it, written as they come, and UP two. All frames in between wait in natural order in a ring, one wide memory. From
 * there a frame is copied for UP in the pass before the one that reads it.
 *
 * Latency: 1 clock from `ff_en`/`up_en` to data. A written word can be read from the next clock on. The first word of
 * a copy is read from the ring COPY_DELAY clocks after the row of s0, and can be read by UP 2 clocks later.
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
    // Frames held for FF, at least 2
    parameter FF_SLOTS = 3,
    // Frames held until they are copied for UP, at least 2
    parameter SLOTS = 4,
    // Clocks from the first row of a pass (s0) to the first word of a copy
    parameter COPY_DELAY = 3,
    // Width of an address in a slot (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of the number of an FF slot (derived)
    parameter SW = FF_SLOTS > 1 ? $clog2(FF_SLOTS) : 1
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

    input  wire                  copy_start,  // a pass begins in the next clock
    input  wire                  copy_token,  // with copy_start: UP needs a frame in the pass after it

    input  wire                  up_en,
    input  wire                  up_slot,     // frames are copied to slots 0 and 1 in turn
    input  wire [Z*AW-1:0]       up_addr,
    output wire [Z*WIDTH-1:0]    up_data
);

`REQUIRE(g_ff_slots, FF_SLOTS >= 2, ("%m: FF_SLOTS = %0d must be at least 2", FF_SLOTS))
`REQUIRE(g_slots, SLOTS >= 2, ("%m: SLOTS = %0d must be at least 2", SLOTS))
`REQUIRE(g_p_in, Z % P_IN == 0, ("%m: P_IN = %0d must divide Z = %0d", P_IN, Z))

localparam COLS = Z / P_IN;
localparam CW = COLS > 1 ? $clog2(COLS) : 1;
localparam RW = SLOTS > 1 ? $clog2(SLOTS) : 1;

// --- write: the same place in the frame for FF and in the ring ---

reg  [CW-1:0] col_reg;
reg  [AW-1:0] row_reg;
reg  [SW-1:0] slot_reg;
reg  [RW-1:0] ring_slot_reg;
wire          close = wr_commit || wr_abort;
wire [CW-1:0] col = close ? {CW{1'b0}} : col_reg;
wire [AW-1:0] row = close ? {AW{1'b0}} : row_reg;
wire [SW-1:0] slot_after = ({{32-SW{1'b0}}, slot_reg} == FF_SLOTS-1) ? {SW{1'b0}} : slot_reg + 1'b1;
wire [SW-1:0] slot = wr_commit ? slot_after : slot_reg;
wire [RW-1:0] ring_slot_after = ({{32-RW{1'b0}}, ring_slot_reg} == SLOTS-1) ? {RW{1'b0}} : ring_slot_reg + 1'b1;
wire [RW-1:0] ring_slot = wr_commit ? ring_slot_after : ring_slot_reg;
wire          col_last = {{32-CW{1'b0}}, col} == COLS-1;

always @(posedge clk) begin
    slot_reg <= slot;
    ring_slot_reg <= ring_slot;
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
        ring_slot_reg <= {RW{1'b0}};
        col_reg <= {CW{1'b0}};
        row_reg <= {AW{1'b0}};
    end
end

// --- copy: words of the ring go on to UP's memories ---

wire          copy_open;
wire          copy_open_token;
wire [RW-1:0] copy_slot;
wire          to_slot;
reg           copy_reg;
reg  [CW-1:0] copy_col_reg;
reg  [AW-1:0] copy_row_reg;
wire          copy_col_last = {{32-CW{1'b0}}, copy_col_reg} == COLS-1;
wire          copy_row_last = {{32-AW{1'b0}}, copy_row_reg} == D-1;
reg           to_valid_reg;
reg           to_slot_reg;
reg  [CW-1:0] to_col_reg;
reg  [AW-1:0] to_row_reg;

delay_line #(
    .WIDTH(2),
    .DEPTH(COPY_DELAY),
    .RESET(1)
) copy_delay (
    .clk(clk),
    .rst(rst),
    .d({copy_start, copy_token}),
    .q({copy_open, copy_open_token})
);

slot_counter #(
    .SLOTS(SLOTS)
) copy_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(copy_open),
    .token(copy_open_token),
    .slot(copy_slot)
);

slot_counter #(
    .SLOTS(2)
) to_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(copy_open),
    .token(copy_open_token),
    .slot(to_slot)
);

always @(posedge clk) begin
    to_valid_reg <= copy_reg;
    to_slot_reg <= to_slot;
    to_col_reg <= copy_col_reg;
    to_row_reg <= copy_row_reg;
    copy_col_reg <= copy_col_last ? {CW{1'b0}} : copy_col_reg + 1'b1;
    if (copy_col_last) begin
        copy_row_reg <= copy_row_reg + 1'b1;
        if (copy_row_last) copy_reg <= 1'b0;
    end
    if (copy_open) begin
        copy_reg <= copy_open_token;
        copy_col_reg <= {CW{1'b0}};
        copy_row_reg <= {AW{1'b0}};
    end
    if (rst) begin
        copy_reg <= 1'b0;
        to_valid_reg <= 1'b0;
    end
end

// --- memories ---

wire [P_IN*WIDTH-1:0] to_data;

ram_sdp #(
    .WIDTH(P_IN*WIDTH),
    .DEPTH(SLOTS << (AW + CW))
) ring (
    .clk(clk),
    .we(wr_valid),
    .waddr({ring_slot, row, col}),
    .wdata(wr_data),
    .re(copy_reg),
    .raddr({copy_slot, copy_row_reg, copy_col_reg}),
    .rdata(to_data)
);

genvar m;

generate
    for (m = 0; m < Z; m = m + 1) begin : g_mem
        ram_sdp #(
            .WIDTH(WIDTH),
            .DEPTH(FF_SLOTS << AW)
        ) ff_ram (
            .clk(clk),
            .we(wr_valid && {{32-CW{1'b0}}, col} == m / P_IN),
            .waddr({slot, row}),
            .wdata(wr_data[(m % P_IN)*WIDTH +: WIDTH]),
            .re(ff_en),
            .raddr({ff_slot, ff_addr[m*AW +: AW]}),
            .rdata(ff_data[m*WIDTH +: WIDTH])
        );

        ram_sdp #(
            .WIDTH(WIDTH),
            .DEPTH(2 << AW)
        ) up_ram (
            .clk(clk),
            .we(to_valid_reg && {{32-CW{1'b0}}, to_col_reg} == m / P_IN),
            .waddr({to_slot_reg, to_row_reg}),
            .wdata(to_data[(m % P_IN)*WIDTH +: WIDTH]),
            .re(up_en),
            .raddr({up_slot, up_addr[m*AW +: AW]}),
            .rdata(up_data[m*WIDTH +: WIDTH])
        );
    end
endgenerate

endmodule
`resetall
