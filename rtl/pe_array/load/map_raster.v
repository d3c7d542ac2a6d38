// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Beats of feature-map loads, with their places in the map, to all PEs
 *
 * A command says which channels and rows of a map the next channels*rows*width beats are, channel by channel in raster
 * order. Each beat is broadcast with its row and column through STAGES registers (the last of which synthesis may
 * duplicate), one beat per clock; windows at the PEs (map_window) take what lies inside.
 *
 * With WIDE = 2 the next two beats may be there at once (s_pair). s_both says that then both are taken, as a pair on
 * the broadcast: they lie in one row, and the second is no last beat that has to wait. Otherwise the first is taken.
 *
 * s_ready is low while any window has no room, without a command, and for the last beat of a command until the command
 * before is done. `done` pulses when all PEs have taken all beats of a command: STAGES + 5 clocks after its last beat
 * where no PE has made a beat wait. A command that is taken in clock c while none runs has s_ready from clock c+3 on;
 * one waits while another runs, and follows without a gap if it was taken 2 clocks before the last beat or earlier.
 *
 * Latency: a beat is at b_* STAGES clocks after it was taken. An illegal command is dropped: no beat is taken for it,
 * cmd_error comes 3 clocks after it was taken.
 */
module map_raster #(
    // PEs, 1 … 64
    parameter P = 32,
    // bytes of a pixel word
    parameter B = 32,
    // registers of the broadcast, at least 1
    parameter STAGES = 2,
    // beats of a command that may be taken at once: 1, or 2
    parameter WIDE = 1,
    // bits of a slot's number (derived)
    parameter SW = P > 1 ? $clog2(P) : 1
) (
    input  wire           clk,
    input  wire           rst,          // synchronous, active high: forgets everything

    input  wire           cmd_valid,
    output wire           cmd_ready,
    input  wire [`ARRAY_MAP_CMD_BITS-1:0] cmd,
    output wire           cmd_error,    // pulse: a command was illegal
    output wire           done,         // pulse: all PEs have taken all beats of a command

    input  wire           s_valid,
    output wire           s_ready,
    input  wire           s_pair,       // the next pixel word is there too
    output wire           s_both,       // with s_ready and s_pair: both are taken; low with WIDE = 1
    input  wire [WIDE*8*B-1:0] s_data,  // pixel word, and above it the next one

    output wire           b_valid,      // broadcast, see map_window
    output wire           b_first,
    output wire           b_last,
    output wire           b_pair,
    output wire [11:0]    b_row,
    output wire [11:0]    b_col,
    output wire           b_y,
    output wire           b_all,
    output wire [SW-1:0]  b_slot,
    output wire [11:0]    b_base,
    output wire [3:0]     b_shift,
    output wire [WIDE*8*B-1:0] b_data,

    input  wire [P-1:0]   room,         // of the windows: there is room for what is on its way and more
    input  wire [P-1:0]   ended,        // of the windows: changes with every command that is through

    output wire           idle          // no command waits, runs or is to be completed
);

`REQUIRE(g_p, P >= 1 && P <= 64, ("%m: P = %0d must be 1 to 64", P))
`REQUIRE(g_b, B >= 1, ("%m: B = %0d must be at least 1", B))
`REQUIRE(g_stages, STAGES >= 1, ("%m: STAGES = %0d must be at least 1", STAGES))
`REQUIRE(g_wide, WIDE == 1 || WIDE == 2, ("%m: WIDE = %0d must be 1 or 2", WIDE))

localparam [31:0] P_WORD = P;

// --- the command that waits, and its check ---

reg          wait_reg;
reg          checked_reg;
reg          error_reg;
reg          legal_reg;
reg [3:0]    begin_reg;   // its columns are 1, or 2; its rows, its channels are 1
reg [`ARRAY_MAP_CMD_BITS-1:0] next_reg;

wire [12:0] w_channels = next_reg[`ARRAY_MAP_CMD_CHANNELS];  // at most 4096
wire [11:0] w_row = next_reg[`ARRAY_MAP_CMD_ROW];            // row + rows at most 4095
wire [11:0] w_rows = next_reg[`ARRAY_MAP_CMD_ROWS];          // at least 1
wire [11:0] w_width = next_reg[`ARRAY_MAP_CMD_WIDTH];        // at least 1
wire        w_all = next_reg[`ARRAY_MAP_CMD_ALL];
wire [5:0]  w_slot = next_reg[`ARRAY_MAP_CMD_SLOT];          // below P
wire [12:0] w_end = {1'b0, w_row} + {1'b0, w_rows};
wire        load;   // the waiting command begins
wire        refuse = checked_reg && !legal_reg;

always @(posedge clk) begin
    if (cmd_ready) next_reg <= cmd;
    legal_reg <= w_channels != 13'd0 && w_channels <= 13'd4096 && w_rows != 12'd0 && w_width != 12'd0
        && w_end <= 13'd4095 && (w_all || {1'b0, w_slot} < P_WORD[6:0]);

    begin_reg <= {w_width == 12'd1, w_width == 12'd2, w_rows == 12'd1, w_channels == 13'd1};

    wait_reg <= wait_reg ? !(load || refuse) : cmd_valid;
    checked_reg <= wait_reg && !(load || refuse);
    error_reg <= refuse;
    if (rst) begin
        wait_reg <= 1'b0;
        checked_reg <= 1'b0;
        error_reg <= 1'b0;
    end
end

assign cmd_ready = !wait_reg;
assign cmd_error = error_reg;

// --- the raster ---

reg          active_reg;
reg          first_reg;
reg          all_room_reg;
reg          pending_reg;   // a last beat was taken and its command is not done
reg [12:0]   channels_left_reg;
reg [11:0]   rows_left_reg;
reg [11:0]   cols_left_reg;
reg [11:0]   row_reg;
reg [11:0]   col_reg;
reg [11:0]   first_row_reg;
reg [11:0]   rows_reg;
reg [11:0]   width_reg;
reg          y_reg;
reg          all_reg;
reg [SW-1:0] slot_reg;
reg [11:0]   base_reg;
reg [3:0]    shift_reg;
// Of the counters, so that ends are known early: cols_left_reg is 1, or 2; rows_left_reg, channels_left_reg are 1
reg          row_end_1_reg;
reg          row_end_2_reg;
reg          row_last_reg;
reg          channel_last_reg;
reg          last_1_reg;    // all are: the next beat, or the one behind it, is the last of the command
reg          last_2_reg;

wire row_end_1 = row_end_1_reg;   // of the next beat, and of the one behind it
wire row_end_2 = row_end_2_reg;
wire take      = s_valid && s_ready;
wire pair      = s_pair && s_both;
wire [11:0] step = pair ? 12'd2 : 12'd1;

wire row_end = pair ? row_end_2 : row_end_1;   // of what is taken
wire map_end = row_end && row_last_reg;
wire last    = pair ? last_2_reg : last_1_reg;

// Those registers, if something is taken
wire next_end_1 = row_end ? width_reg == 12'd1 : pair ? cols_left_reg == 12'd3 : row_end_2;
wire next_end_2 = row_end ? width_reg == 12'd2 : pair ? cols_left_reg == 12'd4 : cols_left_reg == 12'd3;
wire next_row_last = !row_end ? row_last_reg : map_end ? rows_reg == 12'd1 : rows_left_reg == 12'd2;
wire next_channel_last = map_end ? channels_left_reg == 13'd2 : channel_last_reg;

assign s_ready = active_reg && all_room_reg && !(last_1_reg && pending_reg);
assign s_both = WIDE == 2 && active_reg && !row_end_1 && !(last_2_reg && pending_reg);
assign load = checked_reg && legal_reg && (!active_reg || (take && last));

always @(posedge clk) begin
    if (load) begin
        channels_left_reg <= w_channels;
        rows_left_reg <= w_rows;
        cols_left_reg <= w_width;
        row_reg <= w_row;
        col_reg <= 12'd0;
        first_row_reg <= w_row;
        rows_reg <= w_rows;
        width_reg <= w_width;
        y_reg <= next_reg[`ARRAY_MAP_CMD_Y];
        all_reg <= w_all;
        slot_reg <= w_slot[SW-1:0];
        base_reg <= next_reg[`ARRAY_MAP_CMD_BASE];
        shift_reg <= next_reg[`ARRAY_MAP_CMD_SHIFT];
        {row_end_1_reg, row_end_2_reg, row_last_reg, channel_last_reg} <= begin_reg;
        last_1_reg <= begin_reg[3] && begin_reg[1] && begin_reg[0];
        last_2_reg <= begin_reg[2] && begin_reg[1] && begin_reg[0];
    end else if (take) begin
        cols_left_reg <= row_end ? width_reg : cols_left_reg - step;
        row_end_1_reg <= next_end_1;
        row_end_2_reg <= next_end_2;
        row_last_reg <= next_row_last;
        channel_last_reg <= next_channel_last;
        last_1_reg <= next_end_1 && next_row_last && next_channel_last;
        last_2_reg <= next_end_2 && next_row_last && next_channel_last;
        col_reg <= row_end ? 12'd0 : col_reg + step;
        if (row_end) begin
            rows_left_reg <= map_end ? rows_reg : rows_left_reg - 12'd1;
            row_reg <= map_end ? first_row_reg : row_reg + 12'd1;
        end
        if (map_end) channels_left_reg <= channels_left_reg - 13'd1;
    end
    first_reg <= load || (first_reg && !take);
    active_reg <= load || (active_reg && !(take && last));
    if (rst) active_reg <= 1'b0;
end

// --- broadcast ---

delay_line #(
    .WIDTH(1),
    .DEPTH(STAGES),
    .RESET(1)
) valid_line (
    .clk(clk),
    .rst(rst),
    .d(take),
    .q(b_valid)
);

delay_line #(
    .WIDTH(45 + SW + WIDE*8*B),
    .DEPTH(STAGES)
) beat_line (
    .clk(clk),
    .rst(rst),
    .d({first_reg, last, pair, row_reg, col_reg, y_reg, all_reg, slot_reg, base_reg, shift_reg, s_data}),
    .q({b_first, b_last, b_pair, b_row, b_col, b_y, b_all, b_slot, b_base, b_shift, b_data})
);

// --- what the windows say ---

reg  all_ended_reg;   // every window has let an odd number of commands through, or none has
reg  none_ended_reg;
reg  odd_reg;         // an odd number of last beats was taken
reg  done_reg;
wire complete = pending_reg && (odd_reg ? all_ended_reg : none_ended_reg);

always @(posedge clk) begin
    all_room_reg <= &room;
    all_ended_reg <= &ended;
    none_ended_reg <= ~|ended;
    pending_reg <= (take && last) || (pending_reg && !complete);
    odd_reg <= odd_reg ^ (take && last);
    done_reg <= complete;
    if (rst) begin
        all_room_reg <= 1'b1;
        all_ended_reg <= 1'b0;
        none_ended_reg <= 1'b1;
        pending_reg <= 1'b0;
        odd_reg <= 1'b0;
        done_reg <= 1'b0;
    end
end

assign done = done_reg;
assign idle = !wait_reg && !active_reg && !pending_reg;

endmodule
`resetall
