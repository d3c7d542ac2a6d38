// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Window of a processing element on the feature maps that are loaded
 *
 * Holds what the PE takes of maps for X and for Y, columns xlo … xhi-1 of rows ylo … yhi-1, and the number of its slot.
 * Beats of the broadcast that lie inside, and whose command is for this slot or for all, go to consecutive addresses
 * from the command's base on; a FIFO keeps them until the PE takes them. With WIDE = 2 a beat may be a pair of words of
 * one row: both, one or none may lie inside, and the PE takes one per clock.
 *
 * Latency: 2 clocks from the broadcast to the load port. load_valid/load_ready: valid never drops before it is taken.
 * The broadcast does not wait: `room` says, one clock later, whether at most DEPTH - STAGES - 3 beats wait; the
 * raster stops in time when it is low. `ended` changes its value when the last beat of a command, for this PE or not,
 * and with it all before, has left. Windows may be written while no load runs. No beat comes in the first clock after a
 * reset: the FIFO takes nothing in it.
 */
module map_window #(
    // bytes of a pixel word
    parameter B = 32,
    // bits of a slot's number
    parameter SW = 6,
    // registers of the broadcast
    parameter STAGES = 2,
    // beats that can wait, at least STAGES + 5
    parameter DEPTH = 16,
    // words that a beat may have: 1, or 2
    parameter WIDE = 1
) (
    input  wire           clk,
    input  wire           rst,         // synchronous, active high: empties the FIFO; windows stay

    input  wire           set_valid,   // write a register
    input  wire [2:0]     set_select,  // 0 columns of X, 1 rows of X, 2 columns of Y, 3 rows of Y, 4 slot
    input  wire [23:0]    set_data,    // first in the low 12 bits, last + 1 in the high ones (equal: none);
                                       // slot in the low bits

    input  wire           b_valid,     // a beat
    input  wire           b_first,     // the first one of its command
    input  wire           b_last,      // the last one
    input  wire           b_pair,      // it has two words; the second one's place is a column further
    input  wire [11:0]    b_row,       // row and column in the map, of the first word
    input  wire [11:0]    b_col,
    input  wire           b_y,         // command: to Y, not X
    input  wire           b_all,       // for all slots
    input  wire [SW-1:0]  b_slot,      // or for this one
    input  wire [11:0]    b_base,      // first address
    input  wire [3:0]     b_shift,     // left shift of a byte, Y
    input  wire [WIDE*8*B-1:0] b_data, // pixel words, the first one in the low bits

    output wire           room,
    output wire           ended,

    output wire           load_valid,  // to the PE, docs/pe_array/pe.md
    input  wire           load_ready,
    output wire [2:0]     load_select, // 0 X, 1 Y
    output wire [11:0]    load_addr,
    output wire [8*B-1:0] load_data,
    output wire [3:0]     load_shift
);

`REQUIRE(g_b, B >= 1, ("%m: B = %0d must be at least 1", B))
`REQUIRE(g_sw, SW >= 1 && SW <= 24, ("%m: SW = %0d must be 1 to 24", SW))
`REQUIRE(g_stages, STAGES >= 1, ("%m: STAGES = %0d must be at least 1", STAGES))
`REQUIRE(g_depth, DEPTH >= STAGES + 5, ("%m: DEPTH = %0d must be at least STAGES + 5 = %0d", DEPTH, STAGES + 5))
`REQUIRE(g_wide, WIDE == 1 || WIDE == 2, ("%m: WIDE = %0d must be 1 or 2", WIDE))

localparam LW = DEPTH > 0 ? $clog2(DEPTH + 1) : 1;
localparam [31:0] ROOM_WORD = DEPTH - STAGES - 3;
localparam [LW-1:0] ROOM = ROOM_WORD[LW-1:0];
// Words of a beat (a legal stand-in where WIDE is not, so that every simulator gets as far as the message)
localparam WORDS = WIDE == 2 ? 2 : 1;

// --- windows ---

reg [23:0]   x_cols_reg;
reg [23:0]   x_rows_reg;
reg [23:0]   y_cols_reg;
reg [23:0]   y_rows_reg;
reg [SW-1:0] slot_reg;

always @(posedge clk) begin
    if (set_valid) begin
        case (set_select)
            `ARRAY_WINDOW_X_COLUMNS: x_cols_reg <= set_data;
            `ARRAY_WINDOW_X_ROWS: x_rows_reg <= set_data;
            `ARRAY_WINDOW_Y_COLUMNS: y_cols_reg <= set_data;
            `ARRAY_WINDOW_Y_ROWS: y_rows_reg <= set_data;
            default: slot_reg <= set_data[SW-1:0];
        endcase
    end
end

// --- words inside ---

wire [23:0] cols = b_y ? y_cols_reg : x_cols_reg;
wire [23:0] rows = b_y ? y_rows_reg : x_rows_reg;
wire        row_mine = b_valid && (b_all || b_slot == slot_reg) && b_row >= rows[11:0] && b_row < rows[23:12];
wire        first_mine = row_mine && b_col >= cols[11:0] && b_col < cols[23:12];
wire        second_mine;   // of a pair

reg  [11:0] addr_reg;
wire [11:0] addr = b_first ? b_base : addr_reg;

always @(posedge clk) begin
    if (b_valid) addr_reg <= addr + {11'd0, first_mine} + {11'd0, second_mine};
end

// --- beats that wait ---

wire [WORDS-1:0] mine;       // its words that are for the PE
wire          keep = first_mine || second_mine || (b_valid && b_last);
wire          fifo_ready;
wire [LW-1:0] level;
wire          head_valid;
wire [WORDS-1:0] head_mine;
wire          head_last;
wire [11:0]   head_addr;
wire [WORDS*8*B-1:0] head_data;
wire          more;          // the PE takes the first word, and there is the second one
wire          leave = head_valid && (head_mine == {WORDS{1'b0}} || (load_ready && !more));
reg           room_reg;
reg           ended_reg;

stream_fifo #(
    .WIDTH(WORDS*(8*B + 1) + 18),
    .DEPTH(DEPTH)
) fifo (
    .clk(clk),
    .rst(rst),
    .s_valid(keep),
    .s_ready(fifo_ready),
    .s_data({mine, b_last, b_y, b_shift, addr, b_data[WORDS*8*B-1:0]}),
    .m_valid(head_valid),
    .m_ready(leave),
    .m_data({head_mine, head_last, load_select[0], load_shift, head_addr, head_data}),
    .level(level)
);

generate
    if (WIDE == 2) begin : g_pairs
        wire [11:0] b_next = b_col + 12'd1;
        reg         sent_reg;   // the first word of two has been taken

        always @(posedge clk) begin
            if (head_valid && load_ready) sent_reg <= more;
            if (rst) sent_reg <= 1'b0;
        end

        assign second_mine = row_mine && b_pair && b_next >= cols[11:0] && b_next < cols[23:12];
        assign mine = {second_mine, first_mine};
        assign more = head_mine == 2'b11 && !sent_reg;
        assign load_addr = head_addr + {11'd0, sent_reg};
        assign load_data = head_mine[0] && !sent_reg ? head_data[0 +: 8*B] : head_data[8*B +: 8*B];
    end else begin : g_words
        wire unused = b_pair;

        assign second_mine = 1'b0;
        assign mine = first_mine;
        assign more = 1'b0;
        assign load_addr = head_addr;
        assign load_data = head_data;
    end
endgenerate

always @(posedge clk) begin
    room_reg <= level <= ROOM;
    if (leave && head_last) ended_reg <= !ended_reg;
    if (rst) begin
        room_reg <= 1'b1;
        ended_reg <= 1'b0;
    end
end

assign load_valid = head_valid && head_mine != {WORDS{1'b0}};
assign load_select[2:1] = 2'b00;
assign room = room_reg;
assign ended = ended_reg;

`ifdef SIMULATION
// A beat without room would be lost: STAGES does not suit the raster, or it does not look at `room`. Stop, which fails
// the test
always @(posedge clk) begin
    if ($time != 0 && !rst && keep && !fifo_ready) begin
        $display("%m: a beat came for which there is no room");
        $finish;
    end
end
`else
wire unused_ready = fifo_ready;
`endif

endmodule
`resetall
