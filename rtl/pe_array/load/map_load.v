// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Feature maps from the memory port to the PEs that need them
 *
 * map_raster and one map_window per PE (docs/pe_array/map_load.md). One beat per clock, with WIDE = 2 also two of one
 * row. A PE that is not ready makes the stream wait only when its FIFO is full.
 *
 * Latency: a beat stands at the load ports STAGES + 2 clocks after it was taken, if nothing waits.
 */
module map_load #(
    // PEs, 1 … 64
    parameter P = 32,
    // bytes of a pixel word
    parameter B = 32,
    // registers of the broadcast, at least 1
    parameter STAGES = 2,
    // beats that can wait at a PE, at least STAGES + 5; 2*STAGES + 8 keeps the rate where PEs wait now and then
    parameter DEPTH = 16,
    // beats that may be taken at once: 1, or 2
    parameter WIDE = 1,
    // bits of the number of a PE or slot (derived)
    parameter SW = P > 1 ? $clog2(P) : 1
) (
    input  wire             clk,
    input  wire             rst,          // synchronous, active high: forgets everything but the windows

    input  wire             set_valid,    // write a register of a window, while no load runs
    input  wire [SW-1:0]    set_pe,       // of this PE
    input  wire [2:0]       set_select,   // 0 columns of X, 1 rows of X, 2 columns of Y, 3 rows of Y, 4 slot
    input  wire [23:0]      set_data,     // first in the low 12 bits, last + 1 in the high ones; slot in the low bits

    input  wire             cmd_valid,    // see map_raster
    output wire             cmd_ready,
    input  wire [`ARRAY_MAP_CMD_BITS-1:0] cmd,
    output wire             cmd_error,
    output wire             done,

    input  wire             s_valid,
    output wire             s_ready,
    input  wire             s_pair,
    output wire             s_both,
    input  wire [WIDE*8*B-1:0] s_data,    // pixel word, and above it the next one

    output wire [P-1:0]     load_valid,   // to the PEs, PE 0 in the low bits
    input  wire [P-1:0]     load_ready,
    output wire [3*P-1:0]   load_select,
    output wire [12*P-1:0]  load_addr,
    output wire [8*B*P-1:0] load_data,
    output wire [4*P-1:0]   load_shift,

    output wire             idle          // no command and no beat inside
);

wire           b_valid;
wire           b_first;
wire           b_last;
wire           b_pair;
wire [11:0]    b_row;
wire [11:0]    b_col;
wire           b_y;
wire           b_all;
wire [SW-1:0]  b_slot;
wire [11:0]    b_base;
wire [3:0]     b_shift;
wire [WIDE*8*B-1:0] b_data;
wire [P-1:0]   room;
wire [P-1:0]   ended;

map_raster #(
    .P(P),
    .B(B),
    .STAGES(STAGES),
    .WIDE(WIDE)
) raster (
    .clk(clk),
    .rst(rst),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd(cmd),
    .cmd_error(cmd_error),
    .done(done),
    .s_valid(s_valid),
    .s_ready(s_ready),
    .s_pair(s_pair),
    .s_both(s_both),
    .s_data(s_data),
    .b_valid(b_valid),
    .b_first(b_first),
    .b_last(b_last),
    .b_pair(b_pair),
    .b_row(b_row),
    .b_col(b_col),
    .b_y(b_y),
    .b_all(b_all),
    .b_slot(b_slot),
    .b_base(b_base),
    .b_shift(b_shift),
    .b_data(b_data),
    .room(room),
    .ended(ended),
    .idle(idle)
);

genvar p;

generate
    for (p = 0; p < P; p = p + 1) begin : g_pe
        localparam [31:0] NUMBER = p;
        map_window #(
            .B(B),
            .SW(SW),
            .STAGES(STAGES),
            .DEPTH(DEPTH),
            .WIDE(WIDE)
        ) window (
            .clk(clk),
            .rst(rst),
            .set_valid(set_valid && set_pe == NUMBER[SW-1:0]),
            .set_select(set_select),
            .set_data(set_data),
            .b_valid(b_valid),
            .b_first(b_first),
            .b_last(b_last),
            .b_pair(b_pair),
            .b_row(b_row),
            .b_col(b_col),
            .b_y(b_y),
            .b_all(b_all),
            .b_slot(b_slot),
            .b_base(b_base),
            .b_shift(b_shift),
            .b_data(b_data),
            .room(room[p]),
            .ended(ended[p]),
            .load_valid(load_valid[p]),
            .load_ready(load_ready[p]),
            .load_select(load_select[3*p +: 3]),
            .load_addr(load_addr[12*p +: 12]),
            .load_data(load_data[8*B*p +: 8*B]),
            .load_shift(load_shift[4*p +: 4])
        );
    end
endgenerate

endmodule
`resetall
