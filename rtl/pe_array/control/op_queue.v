// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Queue of an engine: descriptors that wait until enough operations are done
 *
 * A FIFO, and behind it the gate: its descriptor comes out when the loads, computes and stores done have reached the
 * numbers that it names. The counts never fall while a descriptor is inside, so d_valid does not fall before d_ready.
 *
 * Latency: 3 clocks from s_* to d_valid if nothing is before it and the counts are reached; 1 clock from the counts to
 * d_valid, so 2 from a pulse of done that the dispatcher counts. One descriptor per clock.
 */
module op_queue #(
    // Descriptors in the FIFO, at least 3; one more is at the gate
    parameter DEPTH = 8
) (
    input  wire         clk,
    input  wire         rst,            // synchronous, active high: forgets everything

    input  wire         s_valid,        // descriptors of this engine, in order
    output wire         s_ready,        // low in and one clock after a reset
    input  wire [255:0] s_data,
    input  wire [23:0]  s_index,

    input  wire [23:0]  loads_done,     // operations done since the program began
    input  wire [23:0]  computes_done,
    input  wire [23:0]  stores_done,

    output wire         d_valid,        // a descriptor whose counts are reached
    input  wire         d_ready,
    output wire [255:0] d_data,
    output wire [23:0]  d_index,        // its place in the program

    output wire         empty           // no descriptor is inside
);

`REQUIRE(g_depth, DEPTH >= 3, ("%m: DEPTH = %0d must be at least 3", DEPTH))

// (with a legal stand-in where DEPTH is not, so that every simulator gets as far as the message)
localparam CW = DEPTH > 0 ? $clog2(DEPTH + 1) : 1;

wire          head_valid;
wire [255:0]  head_data;
wire [23:0]   head_index;
wire [CW-1:0] level;

reg         full_reg;       // a descriptor is at the gate
reg         open_reg;       // its counts are reached
reg [255:0] data_reg;
reg [23:0]  index_reg;

wire leave = open_reg && d_ready;
wire move = head_valid && (!full_reg || leave);

wire head_reached = loads_done >= head_data[`ARRAY_D_AFTER_LOADS] && computes_done >= head_data[`ARRAY_D_AFTER_COMPUTES]
    && stores_done >= head_data[`ARRAY_D_AFTER_STORES];
wire gate_reached = loads_done >= data_reg[`ARRAY_D_AFTER_LOADS] && computes_done >= data_reg[`ARRAY_D_AFTER_COMPUTES]
    && stores_done >= data_reg[`ARRAY_D_AFTER_STORES];

stream_fifo #(
    .WIDTH(280),
    .DEPTH(DEPTH)
) fifo (
    .clk(clk),
    .rst(rst),
    .s_valid(s_valid),
    .s_ready(s_ready),
    .s_data({s_index, s_data}),
    .m_valid(head_valid),
    .m_ready(!full_reg || leave),
    .m_data({head_index, head_data}),
    .level(level)
);

always @(posedge clk) begin
    if (move) begin
        data_reg <= head_data;
        index_reg <= head_index;
    end
    full_reg <= move || (full_reg && !leave);
    open_reg <= move ? head_reached : full_reg && !leave && gate_reached;
    if (rst) begin
        full_reg <= 1'b0;
        open_reg <= 1'b0;
    end
end

assign d_valid = open_reg;
assign d_data = data_reg;
assign d_index = index_reg;
assign empty = !full_reg && level == {CW{1'b0}};

endmodule
`resetall
