// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Gradients of the slots to memory: SLOT and COLLECT; or to update_store: LEARN (docs/pe_array/store_engine.md)
 *
 * Gradients of a slot enter while a COLLECT runs that a SLOT has named it for, so many as that SLOT says, and are
 * packed B/4 to a beat (gradient_pack.v). Slots do not wait for each other: a slot that has CHUNK complete beats, or
 * all of its gradients, writes them in its turn, with one write command. With add the beats are read from the same
 * addresses first; the words wait packed until they come, so that a chunk of every slot can be on its way.
 *
 * With LEARN both ports belong to update_store, which the module's own ports then lead to: addresses are offsets in the
 * masters, chunks are "read" there, as soon as there is room, before their words are given, and answered when all is
 * written that they make. Slots take turns, and are filled up to four words.
 *
 * SLOTs are taken while a COLLECT runs. The next COLLECT begins when all beats of the one before have gone to the write
 * port; its reads wait until that one's writes are answered (done); those of a LEARN behind a LEARN are up to
 * update_store (unanswered). A LEARN behind a COLLECT, or the other way round, waits until that is done.
 *
 * Latency: a slot's last gradient to its write command 8 clocks and up to B/4 - 1 to fill up the beat; last answer to
 * done 2. Throughput: a beat per clock.
 */
module collect_store #(
    // PEs (and most slots), a power of two, 1 ... 64
    parameter P = 32,
    // Bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Complete beats of a slot from which on they are written, a multiple of 4, up to DEPTH
    parameter CHUNK = 8,
    // Beats of memory per slot, a power of two, at least 2
    parameter DEPTH = 16
) (
    input  wire            clk,
    // Synchronous, active high: forgets everything
    input  wire            rst,

    // SLOT, COLLECT and LEARN, no others; place in the program
    input  wire            d_valid,
    output wire            d_ready,
    input  wire [255:0]    d_data,
    input  wire [23:0]     d_index,

    // A COLLECT or LEARN is taken (early: d_ready comes late, for a SLOT)
    output wire            starts,
    // Pulse: a COLLECT or LEARN is done
    output wire            done,
    // None has begun and is not done
    output wire            idle,
    // The latest one was a LEARN; its place, and that of the one whose chunk is answered next
    output wire            learns,
    output wire [23:0]     learn_index,
    output wire [23:0]     answered_index,
    // The one before it waits for answers
    output wire            unanswered,
    // Pulse, with its cause and the descriptor; after it a reset must follow
    output wire            error,
    output wire [3:0]      error_cause,
    output wire [23:0]     error_index,

    // Sums of the gradients of each slot, signed 32 bits (pe_grid.v)
    input  wire [P-1:0]    grad_valid,
    output wire [P-1:0]    grad_ready,
    input  wire [P*32-1:0] grad_data,

    // Read port, as axi_read: byte address, beats less one; with LEARN no beats come
    output wire            rd_cmd_valid,
    input  wire            rd_cmd_ready,
    output wire [31:0]     rd_cmd_addr,
    output wire [15:0]     rd_cmd_beats,
    input  wire            rd_valid,
    output wire            rd_ready,
    input  wire [8*B-1:0]  rd_data,
    input  wire            rd_last,
    input  wire [1:0]      rd_error,

    // Write port, as axi_write: byte address, beats less one
    output wire            wr_cmd_valid,
    input  wire            wr_cmd_ready,
    output wire [31:0]     wr_cmd_addr,
    output wire [15:0]     wr_cmd_beats,
    output wire            wr_valid,
    input  wire            wr_ready,
    output wire [8*B-1:0]  wr_data,
    input  wire            wr_done,
    input  wire [1:0]      wr_error
);

`REQUIRE(g_p, P >= 1 && P <= 64 && (P & (P - 1)) == 0, ("%m: P = %0d must be a power of two, 1 to 64", P))
`REQUIRE(g_b, B >= 8 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 8 to 64", B))
`REQUIRE(g_chunk, CHUNK >= 4 && CHUNK <= DEPTH && CHUNK % 4 == 0,
         ("%m: CHUNK = %0d must be a multiple of 4, up to DEPTH = %0d", CHUNK, DEPTH))

`include "port_cause.vh"

// (with legal stand-ins where the parameters are not, so that every simulator gets as far as the message)
localparam U = B >= 8 ? B/4 : 2;
localparam LB = $clog2(4*U);
localparam SW = P > 1 ? $clog2(P) : 1;
localparam CW = $clog2(DEPTH + 1);
localparam BW = DEPTH > 1 ? $clog2(DEPTH) : 1;
// Write commands of a COLLECT that are not answered, at most
localparam [4:0] MOST_COMMANDS = 5'd31;
localparam [31:0] P_WORD = P;
// Quarters of a chunk, each of four words, and bits of a number of them
localparam QB = 24 - LB;
localparam [31:0] QUARTERS_WORD = CHUNK / 4;
localparam [QB-1:0] QUARTERS = QUARTERS_WORD[QB-1:0];

// --- descriptors ---

// The COLLECT whose gradients come, and the one before it, all of whose beats have gone
reg         active_reg;
reg         add_reg;
reg         learn_reg;
reg [31:0]  base_reg;
reg [23:0]  index_reg;
reg [4:0]   commands_reg;
reg         before_reg;
reg [23:0]  before_index_reg;
reg [4:0]   before_commands_reg;
reg         done_reg;

wire        advance;
wire        is_slot = d_data[`ARRAY_D_OPCODE] == `ARRAY_OPCODE_SLOT;
wire        is_learn = d_data[`ARRAY_D_OPCODE] == `ARRAY_OPCODE_LEARN;
wire [5:0]  slot = d_data[`ARRAY_D_SLOT_SLOT];
// (a SLOT waits for the port to read, which others need not wait for)
wire        may_start = !active_reg && (!before_reg || is_learn == learn_reg);
wire        start = d_valid && !is_slot && may_start;
wire        slot_legal = {1'b0, slot} < P_WORD[6:0];
wire        name = d_valid && is_slot && slot_legal && !advance;

assign d_ready = is_slot ? !advance : may_start;
assign starts = start;

// --- slots ---

wire [P-1:0]    open;
wire [P-1:0]    entered;
wire [P-1:0]    flush_valid;
wire [P-1:0]    flush_ready;
wire [P*CW-1:0] words;
wire            chunk_valid;
wire [SW-1:0]   chunk_slot;
wire [BW-1:0]   chunk_beats;
wire            beat_valid;
wire            beat_take;
wire            beat_last;
wire [SW-1:0]   beat_slot;
wire            quiet;
wire            chunk_last;

collect_slots #(
    .P(P),
    .CHUNK(CHUNK),
    .DEPTH(DEPTH)
) slots (
    .clk(clk),
    .rst(rst),
    .name_valid(name),
    .name_slot(slot[SW-1:0]),
    .name_count(d_data[`ARRAY_D_SLOT_GRADIENTS]),
    .start(start),
    .ordered(is_learn),
    .open(open),
    .entered(entered),
    .flush_valid(flush_valid),
    .flush_ready(flush_ready),
    .words(words),
    .chunk_valid(chunk_valid),
    .chunk_ready(advance),
    .chunk_last(chunk_last),
    .chunk_slot(chunk_slot),
    .chunk_beats(chunk_beats),
    .free_valid(beat_take && beat_last),
    .free_slot(beat_slot),
    .quiet(quiet)
);

wire           word_valid;
wire           word_ready;
wire           take_ready;
wire [8*B-1:0] word_data;

gradient_pack #(
    .P(P),
    .U(U),
    .DEPTH(DEPTH)
) pack (
    .clk(clk),
    .rst(rst),
    .s_valid(grad_valid & open),
    .s_ready(entered),
    .s_data(grad_data),
    .quads(learn_reg),
    .flush_valid(flush_valid),
    .flush_ready(flush_ready),
    .words(words),
    .take_valid(beat_valid),
    .take_ready(take_ready),
    .take_slot(beat_slot),
    .m_valid(word_valid),
    .m_ready(word_ready),
    .m_data(word_data)
);

assign beat_take = beat_valid && take_ready;
assign grad_ready = entered;

// --- addresses of chunks: beat that a slot writes next, of this COLLECT and of the next; with LEARN the number of its
// words that have no chunk, in quarters less one ---

reg [23:0]   beat_mem [0:(2<<SW)-1];
reg [QB-1:0] quarters_mem [0:(2<<SW)-1];
reg          bank_reg;
reg          issue_valid_reg;
reg [SW-1:0] issue_slot_reg;
reg [BW-1:0] issue_beats_reg;
reg [31:0]   issue_addr_reg;

wire         queue_ready;
wire         may_ask = learn_reg || !before_reg;
wire         may_read = may_ask && rd_cmd_ready;
wire         reads = add_reg || learn_reg;
wire         issue = issue_valid_reg && queue_ready && (!reads || may_read);
wire [23:0]  first_beat = beat_mem[{bank_reg, chunk_slot}];
wire [QB-1:0] quarters = quarters_mem[{bank_reg, chunk_slot}];
wire [QB+1:0] rest = {quarters, 2'd3};
wire [31:0]  full_chunk = CHUNK - 1;
wire [BW-1:0] ordered_beats = chunk_last ? rest[BW-1:0] : full_chunk[BW-1:0];
wire [BW-1:0] beats = learn_reg ? ordered_beats : chunk_beats;
wire [23:0]  name_rest = d_data[`ARRAY_D_SLOT_GRADIENTS] - 24'd1;

assign advance = chunk_valid && (!issue_valid_reg || issue);
assign chunk_last = quarters < QUARTERS;

always @(posedge clk) begin
    if (advance) begin
        beat_mem[{bank_reg, chunk_slot}] <= first_beat + {{(24-BW){1'b0}}, beats} + 24'd1;
        quarters_mem[{bank_reg, chunk_slot}] <= quarters - QUARTERS;
    end else if (name) begin
        beat_mem[{!bank_reg, slot[SW-1:0]}] <= d_data[`ARRAY_D_SLOT_BEAT];
        quarters_mem[{!bank_reg, slot[SW-1:0]}] <= name_rest[23:LB];
    end
end

always @(posedge clk) begin
    issue_valid_reg <= chunk_valid || (issue_valid_reg && !issue);
    if (advance) begin
        issue_slot_reg <= chunk_slot;
        issue_beats_reg <= beats;
        issue_addr_reg <= base_reg + ({8'd0, first_beat} << LB);
    end
    if (rst) issue_valid_reg <= 1'b0;
end

assign rd_cmd_valid = issue_valid_reg && reads && queue_ready && may_ask;
assign rd_cmd_addr = issue_addr_reg;
assign rd_cmd_beats = {{(16-BW){1'b0}}, issue_beats_reg};

// --- chunks in their order: a command to write, their words, with add what was read ---

localparam QUEUE = P > 3 ? P : 3;

wire                       queue_valid;
wire [SW-1:0]              queue_slot;
wire [BW-1:0]              queue_beats;
wire [31:0]                queue_addr;
wire [$clog2(QUEUE+1)-1:0] queue_level;
wire                       writer_ready;
wire                       may_write = commands_reg != MOST_COMMANDS;
wire                       command = queue_valid && may_write && writer_ready;

stream_fifo #(
    .WIDTH(SW + BW + 32),
    .DEPTH(QUEUE)
) queue (
    .clk(clk),
    .rst(rst),
    .s_valid(issue_valid_reg && (!reads || may_read)),
    .s_ready(queue_ready),
    .s_data({issue_slot_reg, issue_beats_reg, issue_addr_reg}),
    .m_valid(queue_valid),
    .m_ready(may_write && writer_ready),
    .m_data({queue_slot, queue_beats, queue_addr}),
    .level(queue_level)
);

wire [BW-1:0] wr_beats;

chunk_writer #(
    .BW(BW),
    .TW(SW)
) writer (
    .clk(clk),
    .rst(rst),
    .s_valid(queue_valid && may_write),
    .s_ready(writer_ready),
    .s_addr(queue_addr),
    .s_beats(queue_beats),
    .s_tag(queue_slot),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_beats),
    .beat_valid(beat_valid),
    .beat_tag(beat_slot),
    .beat_last(beat_last),
    .beat_take(beat_take)
);

assign wr_cmd_beats = {{(16-BW){1'b0}}, wr_beats};

reg            wr_valid_reg;
reg  [8*B-1:0] wr_data_reg;
wire           room = !wr_valid_reg || wr_ready;
wire [8*B-1:0] sum;
genvar         l;

generate
    for (l = 0; l < U; l = l + 1) begin : g_lane
        assign sum[32*l +: 32] = word_data[32*l +: 32] + (add_reg ? rd_data[32*l +: 32] : 32'd0);
    end
endgenerate

assign word_ready = room && (!add_reg || (rd_valid && rd_error == 2'd0));
assign rd_ready = room && add_reg && word_valid;

always @(posedge clk) begin
    if (room) wr_data_reg <= sum;
    wr_valid_reg <= (word_valid && word_ready) || (wr_valid_reg && !wr_ready);
    if (rst) wr_valid_reg <= 1'b0;
end

assign wr_valid = wr_valid_reg;
assign wr_data = wr_data_reg;

// --- begin, end, errors ---

reg         quiet_reg;
reg         error_reg;
reg         failed_reg;    // only the first error is reported
reg  [3:0]  error_cause_reg;
reg  [23:0] error_index_reg;

wire       sent = quiet_reg && !chunk_valid && !issue_valid_reg && queue_level == {$clog2(QUEUE+1){1'b0}}
                  && !beat_valid && !word_valid;
wire       hand_over = active_reg && sent && !before_reg;
wire       answers_before = before_commands_reg != 5'd0;
wire [4:0] commands = commands_reg + {4'd0, command} - {4'd0, wr_done && !answers_before};
wire       finish = before_reg && !answers_before;
wire       write_fault = wr_done && wr_error != 2'd0;
wire       read_fault = rd_valid && rd_ready && rd_error != 2'd0;
wire       fault = write_fault || read_fault || (d_valid && is_slot && !slot_legal && !advance);

always @(posedge clk) begin
    // (not what was before this COLLECT began)
    quiet_reg <= quiet && !start;
    if (start) begin
        add_reg <= !is_learn && d_data[`ARRAY_D_COLLECT_ADD];
        learn_reg <= is_learn;
        base_reg <= is_learn ? 32'd0 : d_data[`ARRAY_D_COLLECT_ADDRESS];
        index_reg <= d_index;
        bank_reg <= !bank_reg;
    end
    active_reg <= start || (active_reg && !hand_over);
    commands_reg <= hand_over ? 5'd0 : commands;
    if (wr_done && answers_before) before_commands_reg <= before_commands_reg - 5'd1;
    if (hand_over) begin
        before_commands_reg <= commands;
        before_index_reg <= index_reg;
    end
    before_reg <= hand_over || (before_reg && !finish);
    done_reg <= finish;

    error_reg <= fault && !failed_reg;
    failed_reg <= failed_reg || fault;
    error_cause_reg <= write_fault ? write_cause(wr_error) : read_fault ? read_cause(rd_error) : `ARRAY_CAUSE_FIELD;
    error_index_reg <= write_fault && answers_before ? before_index_reg
                     : write_fault || read_fault ? index_reg : d_index;

    if (rst) begin
        bank_reg <= 1'b0;
        learn_reg <= 1'b0;
        active_reg <= 1'b0;
        commands_reg <= 5'd0;
        before_reg <= 1'b0;
        before_commands_reg <= 5'd0;
        done_reg <= 1'b0;
        error_reg <= 1'b0;
        failed_reg <= 1'b0;
    end
end

assign done = done_reg;
assign idle = !active_reg && !before_reg && !done_reg;
assign learns = learn_reg;
assign learn_index = index_reg;
assign answered_index = answers_before ? before_index_reg : index_reg;
assign unanswered = before_reg;
assign error = error_reg;
assign error_cause = error_cause_reg;
assign error_index = error_index_reg;

// (the number of a read's beats is known)
wire unused = &{1'b0, `ARRAY_D_UNUSED_COLLECT(d_data), rd_last, name_rest, rest, full_chunk};

endmodule
`resetall
