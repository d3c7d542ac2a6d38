// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Windows of PEs and map commands, in order
 *
 * The part of the load engine that writes windows and tells the grid which maps come. Map commands go out ahead of
 * their beats, so that maps follow each other without a gap; a window is written when the grid has all maps before it
 * (map_idle).
 *
 * Latency: an entry that comes in clock c is at the grid in c+2 if none is before it and it need not wait. A map
 * command takes a clock, a window the 5 clocks of its registers; window_done pulses in the last of them.
 */
module load_place #(
    // PEs, 1 ... 64
    parameter P = 32,
    // entries that can wait, at least 1
    parameter DEPTH = 32,
    // bits of the number of a PE (derived)
    parameter SW = P > 1 ? $clog2(P) : 1
) (
    input  wire          clk,
    input  wire          rst,              // synchronous, active high: forgets everything

    input  wire          place_valid,      // an entry of load_issue; there must be room
    input  wire          place_window,
    input  wire [107:0]  place_fields,
    output wire          window_done,      // pulse: a WINDOW is written

    output wire          window_valid,     // to the grid
    output wire [SW-1:0] window_pe,
    output wire [2:0]    window_select,    // 0 columns of X, 1 rows of X, 2 columns of Y, 3 rows of Y, 4 slot
    output wire [23:0]   window_data,
    output wire          map_cmd_valid,
    input  wire          map_cmd_ready,
    output wire [`ARRAY_MAP_CMD_BITS-1:0] map_cmd,
    input  wire          map_idle
);

`REQUIRE(g_p, P >= 1 && P <= 64, ("%m: P = %0d must be 1 to 64", P))

localparam LW = DEPTH >= 1 ? $clog2(DEPTH + 1) : 1;

wire         head_valid;
wire         head_window;
wire [107:0] head;
reg  [2:0]   select_reg;   // next register of the window to write
wire         fifo_ready;
wire [LW-1:0] unused_level;
wire         pop = window_done || (map_cmd_valid && map_cmd_ready);

stream_fifo #(
    .WIDTH(109),
    .DEPTH(DEPTH)
) fifo (
    .clk(clk),
    .rst(rst),
    .s_valid(place_valid),
    .s_ready(fifo_ready),
    .s_data({place_window, place_fields}),
    .m_valid(head_valid),
    .m_ready(pop),
    .m_data({head_window, head}),
    .level(unused_level)
);

always @(posedge clk) begin
    if (window_valid) select_reg <= window_done ? 3'd0 : select_reg + 3'd1;
    if (rst) select_reg <= 3'd0;
end

// WINDOW: slot (107:102), PE (101:96), rows of Y, columns of Y, rows of X, columns of X
assign window_valid = head_valid && head_window && map_idle;
assign window_done = window_valid && select_reg == `ARRAY_WINDOW_SLOT;
assign window_pe = head[96 +: SW];
assign window_select = select_reg;
assign window_data = select_reg == `ARRAY_WINDOW_SLOT ? {18'd0, head[107:102]} : head[24*select_reg[1:0] +: 24];

// MAP
assign map_cmd_valid = head_valid && !head_window;
assign map_cmd = head[`ARRAY_MAP_CMD_BITS-1:0];

`ifdef SIMULATION
// An entry without room would be lost: stop, which fails the test
always @(posedge clk) begin
    if ($time != 0 && !rst && place_valid && !fifo_ready) begin
        $display("%m: no room for an entry");
        $finish;
    end
end
`else
wire unused_ready = fifo_ready;
`endif

endmodule
`resetall
