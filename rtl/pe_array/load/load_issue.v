// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * First stage of the load engine: descriptors to read commands, and what the second stage must know of them
 *
 * docs/pe_array/load_engine.md. The read commands of a descriptor go out at once, its fields are checked meanwhile;
 * then two entries come out: `op_*` for who takes the beats (MAP, STREAM, POINTERS, and a descriptor with an error,
 * whose cause is not 0), `place_*` for who writes windows and sends map commands (WINDOW, MAP; none with an error).
 * Beats of a descriptor with an error may be read.
 *
 * Latency: a descriptor that is taken in clock c has its first rd_cmd_valid in c+1 and its entries in c+5; there is no
 * ready for entries: `room` says, in the clock in which a descriptor may be taken, that there is one for it. One
 * descriptor per clock while their commands are taken. POINTERS of more than 256 beats are read in runs of 256 and a
 * last one; like the many runs of a MAP they keep the next descriptor with beats waiting.
 */
module load_issue #(
    // PEs, 1 ... 64
    parameter P = 32,
    // bytes of a beat, a power of two, 8 ... 64
    parameter B = 32
) (
    input  wire         clk,
    input  wire         rst,             // synchronous, active high: forgets everything

    input  wire         room,            // one more descriptor may be taken
    input  wire         d_valid,         // a descriptor
    output wire         d_ready,
    input  wire [255:0] d_data,          // w0 in the low bits
    input  wire [23:0]  d_index,         // its place in the program

    output wire         rd_cmd_valid,    // read command
    input  wire         rd_cmd_ready,
    output wire [31:0]  rd_cmd_addr,     // byte address
    output wire [15:0]  rd_cmd_beats,    // beats less one

    output wire         op_valid,        // an operation in whose order beats come
    output wire [1:0]   op_kind,         // 1 MAP, 2 STREAM, 3 POINTERS
    output wire [3:0]   op_cause,        // not 0: the descriptor has this error, and no beats
    output wire [23:0]  op_index,        // its place in the program
    output wire [12:0]  op_commands,     // read commands less one
    output wire [19:0]  op_count,        // STREAM: coordinates to check; POINTERS: blocks
    output wire [31:0]  op_info,         // POINTERS: elements; STREAM: check (30), memory (29:28), first word (27:16),
                                         // limits of column (15:8) and row (7:0)
    output wire [P-1:0] op_pes,          // STREAM: PEs

    output wire         place_valid,     // an operation on windows
    output wire         place_window,    // WINDOW, else MAP
    output wire [107:0] place_fields     // WINDOW: slot (107:102), PE (101:96), rows and columns of Y and X, as
                                         // w6 ... w3 have them
                                         // MAP: the command for the grid, MAP_CMD_*
);

`REQUIRE(g_p, P >= 1 && P <= 64, ("%m: P = %0d must be 1 to 64", P))
`REQUIRE(g_b, B >= 8 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 8 to 64", B))

localparam [3:0] NONE = 4'd0;

localparam [31:0] P_WORD = P;
// (with legal stand-ins where B is not, so that every simulator gets as far as the message)
localparam RUN_BYTES = B >= 8 && B <= 64 ? B : 8;
// log2 of bytes and of pointers of a beat
localparam BYTE_BITS = $clog2(RUN_BYTES);
localparam POINTER_BITS = BYTE_BITS - 2;

// --- the descriptor ---

wire [7:0]  opcode = d_data[`ARRAY_D_OPCODE];
wire [7:0]  window_pe = d_data[`ARRAY_D_WINDOW_PE];
wire [7:0]  window_slot = d_data[`ARRAY_D_WINDOW_SLOT];
wire [7:0]  map_slot = d_data[`ARRAY_D_MAP_SLOT];
wire [63:0] pes = d_data[`ARRAY_D_STREAM_PES];
wire [19:0] blocks = d_data[`ARRAY_D_POINTERS_BLOCKS];

wire is_window = opcode == `ARRAY_OPCODE_WINDOW;
wire is_map = opcode == `ARRAY_OPCODE_MAP;
wire is_stream = opcode == `ARRAY_OPCODE_STREAM;
wire is_pointers = opcode == `ARRAY_OPCODE_POINTERS;
wire has_beats = is_map || is_stream || is_pointers;

wire [1:0] kind = {is_stream || is_pointers, is_map || is_pointers};

// What can be said of it at once; whether the runs fit the map comes later
wire [12:0] row_end = {1'b0, d_data[`ARRAY_D_MAP_ROW]} + {1'b0, d_data[`ARRAY_D_MAP_ROWS]};
wire        window_legal = window_pe < P_WORD[7:0] && window_slot < P_WORD[7:0];
wire        map_legal = d_data[`ARRAY_D_MAP_CHANNELS] <= 13'd4096 && row_end <= 13'd4095
                && (d_data[`ARRAY_D_MAP_ALL] || map_slot < P_WORD[7:0]);
wire        stream_legal = d_data[`ARRAY_D_STREAM_MEMORY] <= `ARRAY_STREAM_T;
wire        legal = is_window ? window_legal : is_map ? map_legal : is_stream ? stream_legal : 1'b1;
wire [3:0]  cause = !has_beats && !is_window ? `ARRAY_CAUSE_OPCODE : legal ? NONE : `ARRAY_CAUSE_FIELD;

// --- read commands ---

// Pointers: beats less one; whole runs of 256 beats first, then the rest, when the descriptor is no longer there
wire [19:0] pointer_beats = blocks >> POINTER_BITS;
wire [11:0] whole_runs = pointer_beats[19:8];
wire        whole = is_pointers && whole_runs != 12'd0;
wire [31:0] addr = is_map ? d_data[`ARRAY_D_MAP_ADDRESS] : is_stream ? d_data[`ARRAY_D_STREAM_ADDRESS]
                : d_data[`ARRAY_D_POINTERS_ADDRESS];
wire [31:0] rest_addr = addr + ({20'd0, whole_runs} << (8 + BYTE_BITS));
reg         rest_reg;
reg  [31:0] rest_addr_reg;
reg  [7:0]  rest_beats_reg;

wire runs_ready;
wire runs_valid = rest_reg || (d_valid && room && has_beats);
wire take = d_valid && d_ready;

assign d_ready = room && (!has_beats || (runs_ready && !rest_reg));

always @(posedge clk) begin
    if (!rest_reg) begin
        rest_reg <= take && whole;
        rest_addr_reg <= rest_addr;
        rest_beats_reg <= pointer_beats[7:0];
    end else if (runs_ready) begin
        rest_reg <= 1'b0;
    end
    if (rst) rest_reg <= 1'b0;
end

// The pattern of the descriptor
wire [15:0] run_beats = is_map ? d_data[`ARRAY_D_MAP_RUN_BEATS] : is_stream ? {4'd0, d_data[`ARRAY_D_STREAM_BEATS]}
                : whole ? 16'd255 : {8'd0, pointer_beats[7:0]};
wire [12:0] run_count = is_map ? d_data[`ARRAY_D_MAP_RUNS] : whole ? {1'b0, whole_runs} - 13'd1 : 13'd0;

wire        unused_last;
wire        unused_total_valid;
wire [41:0] total;

address_runs #(
    .B(RUN_BYTES)
) runs (
    .clk(clk),
    .rst(rst),
    .s_valid(runs_valid),
    .s_ready(runs_ready),
    .s_addr(rest_reg ? rest_addr_reg : addr),
    .s_beats(rest_reg ? {8'd0, rest_beats_reg} : run_beats),
    .s_runs(rest_reg ? 13'd0 : run_count),
    .s_run_stride(is_map ? d_data[`ARRAY_D_MAP_RUN_STRIDE] : 20'd256),
    .s_groups(12'd0),
    .s_group_stride(20'd0),
    .m_valid(rd_cmd_valid),
    .m_ready(rd_cmd_ready),
    .m_addr(rd_cmd_addr),
    .m_beats(rd_cmd_beats),
    .m_last(unused_last),
    .total_valid(unused_total_valid),
    .total(total)
);

// --- do the runs fit the map? ---

reg  [12:0] channels1_reg;
reg  [11:0] rows1_reg;
reg  [11:0] width1_reg;
reg  [24:0] plane2_reg;   // channels times rows: at most 2^25 - 2^13 - 2^12 + 1
reg  [11:0] width2_reg;
reg  [36:0] words3_reg;
reg  [36:0] words4_reg;

always @(posedge clk) begin
    channels1_reg <= d_data[`ARRAY_D_MAP_CHANNELS];
    rows1_reg <= d_data[`ARRAY_D_MAP_ROWS];
    width1_reg <= d_data[`ARRAY_D_MAP_WIDTH];
    plane2_reg <= {12'd0, channels1_reg} * {13'd0, rows1_reg};
    width2_reg <= width1_reg;
    words3_reg <= {12'd0, plane2_reg} * {25'd0, width2_reg};
    words4_reg <= words3_reg;
end

// --- entries, 5 clocks later ---

wire         taken4;
wire         map4;
wire         counted4;
wire [3:0]   cause4;
wire         window4;
wire [1:0]   kind4;
wire [23:0]  index4;
wire [12:0]  commands4;
wire [19:0]  count4;
wire [31:0]  info4;
wire [P-1:0] pes4;
wire [107:0] fields4;

wire [12:0]  commands = is_map ? d_data[`ARRAY_D_MAP_RUNS] : is_pointers ? {1'b0, whole_runs} : 13'd0;
wire [19:0]  count = is_pointers ? blocks : {8'd0, d_data[`ARRAY_D_STREAM_COORDINATES]};
wire [31:0]  stream_info = {1'b0, d_data[`ARRAY_D_STREAM_CHECK], d_data[`ARRAY_D_STREAM_MEMORY],
                 d_data[`ARRAY_D_STREAM_WORD], d_data[`ARRAY_D_STREAM_COL_MAX], d_data[`ARRAY_D_STREAM_ROW_MAX]};
wire [31:0]  info = is_pointers ? d_data[`ARRAY_D_POINTERS_ELEMENTS] : stream_info;
wire [107:0] window_fields = {window_slot[5:0], window_pe[5:0], d_data[`ARRAY_D_WINDOW_Y_ROWS],
                 d_data[`ARRAY_D_WINDOW_Y_COLUMNS], d_data[`ARRAY_D_WINDOW_X_ROWS], d_data[`ARRAY_D_WINDOW_X_COLUMNS]};
wire [107:0] map_fields;

assign map_fields[107:`ARRAY_MAP_CMD_BITS] = {(108-`ARRAY_MAP_CMD_BITS){1'b0}};
assign map_fields[`ARRAY_MAP_CMD_SHIFT] = d_data[`ARRAY_D_MAP_SHIFT];
assign map_fields[`ARRAY_MAP_CMD_BASE] = d_data[`ARRAY_D_MAP_BASE];
assign map_fields[`ARRAY_MAP_CMD_SLOT] = map_slot[5:0];
assign map_fields[`ARRAY_MAP_CMD_ALL] = d_data[`ARRAY_D_MAP_ALL];
assign map_fields[`ARRAY_MAP_CMD_Y] = d_data[`ARRAY_D_MAP_Y];
assign map_fields[`ARRAY_MAP_CMD_WIDTH] = d_data[`ARRAY_D_MAP_WIDTH];
assign map_fields[`ARRAY_MAP_CMD_ROWS] = d_data[`ARRAY_D_MAP_ROWS];
assign map_fields[`ARRAY_MAP_CMD_ROW] = d_data[`ARRAY_D_MAP_ROW];
assign map_fields[`ARRAY_MAP_CMD_CHANNELS] = d_data[`ARRAY_D_MAP_CHANNELS];

delay_line #(
    .WIDTH(1),
    .DEPTH(4),
    .RESET(1)
) taken_line (
    .clk(clk),
    .rst(rst),
    .d(take),
    .q(taken4)
);

delay_line #(
    .WIDTH(206 + P),
    .DEPTH(4)
) entry_line (
    .clk(clk),
    .rst(rst),
    .d({is_map, has_beats, is_window, cause, kind, d_index, commands, count, info, pes[P-1:0],
        is_window ? window_fields : map_fields}),
    .q({map4, counted4, window4, cause4, kind4, index4, commands4, count4, info4, pes4, fields4})
);

reg          op_valid_reg;
reg          place_valid_reg;
reg          window_reg;
reg  [1:0]   kind_reg;
reg  [3:0]   cause_reg;
reg  [23:0]  index_reg;
reg  [12:0]  commands_reg;
reg  [19:0]  count_reg;
reg  [31:0]  info_reg;
reg  [P-1:0] pes_reg;
reg  [107:0] fields_reg;

wire [3:0]   cause_next = map4 && {5'd0, words4_reg} != total ? `ARRAY_CAUSE_FIELD : cause4;

always @(posedge clk) begin
    op_valid_reg <= taken4 && (counted4 || cause4 != NONE);
    place_valid_reg <= taken4 && cause_next == NONE && (window4 || map4);
    window_reg <= window4;
    kind_reg <= kind4;
    cause_reg <= cause_next;
    index_reg <= index4;
    commands_reg <= commands4;
    count_reg <= count4;
    info_reg <= info4;
    pes_reg <= pes4;
    fields_reg <= fields4;
    if (rst) begin
        op_valid_reg <= 1'b0;
        place_valid_reg <= 1'b0;
    end
end

assign op_valid = op_valid_reg;
assign op_kind = kind_reg;
assign op_cause = cause_reg;
assign op_index = index_reg;
assign op_commands = commands_reg;
assign op_count = count_reg;
assign op_info = info_reg;
assign op_pes = pes_reg;
assign place_valid = place_valid_reg;
assign place_window = window_reg;
assign place_fields = fields_reg;

wire unused = &{1'b0, `ARRAY_D_UNUSED_LOAD(d_data), pes};

endmodule
`resetall
