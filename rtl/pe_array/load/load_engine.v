// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Load engine: memory to X, Y, W, E and T of the PEs, and checks of what is loaded
 *
 * docs/pe_array/load_engine.md: descriptors WINDOW, MAP, STREAM, POINTERS. load_issue sends the read commands of each
 * as soon as it is taken, load_deliver hands out their beats when they come; up to DEPTH descriptors are in between, so
 * that short streams do not pay the memory's latency each. load_place writes windows and sends map commands ahead of
 * their beats; load_order makes one `done` of every MAP, STREAM and POINTERS, in order.
 *
 * With WIDE = 2 two beats that come as a pair (axi_read) are taken in one clock by a STREAM, and by a MAP if they are
 * of one row.
 *
 * Latency: a descriptor that is taken in clock c has its first rd_cmd_valid in c+1, may take beats from c+7 on and have
 * map_cmd_valid or window_valid in c+7; the 5 registers of a WINDOW take a clock each. Read beat to map_valid 0 clocks,
 * to stream_valid 1 clock. Last beat to done: POINTERS 4 clocks, STREAM 4 or STAGES + 2 if that is more (its last beat
 * is then `streamed`), MAP 1 clock after map_done.
 *
 * Errors come in the order of the descriptors, 4 clocks after the beat, or after the beats before the descriptor if the
 * fault is in that itself: `error` pulses once, then there is no `done` any more, until rst.
 */
module load_engine #(
    // PEs, 1 ... 64
    parameter P = 32,
    // bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // registers of the grid's broadcast, as in pe_grid, at least 1
    parameter STAGES = 2,
    // descriptors taken and not done, at least 2
    parameter DEPTH = 32,
    // beats that can be taken at once, 1 or 2
    parameter WIDE = 1,
    // bits of the number of a PE (derived)
    parameter SW = P > 1 ? $clog2(P) : 1
) (
    input  wire           clk,
    input  wire           rst,              // synchronous, active high: forgets everything

    input  wire           d_valid,          // descriptor whose counts are reached
    output wire           d_ready,
    input  wire [255:0]   d_data,           // w0 in the low bits
    input  wire [23:0]    d_index,          // its place in the program
    output wire           done,             // pulse: the next MAP, STREAM or POINTERS is done
    output wire           idle,             // nothing begun and not done
    output wire           error,            // pulse: the first error
    output wire [3:0]     error_cause,      // 1 opcode, 2 field, 3 refused, 4 SLVERR, 5 DECERR, 8 pointer, 9 coordinate
    output wire [23:0]    error_index,      // of the descriptor

    output wire           rd_cmd_valid,     // read port, see axi_read
    input  wire           rd_cmd_ready,
    output wire [31:0]    rd_cmd_addr,      // byte address
    output wire [15:0]    rd_cmd_beats,     // beats less one
    input  wire           rd_valid,
    output wire           rd_ready,
    input  wire [WIDE*8*B-1:0] rd_data,
    input  wire           rd_pair,          // the next beat is there too, in the high bits (with WIDE = 2)
    output wire           rd_both,          // and is taken with this one
    input  wire           rd_last,          // of a command (with rd_pair the second one)
    input  wire [1:0]     rd_error,         // no beat: 1 refused, 2 SLVERR, 3 DECERR

    output wire           window_valid,     // the grid's loads, see pe_grid
    output wire [SW-1:0]  window_pe,
    output wire [2:0]     window_select,
    output wire [23:0]    window_data,
    output wire           map_cmd_valid,
    input  wire           map_cmd_ready,
    output wire [`ARRAY_MAP_CMD_BITS-1:0] map_cmd,
    input  wire           map_done,
    input  wire           map_idle,
    output wire           map_valid,
    input  wire           map_ready,
    output wire           map_pair,
    input  wire           map_both,
    output wire [WIDE*8*B-1:0] map_data,
    output wire           stream_valid,
    output wire [1:0]     stream_select,
    output wire [P-1:0]   stream_pes,
    output wire [11:0]    stream_addr,
    output wire           stream_pair,
    output wire [WIDE*8*B-1:0] stream_data,
    input  wire           streamed
);

`REQUIRE(g_stages, STAGES >= 1, ("%m: STAGES = %0d must be at least 1", STAGES))
`REQUIRE(g_depth, DEPTH >= 2, ("%m: DEPTH = %0d must be at least 2", DEPTH))

// A stream's end comes 3 clocks after its last beat, and has to be `done` STAGES + 2 after it, at the earliest
localparam EXTRA = STAGES > 2 ? STAGES - 2 : 0;
// (with a legal stand-in where DEPTH is not, so that every simulator gets as far as the message)
localparam CW = $clog2((DEPTH >= 2 ? DEPTH : 2) + 1);
localparam [31:0] DEPTH_WORD = DEPTH;
localparam [CW-1:0] FULL = DEPTH_WORD[CW-1:0];
localparam [CW-1:0] ONE = 1;

// --- descriptors inside ---

reg  [CW-1:0] inside_reg;
reg           halted_reg;
wire          take = d_valid && d_ready;
wire          window_done;

// (take comes last)
wire [CW-1:0] stay = inside_reg - {{(CW-1){1'b0}}, done} - {{(CW-1){1'b0}}, window_done};

always @(posedge clk) begin
    inside_reg <= take ? stay + ONE : stay;
    if (rst) inside_reg <= {CW{1'b0}};
end

assign idle = inside_reg == {CW{1'b0}} && streamed;

// --- issue ---

wire         op_valid;
wire [1:0]   op_kind;
wire [3:0]   op_cause;
wire [23:0]  op_index;
wire [12:0]  op_commands;
wire [19:0]  op_count;
wire [31:0]  op_info;
wire [P-1:0] op_pes;
wire         place_valid;
wire         place_window;
wire [107:0] place_fields;

load_issue #(
    .P(P),
    .B(B)
) issue (
    .clk(clk),
    .rst(rst),
    .room(inside_reg != FULL),
    .d_valid(d_valid),
    .d_ready(d_ready),
    .d_data(d_data),
    .d_index(d_index),
    .rd_cmd_valid(rd_cmd_valid),
    .rd_cmd_ready(rd_cmd_ready),
    .rd_cmd_addr(rd_cmd_addr),
    .rd_cmd_beats(rd_cmd_beats),
    .op_valid(op_valid),
    .op_kind(op_kind),
    .op_cause(op_cause),
    .op_index(op_index),
    .op_commands(op_commands),
    .op_count(op_count),
    .op_info(op_info),
    .op_pes(op_pes),
    .place_valid(place_valid),
    .place_window(place_window),
    .place_fields(place_fields)
);

load_place #(
    .P(P),
    .DEPTH(DEPTH)
) place (
    .clk(clk),
    .rst(rst),
    .place_valid(place_valid),
    .place_window(place_window),
    .place_fields(place_fields),
    .window_done(window_done),
    .window_valid(window_valid),
    .window_pe(window_pe),
    .window_select(window_select),
    .window_data(window_data),
    .map_cmd_valid(map_cmd_valid),
    .map_cmd_ready(map_cmd_ready),
    .map_cmd(map_cmd),
    .map_idle(map_idle)
);

// --- deliver ---

wire        end_valid;
wire        end_map;
wire        fault;
wire [3:0]  fault_cause;
wire [23:0] fault_index;

load_deliver #(
    .P(P),
    .B(B),
    .DEPTH(DEPTH),
    .WIDE(WIDE)
) deliver (
    .clk(clk),
    .rst(rst),
    .op_valid(op_valid),
    .op_kind(op_kind),
    .op_cause(op_cause),
    .op_index(op_index),
    .op_commands(op_commands),
    .op_count(op_count),
    .op_info(op_info),
    .op_pes(op_pes),
    .rd_valid(rd_valid),
    .rd_ready(rd_ready),
    .rd_data(rd_data),
    .rd_pair(rd_pair),
    .rd_both(rd_both),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .map_valid(map_valid),
    .map_ready(map_ready),
    .map_pair(map_pair),
    .map_both(map_both),
    .map_data(map_data),
    .stream_valid(stream_valid),
    .stream_select(stream_select),
    .stream_pes(stream_pes),
    .stream_addr(stream_addr),
    .stream_pair(stream_pair),
    .stream_data(stream_data),
    .end_valid(end_valid),
    .end_map(end_map),
    .error(fault),
    .error_cause(fault_cause),
    .error_index(fault_index)
);

// --- done, in order ---

wire end_late;
wire end_map_late;
wire order_done;

delay_line #(
    .WIDTH(2),
    .DEPTH(EXTRA),
    .RESET(1)
) end_line (
    .clk(clk),
    .rst(rst),
    .d({end_valid, end_map}),
    .q({end_late, end_map_late})
);

load_order #(
    .DEPTH(DEPTH)
) order (
    .clk(clk),
    .rst(rst),
    .push(end_late),
    .push_map(end_map_late),
    .map_done(map_done),
    .done(order_done)
);

assign done = order_done && !halted_reg;

// --- the first error ---

reg        error_reg;
reg [3:0]  cause_reg;
reg [23:0] index_reg;

always @(posedge clk) begin
    error_reg <= fault && !halted_reg;
    halted_reg <= halted_reg || fault;
    if (!halted_reg) begin
        cause_reg <= fault_cause;
        index_reg <= fault_index;
    end
    if (rst) begin
        error_reg <= 1'b0;
        halted_reg <= 1'b0;
    end
end

assign error = error_reg;
assign error_cause = cause_reg;
assign error_index = index_reg;

endmodule
`resetall
