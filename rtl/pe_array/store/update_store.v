// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Weight update: of arrays in memory, UPDATE, or with gradients as they are made, LEARN (docs/pe_array/store_engine.md)
 *
 * Gradients, masters and, where decay is not 0, momenta are read in chunks of 16 beats in turn, go through
 * weight_update.v side by side, B/4 weights per word, and masters, MAC weights and momenta are written in chunks: all
 * of the same numbers of beats, but four words of weights make one beat of MAC weights. With several arrays of
 * gradients, those of data parallel training, a chunk of each is read, and their sums are the gradients.
 *
 * With LEARN collect_store asks for chunks in their order (learn_*), which are a multiple of four words: first for what
 * is read of them, then for what is written, along with their gradients. A chunk is answered when that is written. The
 * first chunk of a LEARN behind another one is read when all words of that one have been taken; where it is in other
 * arrays, when all is written.
 *
 * Latency: read of a word's last beat to its master at the write port 11 clocks; last answer to done 2. Throughput:
 * that of the read port, a beat per clock, 8 (with momentum 12) for a beat of MAC weights.
 */
module update_store #(
    // Bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Number of the first random lane
    parameter LANE_BASE = B,
    // Bits of a master, 16 ... 32
    parameter MASTER = 24,
    // Bits of a MAC weight, 4 ... 8
    parameter DATA = 8
) (
    input  wire                     clk,
    // Synchronous, active high: forgets everything but the random lanes
    input  wire                     rst,

    // Load all random lanes with this seed
    input  wire                     seed_load,
    input  wire [15:0]              seed,

    // UPDATE, no others, but LEARN where collect_store takes it (learn_start); place in the program
    input  wire                     d_valid,
    output wire                     d_ready,
    input  wire [255:0]             d_data,
    input  wire [23:0]              d_index,

    // LEARN is at work, UPDATE is not; place of the one whose chunks are read, and of that whose chunk is answered next
    input  wire                     learns,
    input  wire                     learn_start,
    input  wire [23:0]              learn_index,
    input  wire [23:0]              learn_answered_index,
    // Not all is written of the LEARN before
    input  wire                     learn_before,
    // Chunks to read and chunks to write: offset in the masters, words less one
    input  wire                     learn_rd_valid,
    output wire                     learn_rd_ready,
    input  wire [31:0]              learn_rd_offset,
    input  wire [3:0]               learn_rd_beats,
    input  wire                     learn_wr_valid,
    output wire                     learn_wr_ready,
    input  wire [31:0]              learn_wr_offset,
    input  wire [3:0]               learn_wr_beats,
    // Their words of gradients
    input  wire                     learn_valid,
    output wire                     learn_ready,
    input  wire [8*B-1:0]           learn_data,
    // Pulse: all is written that a chunk makes
    output wire                     learn_done,

    // Pulse: an UPDATE is done
    output wire                     done,
    // No UPDATE has begun and is not done
    output wire                     idle,
    // Pulse, with its cause and the descriptor; after it a reset must follow
    output wire                     error,
    output wire [3:0]               error_cause,
    output wire [23:0]              error_index,

    // How many masters, momenta, MAC weights were clipped in the word of this clock
    output wire [$clog2(B/4+1)-1:0] master_clipped,
    output wire [$clog2(B/4+1)-1:0] momentum_clipped,
    output wire [$clog2(B/4+1)-1:0] weight_clipped,

    // Read port, as axi_read: byte address, beats less one
    output wire                     rd_cmd_valid,
    input  wire                     rd_cmd_ready,
    output wire [31:0]              rd_cmd_addr,
    output wire [15:0]              rd_cmd_beats,
    input  wire                     rd_valid,
    output wire                     rd_ready,
    input  wire [8*B-1:0]           rd_data,
    input  wire                     rd_last,
    input  wire [1:0]               rd_error,

    // Write port, as axi_write: byte address, beats less one
    output wire                     wr_cmd_valid,
    input  wire                     wr_cmd_ready,
    output wire [31:0]              wr_cmd_addr,
    output wire [15:0]              wr_cmd_beats,
    output wire                     wr_valid,
    input  wire                     wr_ready,
    output wire [8*B-1:0]           wr_data,
    input  wire                     wr_done,
    input  wire [1:0]               wr_error
);

`REQUIRE(g_b, B >= 8 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 8 to 64", B))

`include "port_cause.vh"

// (with a legal stand-in where B is not, so that every simulator gets as far as the message)
localparam U = B >= 8 && B <= 64 ? B/4 : 2;
localparam NW = $clog2(B/4 + 1);
localparam CLIP = $clog2(U + 1);
// Words of the FIFOs: two chunks
localparam DEPTH = 32;
// Write commands that are not answered, at most
localparam [4:0] MOST_COMMANDS = 5'd31;

// Arrays as read, and as written
localparam [1:0] GRADIENTS = 2'd0;
localparam [1:0] MASTERS = 2'd1;
localparam [1:0] MOMENTA = 2'd2;
localparam [1:0] OUT_MASTERS = 2'd0;
localparam [1:0] OUT_WEIGHTS = 2'd1;

reg        active_reg;
reg [4:0]  shift_reg;
reg        stochastic_reg;
reg [3:0]  decay_reg;
reg        momentum_reg;    // decay is not 0
reg        nesterov_reg;
reg [4:0]  weight_decay_reg;
reg [23:0] index_reg;
reg        done_reg;

// The latest LEARN, which settings follow when the first chunk of it is read: then all words before it have been taken
reg [255:0] learn_reg;
// Its first chunk waits until all words before it have been taken; where it has other arrays than the one before, until
// all is written
reg         waits_reg;
reg         other_reg;
// Of the chunks that are written
reg [31:0]  masters_reg;
reg [31:0]  weights_reg;
reg [31:0]  momenta_reg;

wire start = d_valid && d_ready;
wire momentum = momentum_reg;
wire d_momentum = d_data[`ARRAY_D_UPDATE_DECAY] != 4'd0;
wire learn_momentum = learn_reg[`ARRAY_D_LEARN_DECAY] != 4'd0;

assign d_ready = !active_reg;

// --- reads (no UPDATE begins while a LEARN has anything to read or to write) ---

wire            read_start = learn_rd_valid && learn_rd_ready;
wire            reads_ready;
wire [2:0]      in_valid;
wire [2:0]      out_ready;
wire [3*8*B-1:0] in_data;

wire            given_ends;
// In the next clock no word of the LEARN before is on its way, nor the command for its last ones: when a LEARN begins
// the last of both are here, and no others come until its first chunk is read
wire            taken = given_ends && !learn_valid && (!learn_wr_valid || learn_wr_ready);
// It is in the same arrays, of which it has other parts (and no chunk of the LEARN before is left to read)
wire            same = d_data[`ARRAY_D_LEARN_MASTERS] == masters_reg
                       && (d_data[`ARRAY_D_LEARN_DECAY] != 4'd0) == momentum;

assign learn_rd_ready = reads_ready && !waits_reg && !(other_reg && learn_before);

update_reads #(
    .B(B),
    .DEPTH(DEPTH)
) reads (
    .clk(clk),
    .rst(rst),
    .start(start || read_start),
    .ready(reads_ready),
    .first_addr(learn_rd_valid ? learn_reg[`ARRAY_D_LEARN_MASTERS] + learn_rd_offset
                               : d_data[`ARRAY_D_UPDATE_GRADIENTS]),
    .second_addr(learn_rd_valid ? learn_reg[`ARRAY_D_LEARN_MOMENTA] + learn_rd_offset
                                : d_data[`ARRAY_D_UPDATE_MASTERS]),
    .third_addr(d_data[`ARRAY_D_UPDATE_MOMENTA]),
    .last_array(learn_rd_valid ? {1'b0, learn_momentum} : {d_momentum, !d_momentum}),
    .firsts_log2(learn_rd_valid ? 3'd0 : d_data[`ARRAY_D_UPDATE_ARRAYS_LOG2]),
    .quarters(learn_rd_valid ? {22'd0, learn_rd_beats[3:2]} : d_data[`ARRAY_D_UPDATE_BEATS]),
    .momentum(momentum),
    .given(learns),
    .given_valid(learn_valid),
    .given_ready(learn_ready),
    .given_data(learn_data),
    .given_ends(given_ends),
    .rd_cmd_valid(rd_cmd_valid),
    .rd_cmd_ready(rd_cmd_ready),
    .rd_cmd_addr(rd_cmd_addr),
    .rd_cmd_beats(rd_cmd_beats),
    .rd_valid(rd_valid),
    .rd_ready(rd_ready),
    .rd_data(rd_data),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .m_valid(in_valid),
    .m_ready(out_ready),
    .m_data(in_data)
);

// --- updates ---

wire            new_valid;
wire            new_ready;
wire [8*B-1:0]  new_master;
wire [8*B-1:0]  new_momentum;
wire [8*U-1:0]  new_weight;
wire [CLIP-1:0] new_master_clipped;
wire [CLIP-1:0] new_momentum_clipped;
wire [CLIP-1:0] new_weight_clipped;
wire            updated = new_valid && new_ready;

weight_update #(
    .U(U),
    .LANE_BASE(LANE_BASE),
    .MASTER(MASTER),
    .DATA(DATA)
) update (
    .clk(clk),
    .rst(rst),
    .seed_load(seed_load),
    .seed(seed),
    .shift(shift_reg),
    .stochastic(stochastic_reg),
    .decay(decay_reg),
    .nesterov(nesterov_reg),
    .weight_decay(weight_decay_reg),
    .gradient_valid(in_valid[GRADIENTS]),
    .gradient_ready(out_ready[GRADIENTS]),
    .gradient_data(in_data[0 +: 8*B]),
    .master_valid(in_valid[MASTERS]),
    .master_ready(out_ready[MASTERS]),
    .master_data(in_data[8*B +: 8*B]),
    .momentum_valid(in_valid[MOMENTA]),
    .momentum_ready(out_ready[MOMENTA]),
    .momentum_data(in_data[2*8*B +: 8*B]),
    .m_valid(new_valid),
    .m_ready(new_ready),
    .m_master(new_master),
    .m_momentum(new_momentum),
    .m_weight(new_weight),
    .m_master_clipped(new_master_clipped),
    .m_momentum_clipped(new_momentum_clipped),
    .m_weight_clipped(new_weight_clipped)
);

reg [NW-1:0] master_clipped_reg;
reg [NW-1:0] momentum_clipped_reg;
reg [NW-1:0] weight_clipped_reg;

always @(posedge clk) begin
    master_clipped_reg <= updated ? new_master_clipped : {NW{1'b0}};
    momentum_clipped_reg <= updated ? new_momentum_clipped : {NW{1'b0}};
    weight_clipped_reg <= updated ? new_weight_clipped : {NW{1'b0}};
    if (rst) begin
        master_clipped_reg <= {NW{1'b0}};
        momentum_clipped_reg <= {NW{1'b0}};
        weight_clipped_reg <= {NW{1'b0}};
    end
end

assign master_clipped = master_clipped_reg;
assign momentum_clipped = momentum_clipped_reg;
assign weight_clipped = weight_clipped_reg;

// --- writes ---

// MAC weights of the beat so far, and how many words of them
reg  [3*8*U-1:0] quarters_reg;
reg  [1:0]       part_reg;
wire [2:0]       to_ready;
wire [2:0]       to_valid;
wire [2:0]       send;
wire [8*B-1:0]   master_out;
wire [8*B-1:0]   weight_out;
wire [8*B-1:0]   momentum_out;

always @(posedge clk) begin
    if (updated) begin
        quarters_reg <= {new_weight, quarters_reg[3*8*U-1:8*U]};
        part_reg <= part_reg + 2'd1;
    end
    if (rst) part_reg <= 2'd0;
end

assign new_ready = &to_ready;

wire [$clog2(DEPTH+1)-1:0]   unused_master_level;
wire [$clog2(DEPTH/4+1)-1:0] unused_weight_level;
wire [$clog2(DEPTH+1)-1:0]   unused_momentum_level;

stream_fifo #(
    .WIDTH(8*B),
    .DEPTH(DEPTH)
) masters (
    .clk(clk),
    .rst(rst),
    .s_valid(updated),
    .s_ready(to_ready[0]),
    .s_data(new_master),
    .m_valid(to_valid[0]),
    .m_ready(send[0]),
    .m_data(master_out),
    .level(unused_master_level)
);

stream_fifo #(
    .WIDTH(8*B),
    .DEPTH(DEPTH/4)
) weights (
    .clk(clk),
    .rst(rst),
    .s_valid(updated && part_reg == 2'd3),
    .s_ready(to_ready[1]),
    .s_data({new_weight, quarters_reg}),
    .m_valid(to_valid[1]),
    .m_ready(send[1]),
    .m_data(weight_out),
    .level(unused_weight_level)
);

stream_fifo #(
    .WIDTH(8*B),
    .DEPTH(DEPTH)
) momenta (
    .clk(clk),
    .rst(rst),
    .s_valid(updated && momentum),
    .s_ready(to_ready[2]),
    .s_data(new_momentum),
    .m_valid(to_valid[2]),
    .m_ready(send[2]),
    .m_data(momentum_out),
    .level(unused_momentum_level)
);

reg [4:0]   commands_reg;
// Array whose chunk is answered next
reg [1:0]   answer_reg;
wire        chunk_valid;
wire        writer_ready;
wire [31:0] chunk_addr;
wire [3:0]  chunk_beats;
wire [1:0]  chunk_array;
wire        beat_valid;
wire [1:0]  beat_array;
wire        unused_beat_last;
wire        may_write = commands_reg != MOST_COMMANDS;
wire        command = chunk_valid && may_write && writer_ready;

wire        write_start = learn_wr_valid && learn_wr_ready;
wire        last_answer = answer_reg == {momentum, !momentum};

assign learn_wr_ready = !chunk_valid;
assign learn_done = learns && wr_done && last_answer;

update_chunks #(
    .B(B),
    .QUARTER(1)
) writes (
    .clk(clk),
    .rst(rst),
    .start(start || write_start),
    .first_addr(learn_wr_valid ? masters_reg + learn_wr_offset : d_data[`ARRAY_D_UPDATE_MASTERS]),
    .second_addr(learn_wr_valid ? weights_reg + {2'd0, learn_wr_offset[31:2]} : d_data[`ARRAY_D_UPDATE_WEIGHTS]),
    .third_addr(learn_wr_valid ? momenta_reg + learn_wr_offset : d_data[`ARRAY_D_UPDATE_MOMENTA]),
    .last_array(learn_wr_valid ? {momentum, !momentum} : {d_momentum, !d_momentum}),
    .firsts_log2(3'd0),
    .quarters(learn_wr_valid ? {22'd0, learn_wr_beats[3:2]} : d_data[`ARRAY_D_UPDATE_BEATS]),
    .m_valid(chunk_valid),
    .m_ready(may_write && writer_ready),
    .m_addr(chunk_addr),
    .m_beats(chunk_beats),
    .m_array(chunk_array)
);

chunk_writer #(
    .BW(4),
    .TW(2)
) writer (
    .clk(clk),
    .rst(rst),
    .s_valid(chunk_valid && may_write),
    .s_ready(writer_ready),
    .s_addr(chunk_addr),
    .s_beats(chunk_beats),
    .s_tag(chunk_array),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_cmd_beats[3:0]),
    .beat_valid(beat_valid),
    .beat_tag(beat_array),
    .beat_last(unused_beat_last),
    .beat_take(wr_valid && wr_ready)
);

assign wr_cmd_beats[15:4] = 12'd0;
assign send = wr_ready && beat_valid ? 3'd1 << beat_array : 3'd0;
assign wr_valid = beat_valid && to_valid[beat_array];
assign wr_data = beat_array == OUT_MASTERS ? master_out : beat_array == OUT_WEIGHTS ? weight_out : momentum_out;

// --- begin, end, errors ---

reg         error_reg;
reg         failed_reg;    // only the first error is reported
reg  [3:0]  error_cause_reg;
reg  [23:0] error_index_reg;

wire finish = active_reg && !chunk_valid && !beat_valid && commands_reg == 5'd0;
wire write_fault = wr_done && wr_error != 2'd0;
wire read_fault = rd_valid && rd_ready && rd_error != 2'd0;
wire fault = write_fault || read_fault;

always @(posedge clk) begin
    if (start) begin
        shift_reg <= d_data[`ARRAY_D_UPDATE_SHIFT];
        stochastic_reg <= d_data[`ARRAY_D_UPDATE_STOCHASTIC];
        decay_reg <= d_data[`ARRAY_D_UPDATE_DECAY];
        momentum_reg <= d_momentum;
        nesterov_reg <= d_data[`ARRAY_D_UPDATE_NESTEROV];
        weight_decay_reg <= d_data[`ARRAY_D_UPDATE_WEIGHT_DECAY];
        index_reg <= d_index;
    end
    if (learn_start) learn_reg <= d_data;
    waits_reg <= (learn_start || waits_reg) && !taken;
    other_reg <= learn_start ? !same : other_reg && !read_start;
    if (read_start) begin
        shift_reg <= learn_reg[`ARRAY_D_LEARN_SHIFT];
        stochastic_reg <= learn_reg[`ARRAY_D_LEARN_STOCHASTIC];
        decay_reg <= learn_reg[`ARRAY_D_LEARN_DECAY];
        momentum_reg <= learn_momentum;
        nesterov_reg <= learn_reg[`ARRAY_D_LEARN_NESTEROV];
        weight_decay_reg <= learn_reg[`ARRAY_D_LEARN_WEIGHT_DECAY];
        masters_reg <= learn_reg[`ARRAY_D_LEARN_MASTERS];
        weights_reg <= learn_reg[`ARRAY_D_LEARN_WEIGHTS];
        momenta_reg <= learn_reg[`ARRAY_D_LEARN_MOMENTA];
        index_reg <= learn_index;
    end
    if (wr_done) answer_reg <= last_answer ? 2'd0 : answer_reg + 2'd1;
    active_reg <= start || (active_reg && !finish);
    commands_reg <= commands_reg + {4'd0, command} - {4'd0, wr_done};
    done_reg <= finish;
    error_reg <= fault && !failed_reg;
    failed_reg <= failed_reg || fault;
    error_cause_reg <= write_fault ? write_cause(wr_error) : read_cause(rd_error);
    error_index_reg <= write_fault && learns ? learn_answered_index : index_reg;
    if (rst) begin
        active_reg <= 1'b0;
        waits_reg <= 1'b0;
        other_reg <= 1'b0;
        commands_reg <= 5'd0;
        answer_reg <= 2'd0;
        done_reg <= 1'b0;
        error_reg <= 1'b0;
        failed_reg <= 1'b0;
    end
end

assign done = done_reg;
assign idle = !active_reg && !done_reg;
assign error = error_reg;
assign error_cause = error_cause_reg;
assign error_index = error_index_reg;

// (chunks of a LEARN are a multiple of four words)
wire unused = &{1'b0, `ARRAY_D_UNUSED_UPDATE(d_data), `ARRAY_D_UNUSED_LEARN(learn_reg), learn_rd_beats[1:0],
                learn_wr_beats[1:0], learn_wr_offset[1:0]};

endmodule
`resetall
