// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Second stage of the load engine: beats of the read port to who wants them
 *
 * Takes the operations of load_issue in order and hands each its beats: of MAP to the grid's maps, of STREAM to its
 * streams and to coordinate_check, of POINTERS to pointer_check alone. With WIDE = 2 the two beats of a pair go to
 * streams at once, to maps if these say so, else one after the other. `end_valid` says that an operation has all its
 * beats and that they are legal; `error` that one is not. Both come in the order of the operations.
 *
 * Latency: read beat to map_valid 0 clocks (map_ready to rd_ready too), to stream_valid 1 clock; the last beat of an
 * operation to end_valid, a bad beat to `error`, 3 clocks. Operations of one beat follow each other in every clock. An
 * entry that comes in clock c may take beats in c+2. After an error no more beats are taken.
 */
module load_deliver #(
    // PEs, 1 ... 64
    parameter P = 32,
    // bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // operations that can wait, at least 1
    parameter DEPTH = 32,
    // beats that can be taken at once, 1 or 2
    parameter WIDE = 1
) (
    input  wire           clk,
    input  wire           rst,           // synchronous, active high: forgets everything

    input  wire           op_valid,      // an entry of load_issue; there must be room
    input  wire [1:0]     op_kind,
    input  wire [3:0]     op_cause,
    input  wire [23:0]    op_index,
    input  wire [12:0]    op_commands,
    input  wire [19:0]    op_count,
    input  wire [31:0]    op_info,
    input  wire [P-1:0]   op_pes,

    input  wire           rd_valid,      // beats, see axi_read
    output wire           rd_ready,
    input  wire [WIDE*8*B-1:0] rd_data,
    input  wire           rd_pair,       // the next beat is there too (with WIDE = 2)
    output wire           rd_both,       // and is taken with this one
    input  wire           rd_last,       // of a command (with rd_pair the second one)
    input  wire [1:0]     rd_error,      // no beat: 1 refused, 2 SLVERR, 3 DECERR

    output wire           map_valid,     // to the grid
    input  wire           map_ready,
    output wire           map_pair,      // two words
    input  wire           map_both,      // and both are taken
    output wire [WIDE*8*B-1:0] map_data,
    output wire           stream_valid,
    output wire [1:0]     stream_select,
    output wire [P-1:0]   stream_pes,
    output wire [11:0]    stream_addr,
    output wire           stream_pair,   // two words
    output wire [WIDE*8*B-1:0] stream_data,

    output wire           end_valid,     // pulse: an operation has all its beats
    output wire           end_map,       // it is a map load
    output wire           error,         // pulse
    output wire [3:0]     error_cause,
    output wire [23:0]    error_index    // of the descriptor
);

`REQUIRE(g_p, P >= 1 && P <= 64, ("%m: P = %0d must be 1 to 64", P))
`REQUIRE(g_b, B >= 8 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 8 to 64", B))

localparam [1:0] MAP = 2'd1;
localparam [1:0] STREAM = 2'd2;
localparam [1:0] POINTERS = 2'd3;

`include "port_cause.vh"

localparam [3:0] NONE = 4'd0;

localparam [31:0] COORDINATES_WORD = B / 2;
localparam [31:0] POINTERS_WORD = B / 4;
localparam LW = DEPTH >= 1 ? $clog2(DEPTH + 1) : 1;

// --- the operation whose beats come ---

wire         fifo_ready;
wire [LW-1:0] unused_level;
wire         head_valid;
wire [1:0]   head_kind;
wire [3:0]   head_cause;
wire [23:0]  head_index;
wire [12:0]  head_commands;
wire [19:0]  head_count;
wire [31:0]  head_info;
wire [P-1:0] head_pes;
wire         op_end;

stream_fifo #(
    .WIDTH(95 + P),
    .DEPTH(DEPTH)
) fifo (
    .clk(clk),
    .rst(rst),
    .s_valid(op_valid),
    .s_ready(fifo_ready),
    .s_data({op_kind, op_cause, op_index, op_commands, op_count, op_info, op_pes}),
    .m_valid(head_valid),
    .m_ready(op_end),
    .m_data({head_kind, head_cause, head_index, head_commands, head_count, head_info, head_pes}),
    .level(unused_level)
);

// --- beats ---

reg         halt_reg;      // an error was found
reg         first_reg;     // the next beat is the first of its operation
reg  [12:0] command_reg;   // commands of this operation that are through
reg  [11:0] beat_reg;      // beats of it that were taken
reg  [19:0] left_reg;      // coordinates, or pointers less one, that have not come

wire        is_map = head_kind == MAP;
wire        bad_op = head_valid && !halt_reg && head_cause != NONE;
wire        open = head_valid && !halt_reg && head_cause == NONE;
wire        is_beat = rd_error == 2'd0;
wire        take = rd_valid && rd_ready;
wire        take_beat = take && is_beat;
wire        take_error = take && !is_beat;
wire        pair = WIDE != 1 && rd_pair;
wire        last = rd_last && (!pair || rd_both);
wire [19:0] left = first_reg ? head_count : left_reg;
wire [19:0] coordinates = rd_both ? COORDINATES_WORD[19:0] << 1 : COORDINATES_WORD[19:0];
wire [19:0] per_take = head_kind == POINTERS ? POINTERS_WORD[19:0] : coordinates;

assign rd_ready = open && (!is_map || !is_beat || map_ready);
assign op_end = take_beat && last && command_reg == head_commands;
assign map_valid = open && is_map && rd_valid && is_beat;
assign map_pair = pair;
assign map_data = rd_data;
assign rd_both = pair && (head_kind == STREAM || (is_map && map_both));

always @(posedge clk) begin
    if (take_beat) begin
        first_reg <= op_end;
        if (last) command_reg <= op_end ? 13'd0 : command_reg + 13'd1;
        beat_reg <= op_end ? 12'd0 : beat_reg + (rd_both ? 12'd2 : 12'd1);
        left_reg <= left > per_take ? left - per_take : 20'd0;
    end
    halt_reg <= halt_reg || bad_op || take_error;
    if (rst) begin
        halt_reg <= 1'b0;
        first_reg <= 1'b1;
        command_reg <= 13'd0;
        beat_reg <= 12'd0;
    end
end

// --- the beat, or what ends, 1 clock later ---

reg           stream1_reg;
reg           pointers1_reg;
reg           check1_reg;
reg           end1_reg;
reg           map1_reg;
reg           first1_reg;
reg  [3:0]    cause1_reg;
reg  [23:0]   index1_reg;
reg           pair1_reg;
reg  [WIDE*8*B-1:0] data1_reg;
reg  [31:0]   info1_reg;
reg  [11:0]   addr1_reg;
reg  [19:0]   left1_reg;
reg  [P-1:0]  pes1_reg;

always @(posedge clk) begin
    stream1_reg <= take_beat && head_kind == STREAM;
    pointers1_reg <= take_beat && head_kind == POINTERS;
    check1_reg <= take_beat && head_kind == STREAM && head_info[30];
    end1_reg <= op_end;
    cause1_reg <= bad_op ? head_cause : take_error ? read_cause(rd_error) : NONE;
    map1_reg <= is_map;
    first1_reg <= first_reg;
    index1_reg <= head_index;
    pair1_reg <= rd_both;
    data1_reg <= rd_data;
    info1_reg <= head_info;
    addr1_reg <= head_info[27:16] + beat_reg;
    left1_reg <= left;
    pes1_reg <= head_pes;
    if (rst) begin
        stream1_reg <= 1'b0;
        pointers1_reg <= 1'b0;
        check1_reg <= 1'b0;
        end1_reg <= 1'b0;
        cause1_reg <= NONE;
    end
end

assign stream_valid = stream1_reg;
assign stream_select = info1_reg[29:28];
assign stream_pes = pes1_reg;
assign stream_addr = addr1_reg;
assign stream_pair = pair1_reg;
assign stream_data = data1_reg;

// --- checks, 2 clocks ---

wire        bad_coordinate;
wire        bad_pointers;
wire        end3;
wire        map3;
wire [3:0]  cause3;
wire [23:0] index3;

coordinate_check #(
    .B(B),
    .WIDE(WIDE)
) check (
    .clk(clk),
    .rst(rst),
    .s_valid(check1_reg),
    .s_pair(pair1_reg),
    .s_data(data1_reg),
    .s_left(left1_reg[11:0]),
    .s_row(info1_reg[7:0]),
    .s_col(info1_reg[15:8]),
    .bad(bad_coordinate)
);

pointer_check #(
    .B(B)
) pointers (
    .clk(clk),
    .rst(rst),
    .s_valid(pointers1_reg),
    .s_first(first1_reg),
    .s_data(data1_reg[8*B-1:0]),
    .s_left(left1_reg),
    .s_elements(info1_reg),
    .bad(bad_pointers)
);

delay_line #(
    .WIDTH(5),
    .DEPTH(2),
    .RESET(1)
) what_line (
    .clk(clk),
    .rst(rst),
    .d({end1_reg, cause1_reg}),
    .q({end3, cause3})
);

delay_line #(
    .WIDTH(25),
    .DEPTH(2)
) whose_line (
    .clk(clk),
    .rst(rst),
    .d({map1_reg, index1_reg}),
    .q({map3, index3})
);

assign error = cause3 != NONE || bad_coordinate || bad_pointers;
assign error_cause = bad_coordinate ? `ARRAY_CAUSE_COORDINATE : bad_pointers ? `ARRAY_CAUSE_POINTERS : cause3;
assign error_index = index3;
assign end_valid = end3 && !error;
assign end_map = map3;

`ifdef SIMULATION
// An entry without room would be lost: stop, which fails the test
always @(posedge clk) begin
    if ($time != 0 && !rst && op_valid && !fifo_ready) begin
        $display("%m: no room for an entry");
        $finish;
    end
end
`else
wire unused_ready = fifo_ready;
`endif

endmodule
`resetall
