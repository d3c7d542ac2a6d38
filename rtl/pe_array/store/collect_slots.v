// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Slots of a collect: how many gradients each has left, and whose packed words are written next
 *
 * A slot is named with its number of gradients, start opens all that have been named since the last one. A slot is open
 * until its last gradient has entered, then its last word is filled up (flush), then its words are written. Chunks are
 * given round robin to slots that have at least CHUNK words, or that are filled up and have any; a chunk is all the
 * words that are complete when its slot's turn comes. A slot gets the next chunk when the last word of the one before
 * has been requested (free_valid).
 *
 * With ordered the order of all words follows from the numbers of gradients alone: every slot that has anything to come
 * gets a chunk in its turn, from slot 0 on, before its words are there; who takes a chunk says whether it is the slot's
 * last one.
 *
 * Latency: words to chunk_valid 2 clocks, a chunk per clock; with ordered start to chunk_valid 2, a chunk in 2 clocks.
 */
module collect_slots #(
    // Slots, a power of two
    parameter P = 32,
    // Words from which on a chunk is written, 1 ... DEPTH
    parameter CHUNK = 8,
    // Words of memory per slot, a power of two
    parameter DEPTH = 16,
    // Bits of a slot number, of a number of words, and of one less one (derived)
    parameter SW = P > 1 ? $clog2(P) : 1,
    parameter CW = $clog2(DEPTH + 1),
    parameter BW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire            clk,
    // Synchronous, active high: forgets all slots
    input  wire            rst,

    // Name a slot for the next start: number of gradients, 0: not named
    input  wire            name_valid,
    input  wire [SW-1:0]   name_slot,
    input  wire [23:0]     name_count,
    // Open the named slots; only while quiet
    input  wire            start,
    // With start: those slots take turns
    input  wire            ordered,

    // Slots whose gradients may enter, and those of which one enters in this clock
    output wire [P-1:0]    open,
    input  wire [P-1:0]    entered,

    // To and from gradient_pack
    output wire [P-1:0]    flush_valid,
    input  wire [P-1:0]    flush_ready,
    input  wire [P*CW-1:0] words,

    // Chunks: slot and (but with ordered) number of words less one; taken in this clock, with ordered its slot's last
    output wire            chunk_valid,
    input  wire            chunk_ready,
    input  wire            chunk_last,
    output wire [SW-1:0]   chunk_slot,
    output wire [BW-1:0]   chunk_beats,

    // The last word of this slot's chunk is requested in this clock
    input  wire            free_valid,
    input  wire [SW-1:0]   free_slot,

    // All words of all slots have been requested
    output wire            quiet
);

localparam [31:0] CHUNK_WORD = CHUNK;
localparam [CW-1:0] ENOUGH = CHUNK_WORD[CW-1:0];
localparam [CW-1:0] ONE = 1;

reg          chunk_valid_reg;
reg [SW-1:0] chunk_slot_reg;
reg [BW-1:0] chunk_beats_reg;

// Slots that want a chunk, with ordered those that have not had their last one; the one that gets it
reg  [P-1:0] eligible_reg;
reg          ordered_reg;
wire [P-1:0] coming;
wire [P-1:0] grant;
wire [P-1:0] eligible;
wire [P-1:0] busy;
wire         move = !chunk_valid_reg || (chunk_ready && !ordered_reg);

genvar r;

generate
    for (r = 0; r < P; r = r + 1) begin : g_slot
        // Named; gradients of the next collect, less one
        reg        named_reg;
        reg [23:0] next_reg;
        // Gradients left, less one
        reg [23:0] left_reg;
        reg        open_reg;
        reg        flush_reg;
        // All is in complete words
        reg        ended_reg;
        // A chunk is under way
        reg        chunk_reg;
        // With ordered: there are chunks to come
        reg        coming_reg;

        wire          name = name_valid && name_slot == r[SW-1:0];
        wire          close = entered[r] && left_reg == 24'd0;
        wire          last = chunk_ready && chunk_last && chunk_slot_reg == r[SW-1:0];
        wire [CW-1:0] complete = words[r*CW +: CW];
        wire          any = complete != {CW{1'b0}};

        assign eligible[r] = !chunk_reg && !(grant[r] && move) && (complete >= ENOUGH || (ended_reg && any));
        assign busy[r] = open_reg || flush_reg || ended_reg;
        assign coming[r] = coming_reg;
        assign open[r] = open_reg;
        assign flush_valid[r] = flush_reg;

        always @(posedge clk) begin
            if (start) named_reg <= 1'b0;
            if (name) begin
                named_reg <= name_count != 24'd0;
                next_reg <= name_count - 24'd1;
            end
            if (entered[r]) left_reg <= left_reg - 24'd1;
            if (start) left_reg <= next_reg;
            open_reg <= start ? named_reg : open_reg && !close;
            flush_reg <= close || (flush_reg && !flush_ready[r]);
            ended_reg <= (flush_reg && flush_ready[r]) || (ended_reg && any);
            chunk_reg <= (grant[r] && move) || (chunk_reg && !(free_valid && free_slot == r[SW-1:0]));
            coming_reg <= start ? named_reg && ordered : coming_reg && !last;
            if (rst) begin
                named_reg <= 1'b0;
                open_reg <= 1'b0;
                flush_reg <= 1'b0;
                ended_reg <= 1'b0;
                chunk_reg <= 1'b0;
                coming_reg <= 1'b0;
            end
        end
    end
endgenerate

// Slots behind the one that had the last chunk; the one whose turn it is
reg  [P-1:0] behind_reg;
wire [P-1:0] asking = ordered_reg ? coming : eligible_reg;
wire [P-1:0] first = asking & behind_reg;
wire [P-1:0] from = first != {P{1'b0}} ? first : asking;

assign grant = from & (~from + {{(P-1){1'b0}}, 1'b1});

reg [SW-1:0] slot;
reg [CW-1:0] count;
integer      s;

always @* begin
    slot = {SW{1'b0}};
    count = {CW{1'b0}};
    for (s = 0; s < P; s = s + 1) begin
        if (grant[s]) begin
            slot = slot | s[SW-1:0];
            count = count | words[s*CW +: CW];
        end
    end
end

wire [CW-1:0] beats = count - ONE;

always @(posedge clk) begin
    eligible_reg <= eligible;
    if (move) begin
        if (grant != {P{1'b0}}) behind_reg <= ~(grant | (grant - {{(P-1){1'b0}}, 1'b1}));
        chunk_valid_reg <= grant != {P{1'b0}};
        chunk_slot_reg <= slot;
        chunk_beats_reg <= beats[BW-1:0];
    end else if (chunk_ready) begin
        chunk_valid_reg <= 1'b0;
    end
    if (start) ordered_reg <= ordered;
    if (start && ordered) behind_reg <= {P{1'b1}};
    if (rst) begin
        eligible_reg <= {P{1'b0}};
        behind_reg <= {P{1'b1}};
        chunk_valid_reg <= 1'b0;
        ordered_reg <= 1'b0;
    end
end

assign chunk_valid = chunk_valid_reg;
assign chunk_slot = chunk_slot_reg;
assign chunk_beats = chunk_beats_reg;
assign quiet = busy == {P{1'b0}};

// (the top bit is 0: no chunk has more than DEPTH words)
wire unused = &{1'b0, beats};

endmodule
`resetall
