// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Accumulators of all PEs as one stream in map order
 *
 * A command reads a region of height x width pixels, channel by channel, in raster order, slot after slot
 * (docs/pe_array/drain.md). Pixel (y, x) of channel c of slot s is read from PE s*S + (y div tile height)*Sx + x div
 * tile width, at ybase + c*ystride + (y mod tile height)*tile width + x mod tile width. With windows the four pixels of
 * a window of 2 x 2 follow each other, and windows are in raster order. Counters alone walk there, one read per clock
 * and none without room for its word in the FIFO at the end: nothing is lost under back-pressure, and a sink that
 * always takes gets one word per clock, without a gap at ends of rows, channels and slots.
 *
 * Latency: a command that is taken in clock c while nothing is walked makes its first read in clock c+4; a word stands
 * at the output LATENCY + LEVELS + 2 clocks after its read, LEVELS = ceil(clog2(P) / 2). One command waits while
 * another is walked; if it was taken 3 clocks before the last one's final read or earlier, its reads follow without a
 * gap.
 *
 * An illegal command, also one with windows and an odd side, but for that of tiles that are 1, is dropped: no reads,
 * cmd_error 3 clocks after it was taken.
 */
module tile_drain #(
    // PEs, a power of two, 1 … 64
    parameter P = 32,
    // images of a pixel word
    parameter B = 32,
    // bits of an accumulator
    parameter ACC = 32,
    // bits of an address of Y, 1 … 10; all sums of addresses are modulo 2**YAW
    parameter YAW = 9,
    // clocks from drain_read to drain_data
    parameter LATENCY = 6
) (
    input  wire               clk,
    input  wire               rst,               // synchronous, active high: forgets everything

    input  wire               cmd_valid,
    output wire               cmd_ready,
    input  wire [`ARRAY_DRAIN_CMD_BITS-1:0] cmd,
    output wire               cmd_error,         // pulse: a command was illegal

    output wire [P-1:0]       drain_read,        // one hot or zero: read Y of this PE
    output wire [YAW-1:0]     drain_addr,        // at this word
    input  wire [P*B*ACC-1:0] drain_data,        // words of all PEs, PE 0 in the low bits; LATENCY clocks after
                                                 // drain_read

    output wire               m_valid,
    input  wire               m_ready,
    output wire [B*ACC-1:0]   m_data,            // image 0 in the low bits
    output wire               m_last,            // final word of a command

    output wire               idle               // no command and no word inside
);

`REQUIRE(g_p, P == 1 || P == 2 || P == 4 || P == 8 || P == 16 || P == 32 || P == 64,
         ("%m: P = %0d must be a power of two, 1 to 64", P))
`REQUIRE(g_b, B >= 1, ("%m: B = %0d must be at least 1", B))
`REQUIRE(g_acc, ACC >= 1, ("%m: ACC = %0d must be at least 1", ACC))
`REQUIRE(g_yaw, YAW >= 1 && YAW <= 10, ("%m: YAW = %0d must be 1 to 10", YAW))
`REQUIRE(g_latency, LATENCY >= 1, ("%m: LATENCY = %0d must be at least 1", LATENCY))

localparam PLOG = $clog2(P);
localparam PW = P > 1 ? PLOG : 1;
localparam LEVELS = (PLOG + 1) / 2;
localparam [31:0] PLOG_WORD = PLOG;
localparam [31:0] P_WORD = P;
// Words on their way that let one pass per clock: from one read to the clock in which its room is known to be free
localparam WORDS = LATENCY + LEVELS + 4;
localparam RW = $clog2(WORDS + 1);
localparam [31:0] WORDS_WORD = WORDS;
localparam [RW-1:0] FULL = WORDS_WORD[RW-1:0];

// --- the command that waits, and its check ---

reg           wait_reg;     // a command waits
reg           checked_reg;  // and the results of its check stand below
reg           error_reg;
reg [`ARRAY_DRAIN_CMD_BITS-1:0] next_reg;
reg           counts_reg;   // no count is zero
reg           grid_reg;     // S divides P and the slots are there
reg           covers_reg;   // the tiles cover the region
reg           even_reg;     // windows fit in it, and in the tiles
reg [5:0]     begin_reg;    // what the walk begins with is a last slot, channel, row, column, row and column of a tile

wire [6:0]  w_slots = next_reg[`ARRAY_DRAIN_CMD_SLOTS];                  // 1 … P/S, S = Sy*Sx
wire [11:0] w_channels = next_reg[`ARRAY_DRAIN_CMD_CHANNELS];           // of a slot but the last; all counts at least 1
wire [11:0] w_channels_last = next_reg[`ARRAY_DRAIN_CMD_CHANNELS_LAST];
wire [11:0] w_height = next_reg[`ARRAY_DRAIN_CMD_HEIGHT];
wire [11:0] w_width = next_reg[`ARRAY_DRAIN_CMD_WIDTH];
wire [11:0] w_tile_height = next_reg[`ARRAY_DRAIN_CMD_TILE_HEIGHT];
wire [11:0] w_tile_width = next_reg[`ARRAY_DRAIN_CMD_TILE_WIDTH];
wire [2:0]  w_sy_log2 = next_reg[`ARRAY_DRAIN_CMD_SY_LOG2];              // of Sy, the tiles per column
wire [2:0]  w_sx_log2 = next_reg[`ARRAY_DRAIN_CMD_SX_LOG2];              // of Sx, the tiles per row
wire [9:0]  w_ybase = next_reg[`ARRAY_DRAIN_CMD_YBASE];
wire [9:0]  w_ystride = next_reg[`ARRAY_DRAIN_CMD_YSTRIDE];
wire        w_windows = next_reg[`ARRAY_DRAIN_CMD_WINDOWS];
wire        w_flat = w_tile_height == 12'd1;     // rows of a window lie in two tiles
wire        w_narrow = w_tile_width == 12'd1;    // columns do

wire [3:0]  s_log2 = {1'b0, w_sy_log2} + {1'b0, w_sx_log2};
wire [18:0] covered_height = {7'd0, w_tile_height} << w_sy_log2;
wire [18:0] covered_width = {7'd0, w_tile_width} << w_sx_log2;
wire        legal = counts_reg && grid_reg && covers_reg && even_reg;

// What the walk begins with
wire [11:0] first_channels = w_slots == 7'd1 ? w_channels_last : w_channels;
wire [11:0] first_height = w_height >> w_windows;
wire [11:0] first_width = w_width >> w_windows;
wire [11:0] first_tile_height = w_tile_height >> (w_windows && !w_flat);
wire [11:0] first_tile_width = w_tile_width >> (w_windows && !w_narrow);

wire load;   // the walk takes the waiting command
wire refuse = checked_reg && !legal;

always @(posedge clk) begin
    if (cmd_ready) next_reg <= cmd;
    counts_reg <= w_slots != 7'd0 && w_channels != 12'd0 && w_channels_last != 12'd0 && w_height != 12'd0
        && w_width != 12'd0 && w_tile_height != 12'd0 && w_tile_width != 12'd0;
    even_reg <= !w_windows || !(w_height[0] || w_width[0] || (w_tile_height[0] && !w_flat)
        || (w_tile_width[0] && !w_narrow));
    grid_reg <= s_log2 <= PLOG_WORD[3:0] && w_slots <= P_WORD[6:0] >> s_log2;
    begin_reg <= {w_slots == 7'd1, first_channels == 12'd1, first_height == 12'd1, first_width == 12'd1,
                  first_tile_height == 12'd1, first_tile_width == 12'd1};
    covers_reg <= covered_height >= {7'd0, w_height} && covered_width >= {7'd0, w_width};

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

// (a memory of fewer words has no use for the upper bits of its addresses)
wire unused_address = &{1'b0, w_ybase, w_ystride};

// --- the walk ---

reg           active_reg;
reg           room_reg;        // there is room for the word of one more read
reg [11:0]    channels_last_reg;
reg [11:0]    channels_reg;
reg           windows_reg;     // rows and columns are those of windows
reg           flat_reg;        // and their rows, or columns, lie in two tiles
reg           narrow_reg;
reg [11:0]    height_reg;
reg [11:0]    width_reg;
reg [11:0]    tile_height_reg;
reg [11:0]    tile_width_reg;
reg [YAW-1:0] line_reg;        // words from row to row of a tile
reg [2:0]     s_log2_reg;      // of tiles per slot
reg [2:0]     sx_log2_reg;
reg [YAW-1:0] ybase_reg;
reg [YAW-1:0] ystride_reg;
// What is left, the present one included: slots, channels of the slot, rows, columns, rows and columns of the tile
reg [6:0]     slots_left_reg;
reg [11:0]    channels_left_reg;
reg [11:0]    rows_left_reg;
reg [11:0]    cols_left_reg;
reg [11:0]    tile_rows_left_reg;
reg [11:0]    tile_cols_left_reg;
// Each of those is 1, so that ends are known early
reg           slot_last_reg;
reg           channel_last_reg;
reg           row_last_reg;
reg           col_last_reg;
reg           tile_row_last_reg;
reg           tile_col_last_reg;
reg [1:0]     part_reg;        // pixel of the window
// This pixel or window, first pixel of this row of the tile, first pixel of this channel
reg [YAW-1:0] addr_reg;
reg [YAW-1:0] row_addr_reg;
reg [YAW-1:0] channel_addr_reg;
// PE of it, first PE of this row of tiles, first PE of this slot
reg [PW-1:0]  pe_reg;
reg [PW-1:0]  row_pe_reg;
reg [PW-1:0]  slot_pe_reg;

wire go          = active_reg && room_reg;
wire whole       = !windows_reg || part_reg == 2'd3;
wire step        = go && whole;
wire row_end     = col_last_reg;
wire channel_end = row_end && row_last_reg;
wire slot_end    = channel_end && channel_last_reg;
wire all_end     = slot_end && slot_last_reg;
wire tile_row_end = tile_col_last_reg;
wire tile_end     = tile_row_last_reg;

// Channels of the next slot
wire [11:0] next_channels = slots_left_reg == 7'd2 ? channels_last_reg : channels_reg;

assign load = checked_reg && legal && (!active_reg || (step && all_end));

wire [YAW-1:0] one_addr = {{(YAW-1){1'b0}}, 1'b1};
wire [PW-1:0]  one_pe = {{(PW-1){1'b0}}, 1'b1};
wire [PW-1:0]  one_row = one_pe << sx_log2_reg;
wire [PW-1:0]  next_row_pe = row_pe_reg + (flat_reg ? one_row << 1 : one_row);
wire [PW-1:0]  next_col_pe = pe_reg + (narrow_reg ? one_pe << 1 : one_pe);
wire [PW-1:0]  part_pe = pe_reg + (part_reg[1] && flat_reg ? one_row : {PW{1'b0}})
    + (part_reg[0] && narrow_reg ? one_pe : {PW{1'b0}});
wire [PW-1:0]  next_slot_pe = slot_pe_reg + (one_pe << s_log2_reg);
wire [YAW-1:0] next_row_addr = row_addr_reg + (windows_reg ? line_reg << 1 : line_reg);
wire [YAW-1:0] next_col_addr = addr_reg + (windows_reg ? one_addr << 1 : one_addr);
wire [YAW-1:0] next_channel_addr = channel_addr_reg + ystride_reg;
wire [YAW-1:0] part_addr = addr_reg + (part_reg[1] && !flat_reg ? line_reg : {YAW{1'b0}})
    + (part_reg[0] && !narrow_reg ? one_addr : {YAW{1'b0}});

always @(posedge clk) begin
    if (load) begin
        channels_last_reg <= w_channels_last;
        channels_reg <= w_channels;
        windows_reg <= w_windows;
        flat_reg <= w_windows && w_flat;
        narrow_reg <= w_windows && w_narrow;
        height_reg <= first_height;
        width_reg <= first_width;
        tile_height_reg <= first_tile_height;
        tile_width_reg <= first_tile_width;
        line_reg <= w_tile_width[YAW-1:0];
        s_log2_reg <= s_log2[2:0];
        sx_log2_reg <= w_sx_log2;
        ybase_reg <= w_ybase[YAW-1:0];
        ystride_reg <= w_ystride[YAW-1:0];
        slots_left_reg <= w_slots;
        channels_left_reg <= first_channels;
        rows_left_reg <= first_height;
        cols_left_reg <= first_width;
        tile_rows_left_reg <= first_tile_height;
        tile_cols_left_reg <= first_tile_width;
        {slot_last_reg, channel_last_reg, row_last_reg, col_last_reg} <= begin_reg[5:2];
        {tile_row_last_reg, tile_col_last_reg} <= begin_reg[1:0];
        addr_reg <= w_ybase[YAW-1:0];
        row_addr_reg <= w_ybase[YAW-1:0];
        channel_addr_reg <= w_ybase[YAW-1:0];
        pe_reg <= {PW{1'b0}};
        row_pe_reg <= {PW{1'b0}};
        slot_pe_reg <= {PW{1'b0}};
    end else if (step) begin
        if (!row_end) begin
            cols_left_reg <= cols_left_reg - 12'd1;
            tile_cols_left_reg <= tile_row_end ? tile_width_reg : tile_cols_left_reg - 12'd1;
            col_last_reg <= cols_left_reg == 12'd2;
            tile_col_last_reg <= tile_row_end ? tile_width_reg == 12'd1 : tile_cols_left_reg == 12'd2;
            addr_reg <= tile_row_end ? row_addr_reg : next_col_addr;
            if (tile_row_end) pe_reg <= next_col_pe;
        end else begin
            cols_left_reg <= width_reg;
            tile_cols_left_reg <= tile_width_reg;
            col_last_reg <= width_reg == 12'd1;
            tile_col_last_reg <= tile_width_reg == 12'd1;
            if (!channel_end) begin
                rows_left_reg <= rows_left_reg - 12'd1;
                tile_rows_left_reg <= tile_end ? tile_height_reg : tile_rows_left_reg - 12'd1;
                row_last_reg <= rows_left_reg == 12'd2;
                tile_row_last_reg <= tile_end ? tile_height_reg == 12'd1 : tile_rows_left_reg == 12'd2;
                addr_reg <= tile_end ? channel_addr_reg : next_row_addr;
                row_addr_reg <= tile_end ? channel_addr_reg : next_row_addr;
                pe_reg <= tile_end ? next_row_pe : row_pe_reg;
                if (tile_end) row_pe_reg <= next_row_pe;
            end else begin
                rows_left_reg <= height_reg;
                tile_rows_left_reg <= tile_height_reg;
                row_last_reg <= height_reg == 12'd1;
                tile_row_last_reg <= tile_height_reg == 12'd1;
                addr_reg <= slot_end ? ybase_reg : next_channel_addr;
                row_addr_reg <= slot_end ? ybase_reg : next_channel_addr;
                channel_addr_reg <= slot_end ? ybase_reg : next_channel_addr;
                pe_reg <= slot_end ? next_slot_pe : slot_pe_reg;
                row_pe_reg <= slot_end ? next_slot_pe : slot_pe_reg;
                if (slot_end) begin
                    slot_pe_reg <= next_slot_pe;
                    slots_left_reg <= slots_left_reg - 7'd1;
                    channels_left_reg <= next_channels;
                    slot_last_reg <= slots_left_reg == 7'd2;
                    channel_last_reg <= next_channels == 12'd1;
                end else begin
                    channels_left_reg <= channels_left_reg - 12'd1;
                    channel_last_reg <= channels_left_reg == 12'd2;
                end
            end
        end
    end

    if (load || step) part_reg <= 2'd0;
    else if (go) part_reg <= part_reg + 2'd1;
    active_reg <= load || (active_reg && !(step && all_end));
    if (rst) active_reg <= 1'b0;
end

// --- reads, and room for their words ---

reg [P-1:0]   read_reg;
reg [YAW-1:0] read_addr_reg;
reg [RW-1:0]  inside_reg;   // words read and not taken
wire          take = m_valid && m_ready;
wire [RW-1:0] inside_next = inside_reg + {{(RW-1){1'b0}}, go} - {{(RW-1){1'b0}}, take};

always @(posedge clk) begin
    read_reg <= go ? {{(P-1){1'b0}}, 1'b1} << part_pe : {P{1'b0}};
    read_addr_reg <= part_addr;
    inside_reg <= inside_next;
    room_reg <= inside_next != FULL;
    if (rst) begin
        read_reg <= {P{1'b0}};
        inside_reg <= {RW{1'b0}};
        room_reg <= 1'b1;
    end
end

assign drain_read = read_reg;
assign drain_addr = read_addr_reg;
assign idle = !wait_reg && !active_reg && inside_reg == {RW{1'b0}};

// --- words of the PE that was read ---

wire          tag_valid;
wire          tag_last;
wire [PW-1:0] tag_pe;
wire          word_valid;
wire          word_last;
wire [B*ACC-1:0] word;

delay_line #(
    .WIDTH(1),
    .DEPTH(LATENCY + 1),
    .RESET(1)
) valid_line (
    .clk(clk),
    .rst(rst),
    .d(go),
    .q(tag_valid)
);

delay_line #(
    .WIDTH(PW + 1),
    .DEPTH(LATENCY + 1)
) tag_line (
    .clk(clk),
    .rst(rst),
    .d({all_end && whole, part_pe}),
    .q({tag_last, tag_pe})
);

mux_tree #(
    .N(P),
    .WIDTH(B*ACC),
    .SIDE(1)
) select_word (
    .clk(clk),
    .rst(rst),
    .s_valid(tag_valid),
    .s_select(tag_pe),
    .s_data(drain_data),
    .s_side(tag_last),
    .m_valid(word_valid),
    .m_data(word),
    .m_side(word_last)
);

wire          fifo_ready;
wire [RW-1:0] unused_level;

stream_fifo #(
    .WIDTH(B*ACC + 1),
    .DEPTH(WORDS)
) fifo (
    .clk(clk),
    .rst(rst),
    .s_valid(word_valid),
    .s_ready(fifo_ready),
    .s_data({word_last, word}),
    .m_valid(m_valid),
    .m_ready(m_ready),
    .m_data({m_last, m_data}),
    .level(unused_level)
);

`ifdef SIMULATION
// A word without room would be lost: the count of words inside is wrong. Stop, which fails the test
always @(posedge clk) begin
    if ($time != 0 && !rst && word_valid && !fifo_ready) begin
        $display("%m: a word was read for which there is no room");
        $finish;
    end
end
`else
wire unused_ready = fifo_ready;
`endif

endmodule
`resetall
