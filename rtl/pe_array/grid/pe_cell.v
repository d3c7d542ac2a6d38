// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * A processing element in its place in the grid
 *
 * Beside the PE: the fields of a command that every PE has for itself, the arbitration of its load port, and how
 * far it is ahead of the others.
 *
 * Latency: a stream beat is taken in the clock in which it comes; the map waits for it. All else is as in pe.
 *
 * Handshakes: `offer` stays until `taken` answers it in the same clock, with the fields as they are then. `ahead` is
 * high while this PE has finished more commands than `finish` has counted.
 */
module pe_cell #(
    // Parameters of the PE, see pe.v
    parameter B = 32,
    parameter ACC = 32,
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    parameter T_DEPTH = 64,
    parameter WIDE = 1,
    // Widths of their addresses (derived)
    parameter XAW = $clog2(X_DEPTH),
    parameter YAW = $clog2(Y_DEPTH),
    parameter WAW = $clog2(W_DEPTH),
    parameter EAW = $clog2(E_DEPTH),
    parameter TAW = $clog2(T_DEPTH)
) (
    input  wire             clk,
    input  wire             rst,            // synchronous, active high: drops commands, loads and gradients

    input  wire             set_valid,      // write a field
    input  wire [2:0]       set_field,      // 0 elements, 1 clear, 2 taps, 3 tbase, 4 xstride, 5 ystride
    input  wire [11:0]      set_value,      // low bits, as many as the field has

    input  wire             offer,          // a command, with these common fields (docs/pe_array/pe.md)
    output wire             taken,
    input  wire [1:0]       cmd_op,
    input  wire             cmd_swap,
    input  wire [EAW-1:0]   cmd_ebase,
    input  wire [WAW-1:0]   cmd_wbase,
    input  wire [6:0]       cmd_wstride,
    input  wire [XAW-1:0]   cmd_xbase,
    input  wire [YAW-1:0]   cmd_ybase,
    input  wire [YAW-1:0]   cmd_rbase,

    input  wire             stream_valid,   // a beat for W, E or T
    input  wire [1:0]       stream_select,  // 0 W, 1 E, 2 T
    input  wire [11:0]      stream_addr,    // word
    input  wire             stream_pair,    // two words (with WIDE = 2)
    input  wire [WIDE*B*8-1:0] stream_data, // bytes, the second word in the high bits

    input  wire             map_valid,      // a pixel word for X or Y
    output wire             map_ready,
    input  wire [2:0]       map_select,     // 0 X, 1 Y
    input  wire [11:0]      map_addr,       // word
    input  wire [B*8-1:0]   map_data,       // pixel word
    input  wire [3:0]       map_shift,      // Y: bits to the left

    input  wire             drain_read,     // see pe.v
    input  wire [YAW-1:0]   drain_addr,
    output wire [B*ACC-1:0] drain_data,     // 6 clocks later

    output wire             grad_valid,     // gradients, signed 32 bits
    input  wire             grad_ready,
    output wire [31:0]      grad_data,

    output wire             ahead,
    input  wire             finish,         // all PEs are ahead: count a command
    output wire             idle,           // no command is in the PE
    output wire             busy,           // an entry is issued
    output wire             stall           // an entry waits
);

reg [11:0]    elements_reg;
reg [10:0]    clear_reg;
reg [9:0]     taps_reg;
reg [TAW-1:0] tbase_reg;
reg [11:0]    xstride_reg;
reg [9:0]     ystride_reg;

always @(posedge clk) begin
    if (set_valid) begin
        case (set_field)
            `ARRAY_FIELD_ELEMENTS: elements_reg <= set_value;
            `ARRAY_FIELD_CLEAR: clear_reg <= set_value[10:0];
            `ARRAY_FIELD_TAPS: taps_reg <= set_value[9:0];
            `ARRAY_FIELD_TBASE: tbase_reg <= set_value[TAW-1:0];
            `ARRAY_FIELD_XSTRIDE: xstride_reg <= set_value;
            default: ystride_reg <= set_value[9:0];
        endcase
    end
end

wire load_ready;
wire cmd_ready;
wire done;
wire unused_drain_valid;

assign taken = offer && cmd_ready;
assign map_ready = load_ready && !stream_valid;

pe #(
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .WIDE(WIDE)
) pe (
    .clk(clk),
    .rst(rst),
    .cmd_valid(offer),
    .cmd_ready(cmd_ready),
    .cmd_op(cmd_op),
    .cmd_swap(cmd_swap),
    .cmd_clear(clear_reg),
    .cmd_elements(elements_reg),
    .cmd_ebase(cmd_ebase),
    .cmd_wbase(cmd_wbase),
    .cmd_wstride(cmd_wstride),
    .cmd_tbase(tbase_reg),
    .cmd_taps(taps_reg),
    .cmd_xbase(cmd_xbase),
    .cmd_xstride(xstride_reg),
    .cmd_ybase(cmd_ybase),
    .cmd_ystride(ystride_reg),
    .cmd_rbase(cmd_rbase),
    .load_valid(stream_valid || map_valid),
    .load_ready(load_ready),
    .load_select(stream_valid ? `ARRAY_MEMORY_W + {1'b0, stream_select} : map_select),
    .load_addr(stream_valid ? stream_addr : map_addr),
    .load_data(map_data),
    .load_pair(stream_pair),
    .load_stream(stream_data),
    .load_shift(map_shift),
    .drain_read(drain_read),
    .drain_addr(drain_addr),
    .drain_valid(unused_drain_valid),
    .drain_data(drain_data),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data),
    .done(done),
    .idle(idle),
    .busy(busy),
    .stall(stall)
);

// Commands done and not counted: at most those that another PE still holds
reg [5:0] done_reg;

assign ahead = done_reg != 6'd0;

always @(posedge clk) begin
    done_reg <= done_reg + {5'd0, done} - {5'd0, finish};
    if (rst) done_reg <= 6'd0;
end

endmodule
`resetall
