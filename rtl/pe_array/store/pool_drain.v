// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * Max pooling of 2 x 2 windows in a drain, and the way back: words of a pooled map to the large one
 *
 *   windows index
 *   0       0     Words go through, without a register.
 *   1       0     Of four words that follow each other the largest, byte by byte.
 *   1       1     The same; behind the largest of every run their places: 0 ... 3, of the first largest one, and 4 more
 *                 where no gradient comes back: behind a ReLU where it is not above 0, and with `limited` where it is
 *                 high or above.
 *   0       1     Every word comes with such places. A run is a row of the pooled map: it becomes two rows of twice as
 *                 many words, each byte where its place says, beside zeros. So a place of 4 or more is nowhere.
 *
 * The settings hold from the first word of a drain until its last beat is taken. Runs have up to ARRAY_POOL_BEATS
 * words: a ring holds words and places, and is read twice.
 *
 * Latency: from the word that completes an entry, to its first beat 3 clocks; a beat per clock.
 */
module pool_drain #(
    // Images of a word, whose bytes they are
    parameter B = 32
) (
    input  wire           clk,
    // Synchronous, active high: forgets everything
    input  wire           rst,

    // Settings
    input  wire           windows,
    input  wire           index,
    input  wire           relu,
    input  wire           limited,
    input  wire [7:0]     high,
    // Words of a run less one; with index at most ARRAY_POOL_BEATS - 1
    input  wire [15:0]    beats,

    // Words
    input  wire           s_valid,
    output wire           s_ready,
    input  wire [8*B-1:0] s_data,

    // Places of a word, on the way back; taken with it
    input  wire           place_valid,
    output wire           place_ready,
    input  wire [8*B-1:0] place_data,

    // Beats
    output wire           m_valid,
    input  wire           m_ready,
    output wire [8*B-1:0] m_data
);

localparam [31:0] DEPTH = `ARRAY_POOL_BEATS;
localparam AW = $clog2(`ARRAY_POOL_BEATS);
localparam [AW:0] FULL = DEPTH[AW:0];
localparam [AW:0] ONE = 1;

wire plain = !windows && !index;
wire spread = !windows && index;

// --- an entry: the largest of a window, or a word of a pooled map, and its places ---

reg [1:0]     part_reg;        // pixels of the window that are in
reg           complete_reg;    // an entry stands below
reg [8*B-1:0] word_reg, word_next;
reg [3*B-1:0] place_reg, place_next;
reg [AW:0]    inside_reg;      // entries of the ring
reg           room_reg;        // they are not all there are
wire          room = room_reg;
wire          free = !complete_reg || room;
wire          take = !plain && s_valid && s_ready;
wire          push = complete_reg && room;
wire          first = part_reg == 2'd0;
wire          last = part_reg == 2'd3;
integer       i;

assign s_ready = plain ? m_ready : free && (!spread || place_valid);
assign place_ready = spread && s_valid && free;

always @* begin
    word_next = word_reg;
    place_next = place_reg;
    for (i = 0; i < B; i = i + 1) begin
        if (first || $signed(s_data[8*i +: 8]) > $signed(word_reg[8*i +: 8])) begin
            word_next[8*i +: 8] = s_data[8*i +: 8];
            place_next[3*i +: 2] = part_reg;
        end
        place_next[3*i + 2] = relu && ($signed(word_next[8*i +: 8]) <= $signed(8'd0)
            || (limited && $signed(word_next[8*i +: 8]) >= $signed(high)));
        if (spread) place_next[3*i +: 3] = place_data[8*i +: 3];
    end
end

always @(posedge clk) begin
    if (take) begin
        word_reg <= word_next;
        place_reg <= place_next;
        part_reg <= spread ? 2'd0 : part_reg + 2'd1;
    end
    complete_reg <= (take && (spread || last)) || (complete_reg && !push);
    if (rst) begin
        part_reg <= 2'd0;
        complete_reg <= 1'b0;
    end
end

// (upper bits of places say nothing)
wire unused = &{1'b0, place_data, beats[15:AW]};

// --- the ring, which is read run by run: all of the run, and with index all of it once more ---

reg [AW-1:0]  write_reg;
reg [AW-1:0]  read_reg;
reg [AW:0]    ahead_reg, ahead_next;  // entries that are not read in this pass
reg [AW-1:0]  pos_reg;                // entries of the run that are
reg           second_reg;             // this is the second pass
reg           copy_reg;               // spread: the entry is read for the second time
reg           valid_reg;
// What the word at the output was read for
reg           shown_second_reg;
reg           shown_copy_reg;

// What a beat would do; whether it goes is known last
wire          any = ahead_reg != {(AW+1){1'b0}};
wire          moves = any && (!spread || copy_reg);
wire          ends = moves && pos_reg == beats[AW-1:0];
wire          final_pass = !index || second_reg;
wire          free_beat = !valid_reg || m_ready;
wire          read = any && free_beat;
wire          move = moves && free_beat;
wire          run_end = ends && free_beat;
wire          again = ends && !final_pass && free_beat;
wire          leave = moves && final_pass && free_beat;

// Sums of what is known early, of which late signals choose
wire [AW:0]   ahead_kept = ahead_reg + {{AW{1'b0}}, push};
wire [AW:0]   ahead_moved = ahead_reg - {{AW{1'b0}}, !push};
wire [AW:0]   ahead_again = ahead_reg + {1'b0, beats[AW-1:0]} + {{AW{1'b0}}, push};
wire          leaves_room = inside_reg != FULL - ONE || !push;

always @* begin
    ahead_next = move ? ahead_moved : ahead_kept;
    if (again) ahead_next = ahead_again;
end

always @(posedge clk) begin
    if (push) write_reg <= write_reg + ONE[AW-1:0];
    if (move) begin
        read_reg <= again ? read_reg - beats[AW-1:0] : read_reg + ONE[AW-1:0];
        pos_reg <= run_end || !index ? {AW{1'b0}} : pos_reg + ONE[AW-1:0];
    end
    if (run_end && index) second_reg <= !second_reg;
    if (read) begin
        copy_reg <= spread && !copy_reg;
        shown_second_reg <= second_reg;
        shown_copy_reg <= copy_reg;
    end
    ahead_reg <= ahead_next;
    if (push && !leave) inside_reg <= inside_reg + ONE;
    if (leave && !push) inside_reg <= inside_reg - ONE;
    room_reg <= leave || (room_reg && leaves_room);
    valid_reg <= read || (valid_reg && !m_ready);
    if (rst) begin
        room_reg <= 1'b1;
        write_reg <= {AW{1'b0}};
        read_reg <= {AW{1'b0}};
        ahead_reg <= {(AW+1){1'b0}};
        inside_reg <= {(AW+1){1'b0}};
        pos_reg <= {AW{1'b0}};
        second_reg <= 1'b0;
        copy_reg <= 1'b0;
        valid_reg <= 1'b0;
    end
end

wire [8*B-1:0] shown_word;
wire [3*B-1:0] shown_place;

ram_sdp #(
    .WIDTH(11*B),
    .DEPTH(`ARRAY_POOL_BEATS)
) ring (
    .clk(clk),
    .we(push),
    .waddr(write_reg),
    .wdata({place_reg, word_reg}),
    .re(read),
    .raddr(read_reg),
    .rdata({shown_place, shown_word})
);

// --- beats ---

reg [8*B-1:0] beat;

always @* begin
    beat = plain ? s_data : shown_word;
    for (i = 0; i < B; i = i + 1) begin
        if (windows && index && shown_second_reg) beat[8*i +: 8] = {5'd0, shown_place[3*i +: 3]};
        if (spread && shown_place[3*i +: 3] != {1'b0, shown_second_reg, shown_copy_reg}) beat[8*i +: 8] = 8'd0;
    end
end

assign m_valid = plain ? s_valid : valid_reg;
assign m_data = beat;

endmodule
`resetall
