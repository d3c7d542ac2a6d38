// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Slot of a ring buffer that belongs to the sample of the current pass
 *
 * Every pass that carries a sample uses one slot, in turn.
 *
 * Latency: `slot` is valid from the clock after `pass_start` until the next `pass_start`.
 */
module slot_counter #(
    // Slots of the ring
    parameter SLOTS = 4,
    // Width of a slot number (derived)
    parameter SW = SLOTS > 1 ? $clog2(SLOTS) : 1
) (
    input  wire          clk,
    input  wire          rst,

    input  wire          pass_start,  // a pass begins in the next clock
    input  wire          token,       // with pass_start: that pass carries a sample
    output wire [SW-1:0] slot         // slot of the pass
);

reg          used_reg;
reg [SW-1:0] slot_reg;

assign slot = slot_reg;

always @(posedge clk) begin
    if (pass_start) begin
        used_reg <= token;
        if (used_reg) begin
            slot_reg <= ({{32-SW{1'b0}}, slot_reg} == SLOTS-1) ? {SW{1'b0}} : slot_reg + 1'b1;
        end
    end
    if (rst) begin
        used_reg <= 1'b0;
        slot_reg <= {SW{1'b0}};
    end
end

endmodule
`resetall
