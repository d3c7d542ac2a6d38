// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Ring buffer of right-neuron data, written and read in natural order
 *
 * A frame is GROUPS words, written in order and closed by `wr_last`. A pass reads the frame of its sample
 * from the first group on: `rd_start` opens the pass (with `rd_token` if it carries a sample), `rd_step`
 * moves to the next group.
 *
 * Latency: 1 clock from `rd_en` to `rd_data`. A written word can be read from the next clock on.
 */
module natural_bank #(
    // Width of a group in bits
    parameter WIDTH = 24,
    // Groups per frame
    parameter GROUPS = 8,
    // Frames held, at least 2
    parameter SLOTS = 4
) (
    input  wire             clk,
    input  wire             rst,

    input  wire             wr_valid,
    input  wire             wr_last,   // with wr_valid: last group of the frame
    input  wire [WIDTH-1:0] wr_data,

    input  wire             rd_start,  // a pass begins in the next clock
    input  wire             rd_token,  // with rd_start: it carries a sample
    input  wire             rd_en,     // read the current group
    input  wire             rd_step,   // go to the next group after this clock
    output wire [WIDTH-1:0] rd_data
);

`REQUIRE(g_slots, SLOTS >= 2, ("%m: SLOTS = %0d must be at least 2", SLOTS))

localparam GW = GROUPS > 1 ? $clog2(GROUPS) : 1;
localparam SW = SLOTS > 1 ? $clog2(SLOTS) : 1;

reg  [GW-1:0] wr_group_reg;
reg  [SW-1:0] wr_slot_reg;
reg  [GW-1:0] rd_group_reg;
wire [SW-1:0] rd_slot;

slot_counter #(
    .SLOTS(SLOTS)
) rd_slots (
    .clk(clk),
    .rst(rst),
    .pass_start(rd_start),
    .token(rd_token),
    .slot(rd_slot)
);

always @(posedge clk) begin
    if (wr_valid) begin
        wr_group_reg <= wr_group_reg + 1'b1;
        if (wr_last) begin
            wr_group_reg <= {GW{1'b0}};
            wr_slot_reg <= ({{32-SW{1'b0}}, wr_slot_reg} == SLOTS-1) ? {SW{1'b0}} : wr_slot_reg + 1'b1;
        end
    end
    if (rd_step) begin
        rd_group_reg <= rd_group_reg + 1'b1;
    end
    if (rd_start) begin
        rd_group_reg <= {GW{1'b0}};
    end
    if (rst) begin
        wr_group_reg <= {GW{1'b0}};
        wr_slot_reg <= {SW{1'b0}};
        rd_group_reg <= {GW{1'b0}};
    end
end

ram_sdp #(
    .WIDTH(WIDTH),
    .DEPTH(SLOTS << GW)
) ram (
    .clk(clk),
    .we(wr_valid),
    .waddr({wr_slot_reg, wr_group_reg}),
    .wdata(wr_data),
    .re(rd_en),
    .raddr({rd_slot, rd_group_reg}),
    .rdata(rd_data)
);

endmodule
`resetall
