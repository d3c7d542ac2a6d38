// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Store engine, DRAIN, OUTPUT and SCALES: accumulators through requantise to runs of beats in memory
 *
 * OUTPUT and SCALES only write settings, for all DRAINs behind them; a reset gives SCALES its defaults. DRAIN drains
 * the grid (tile_drain), requantises the words, with mask words, addends or records of channels from memory if wanted,
 * pools them, or spreads those of a pooled map (pool_drain), and writes them in the pattern of the settings
 * (drain_runs); it is done when all writes are answered, and nothing is taken before.
 * Products tell beforehand whether drain and pattern have the same length: where they have not nothing is read or
 * written.
 *
 * Latency: DRAIN taken in clock c: drain_cmd_valid in c+1, commands for memory from c+5 on, one per clock on each port.
 * A word takes 7 clocks from drain_data to wr_data, pooled or spread 10, one word per clock in or out; with records it
 * waits for that of its channel, 2 clocks behind its beat. done 2 clocks after the last wr_done.
 *
 * Errors (one pulse, then nothing is taken or done before a reset): 2 an OUTPUT whose field is 3, a SCALES whose
 * records are 3, without SCALE a multiplier that is not 1.0, a DRAIN without an OUTPUT before it, one with two of mask,
 * addend, records and places to read, one that pools with mask or addend, one that tile_drain refuses, that is not as
 * long as its runs, or whose records have more than 65536 beats, one with index and more than ARRAY_POOL_BEATS in a
 * run, or strides whose double or quadruple does not fit; 3 a refused read or write; 4, 5 SLVERR, DECERR of a read;
 * 6, 7 of a write. Lengths are reported 5 clocks after the DRAIN was taken, the others 1 clock after they showed.
 */
module drain_store #(
    // Lanes: images of the batch and bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32,
    // Number of the first random lane of requantise
    parameter LANE_BASE = 0,
    // Bits of a result, 4 ... 8
    parameter DATA = 8,
    // 1: there are multipliers; 0: all multipliers are 1.0
    parameter SCALE = 1
) (
    input  wire                   clk,
    // Synchronous, active high: forgets everything but the random lanes
    input  wire                   rst,

    // Load the random lanes of requantise with this seed
    input  wire                   seed_load,
    input  wire [15:0]            seed,

    // Descriptor, OUTPUT, SCALES or DRAIN, and its place in the program
    input  wire                   d_valid,
    output wire                   d_ready,
    input  wire [255:0]           d_data,
    input  wire [23:0]            d_index,

    // Pulse: a DRAIN is done
    output wire                   done,
    // No DRAIN is under way
    output wire                   idle,
    // Pulse, with cause and descriptor
    output wire                   error,
    output wire [3:0]             error_cause,
    output wire [23:0]            error_index,

    // Pulse: so many values were clipped (0 ... B)
    output wire [$clog2(B+1)-1:0] clipped,

    // Drain of the grid, see tile_drain
    output wire                   drain_cmd_valid,
    input  wire                   drain_cmd_ready,
    output wire [`ARRAY_DRAIN_CMD_BITS-1:0] drain_cmd,
    input  wire                   drain_cmd_error,
    // Accumulators, image 0 in the low bits
    input  wire                   drain_valid,
    output wire                   drain_ready,
    input  wire [B*ACC-1:0]       drain_data,
    // Final word of the drain
    input  wire                   drain_last,

    // Reads of mask words, addends and records, see axi_read; addresses in bytes, beats less one
    output wire                   rd_cmd_valid,
    input  wire                   rd_cmd_ready,
    output wire [31:0]            rd_cmd_addr,
    output wire [15:0]            rd_cmd_beats,
    input  wire                   rd_valid,
    output wire                   rd_ready,
    input  wire [8*B-1:0]         rd_data,
    input  wire                   rd_last,
    input  wire [1:0]             rd_error,

    // Writes of pixel words, see axi_write
    output wire                   wr_cmd_valid,
    input  wire                   wr_cmd_ready,
    output wire [31:0]            wr_cmd_addr,
    output wire [15:0]            wr_cmd_beats,
    output wire                   wr_valid,
    input  wire                   wr_ready,
    output wire [8*B-1:0]         wr_data,
    input  wire                   wr_done,
    input  wire [1:0]             wr_error
);


`include "port_cause.vh"

localparam CW = $clog2(B + 1);
localparam [`ARRAY_MULTIPLIER_BITS-1:0] ONE = `ARRAY_MULTIPLIER_ONE;
localparam [15:0] POOL_BEATS = `ARRAY_POOL_BEATS;

localparam [1:0] IDLE = 2'd0;
localparam [1:0] CHECK = 2'd1;  // the lengths are not known yet, or the operation is illegal
localparam [1:0] RUN = 2'd2;

reg  [1:0] state_reg;
reg        failed_reg;          // until the reset
wire       is_output = d_data[`ARRAY_D_OPCODE] == `ARRAY_OPCODE_OUTPUT;
wire       is_scales = d_data[`ARRAY_D_OPCODE] == `ARRAY_OPCODE_SCALES;
wire       take = d_valid && d_ready;
wire       take_output = take && is_output;
wire       take_scales = take && is_scales;
wire       take_drain = take && !is_output && !is_scales;
wire       run = state_reg == RUN;

assign d_ready = state_reg == IDLE;

// --- settings: OUTPUT and SCALES ---

reg         known_reg;        // there was an OUTPUT
reg [255:0] output_reg;
reg [255:0] scales_reg;

always @(posedge clk) begin
    if (take_output) output_reg <= d_data;
    if (take_scales) scales_reg <= d_data;
    known_reg <= known_reg || take_output;
    if (rst) begin
        scales_reg <= `ARRAY_D_SCALES_DEFAULT;
        known_reg <= 1'b0;
    end
end

wire        use_mask = output_reg[`ARRAY_D_OUTPUT_USE_MASK];
wire        relu = output_reg[`ARRAY_D_OUTPUT_RELU];
wire [15:0] beats = output_reg[`ARRAY_D_OUTPUT_RUN_BEATS];  // of a run less one
wire [19:0] run_stride = output_reg[`ARRAY_D_OUTPUT_RUN_STRIDE];
wire [19:0] group_stride = output_reg[`ARRAY_D_OUTPUT_GROUP_STRIDE];
wire [1:0] records = scales_reg[`ARRAY_D_SCALES_RECORDS];
wire       use_records = records != `ARRAY_RECORDS_NONE;
wire       full = records == `ARRAY_RECORDS_FULL;
wire       addend = scales_reg[`ARRAY_D_SCALES_ADDEND];
wire       use_map = use_mask || addend;
wire       windows = d_data[`ARRAY_D_DRAIN_WINDOWS];
wire       index = d_data[`ARRAY_D_DRAIN_INDEX];
wire       clash = (use_mask && addend) || (use_map && use_records) || ((windows || index) && use_map)
    || (index && !windows && use_records) || (index && beats >= POOL_BEATS)
    || (index && !windows && (run_stride[19] || group_stride[19:18] != 2'd0));

// --- command: DRAIN ---

reg           offer_reg;
reg [`ARRAY_DRAIN_CMD_BITS-1:0] cmd_reg;
reg [23:0]    index_reg;
reg           windows_reg;
reg           places_reg;   // index
reg           limited_reg;

wire [11:0] ybase = d_data[`ARRAY_D_DRAIN_YBASE];
wire [11:0] ystride = d_data[`ARRAY_D_DRAIN_YSTRIDE];

// (copied while nothing is under way: whether there is a descriptor, and which, is known late)
always @(posedge clk) begin
    if (d_ready) begin
        index_reg <= d_index;
        windows_reg <= windows;
        places_reg <= index;
        limited_reg <= d_data[`ARRAY_D_DRAIN_LIMITED];
        cmd_reg[`ARRAY_DRAIN_CMD_WINDOWS] <= windows;
        cmd_reg[`ARRAY_DRAIN_CMD_SLOTS] <= d_data[`ARRAY_D_DRAIN_SLOTS];
        cmd_reg[`ARRAY_DRAIN_CMD_CHANNELS] <= d_data[`ARRAY_D_DRAIN_CHANNELS];
        cmd_reg[`ARRAY_DRAIN_CMD_CHANNELS_LAST] <= d_data[`ARRAY_D_DRAIN_CHANNELS_LAST];
        cmd_reg[`ARRAY_DRAIN_CMD_HEIGHT] <= d_data[`ARRAY_D_DRAIN_HEIGHT];
        cmd_reg[`ARRAY_DRAIN_CMD_WIDTH] <= d_data[`ARRAY_D_DRAIN_WIDTH];
        cmd_reg[`ARRAY_DRAIN_CMD_TILE_HEIGHT] <= d_data[`ARRAY_D_DRAIN_TILE_HEIGHT];
        cmd_reg[`ARRAY_DRAIN_CMD_TILE_WIDTH] <= d_data[`ARRAY_D_DRAIN_TILE_WIDTH];
        cmd_reg[`ARRAY_DRAIN_CMD_SY_LOG2] <= d_data[`ARRAY_D_DRAIN_SY_LOG2];
        cmd_reg[`ARRAY_DRAIN_CMD_SX_LOG2] <= d_data[`ARRAY_D_DRAIN_SX_LOG2];
        cmd_reg[`ARRAY_DRAIN_CMD_YBASE] <= ybase[9:0];
        cmd_reg[`ARRAY_DRAIN_CMD_YSTRIDE] <= ystride[9:0];
    end
    offer_reg <= (take_drain && known_reg && !clash) || (offer_reg && !drain_cmd_ready);
    if (rst) offer_reg <= 1'b0;
end

assign drain_cmd_valid = offer_reg;
assign drain_cmd = cmd_reg;

// --- commands for memory ---

wire        runs_total_valid;
wire [41:0] runs_total;
wire        maps_valid;
wire [31:0] map_addr;
wire [15:0] map_beats;
wire        commanded;
wire        answered;
wire        records_cmd_valid;
wire [31:0] records_addr;
wire [15:0] records_beats;

drain_runs #(.B(B)) commands (
    .clk(clk),
    .rst(rst),
    .start(take_drain),
    .windows(d_ready ? windows : windows_reg),
    .index(d_ready ? index : places_reg),
    .use_map(use_map),
    .addr(output_reg[`ARRAY_D_OUTPUT_ADDRESS]),
    .mask_addr(output_reg[`ARRAY_D_OUTPUT_MASK]),
    .beats(beats),
    .runs(output_reg[`ARRAY_D_OUTPUT_RUNS]),
    .run_stride(run_stride),
    .groups(output_reg[`ARRAY_D_OUTPUT_GROUPS]),
    .group_stride(group_stride),
    .run(run),
    .total_valid(runs_total_valid),
    .total(runs_total),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_cmd_beats),
    .wr_done(wr_done),
    .commanded(commanded),
    .answered(answered),
    .rd_cmd_valid(maps_valid),
    .rd_cmd_ready(rd_cmd_ready && !use_records),
    .rd_cmd_addr(map_addr),
    .rd_cmd_beats(map_beats)
);

assign rd_cmd_valid = use_records ? records_cmd_valid && run : maps_valid;
assign rd_cmd_addr = use_records ? records_addr : map_addr;
assign rd_cmd_beats = use_records ? records_beats : map_beats;

// --- length of the drain, in step with that of the runs ---

reg [18:0] slots_channels_reg;  // of all slots but the last
reg [23:0] pixels_reg;
reg [23:0] pixels_late_reg;
reg [18:0] maps_reg;            // channels of all slots
reg [42:0] words_reg;

always @(posedge clk) begin
    slots_channels_reg <= {12'd0, cmd_reg[`ARRAY_DRAIN_CMD_SLOTS] - 7'd1} * {7'd0, cmd_reg[`ARRAY_DRAIN_CMD_CHANNELS]};
    pixels_reg <= {12'd0, cmd_reg[`ARRAY_DRAIN_CMD_HEIGHT]} * {12'd0, cmd_reg[`ARRAY_DRAIN_CMD_WIDTH]};
    maps_reg <= slots_channels_reg + {7'd0, cmd_reg[`ARRAY_DRAIN_CMD_CHANNELS_LAST]};
    pixels_late_reg <= pixels_reg;
    words_reg <= {24'd0, maps_reg} * {19'd0, pixels_late_reg};
end

// --- records of channels ---

reg  [2:0]  start_reg;           // of a DRAIN that was taken 1, 2 and 3 clocks ago
reg  [23:0] left_reg;            // pixels of the channel that are not taken, this one included
wire        too_many;
wire        records_ready;
wire        record_valid;
wire        good = rd_valid && rd_error == 2'd0;
wire        word_there = drain_valid && run && (record_valid || !use_records);
wire        last_pixel = left_reg == 24'd1;
wire [31:0] record_bias;
wire [`ARRAY_MULTIPLIER_BITS-1:0] record_multiplier;
wire [4:0]  record_shift;
wire        no_multiplier = word_there && full && SCALE == 0 && record_multiplier != ONE;

always @(posedge clk) begin
    start_reg <= {start_reg[1:0], take_drain && use_records};
    if (!run || (drain_valid && drain_ready && last_pixel)) left_reg <= pixels_late_reg;
    else if (drain_valid && drain_ready) left_reg <= left_reg - 24'd1;
    if (rst) start_reg <= 3'd0;
end

channel_records #(.B(B)) records_of_channels (
    .clk(clk),
    .rst(rst),
    .start(start_reg[2]),
    .full(full),
    .address(scales_reg[`ARRAY_D_SCALES_ADDRESS]),
    .channels(maps_reg),
    .too_many(too_many),
    .cmd_valid(records_cmd_valid),
    .cmd_ready(rd_cmd_ready && run && use_records),
    .cmd_addr(records_addr),
    .cmd_beats(records_beats),
    .s_valid(good && run && use_records),
    .s_ready(records_ready),
    .s_data(rd_data),
    .m_valid(record_valid),
    .m_ready(drain_valid && drain_ready && last_pixel),
    .m_bias(record_bias),
    .m_multiplier(record_multiplier),
    .m_shift(record_shift)
);

// --- words ---

wire          pipe_ready;
wire          map_ready;
wire          word_valid;
wire          word_ready;
wire [8*B-1:0] word;
wire          place_ready;
wire [CW-1:0] word_clipped;
reg  [CW-1:0] clipped_reg;

requantise #(
    .B(B),
    .ACC(ACC),
    .LANE_BASE(LANE_BASE),
    .DATA(DATA),
    .SCALE(SCALE)
) pipe (
    .clk(clk),
    .rst(rst),
    .seed_load(seed_load),
    .seed(seed),
    .field(output_reg[`ARRAY_D_OUTPUT_FIELD]),
    .bias(use_records ? record_bias : scales_reg[`ARRAY_D_SCALES_BIAS]),
    .bias_shift(scales_reg[`ARRAY_D_SCALES_BIAS_SHIFT]),
    .multiplier(full ? record_multiplier : scales_reg[`ARRAY_D_SCALES_MULTIPLIER]),
    .shift(full ? record_shift : output_reg[`ARRAY_D_OUTPUT_SHIFT]),
    .stochastic(output_reg[`ARRAY_D_OUTPUT_STOCHASTIC]),
    .even(scales_reg[`ARRAY_D_SCALES_EVEN]),
    .near_half(scales_reg[`ARRAY_D_SCALES_NEAR_HALF]),
    .zero(scales_reg[`ARRAY_D_SCALES_ZERO]),
    .low(scales_reg[`ARRAY_D_SCALES_LOW]),
    .high(scales_reg[`ARRAY_D_SCALES_HIGH]),
    .relu(relu),
    .use_mask(use_mask),
    .mask_high(scales_reg[`ARRAY_D_SCALES_MASK_HIGH]),
    .addend(addend),
    .addend_zero(scales_reg[`ARRAY_D_SCALES_ADDEND_ZERO]),
    .addend_multiplier(scales_reg[`ARRAY_D_SCALES_ADDEND_MULTIPLIER]),
    .addend_shift(scales_reg[`ARRAY_D_SCALES_ADDEND_SHIFT]),
    .s_valid(word_there),
    .s_ready(pipe_ready),
    .s_data(drain_data),
    .map_valid(good),
    .map_ready(map_ready),
    .map_data(rd_data),
    .m_valid(word_valid),
    .m_ready(word_ready),
    .m_data(word),
    .m_clipped(word_clipped)
);

pool_drain #(.B(B)) pool (
    .clk(clk),
    .rst(rst),
    .windows(windows_reg),
    .index(places_reg),
    .relu(relu),
    .limited(limited_reg),
    .high(scales_reg[`ARRAY_D_SCALES_HIGH]),
    .beats(beats),
    .s_valid(word_valid),
    .s_ready(word_ready),
    .s_data(word),
    .place_valid(good),
    .place_ready(place_ready),
    .place_data(rd_data),
    .m_valid(wr_valid),
    .m_ready(wr_ready),
    .m_data(wr_data)
);

assign drain_ready = pipe_ready && run && (record_valid || !use_records);
assign rd_ready = use_records ? records_ready && run : map_ready || place_ready;
assign clipped = clipped_reg;

always @(posedge clk) begin
    clipped_reg <= word_valid && word_ready ? word_clipped : {CW{1'b0}};
    if (rst) clipped_reg <= {CW{1'b0}};
end

// --- end and errors ---

reg [1:0] state_next;
reg [3:0] cause_next;
reg [3:0] cause_reg;
reg       done_reg;
reg       error_reg;

wire lengths = state_reg == CHECK && runs_total_valid;
// Words of results: a quarter of those that are drained, or four times as many
wire [44:0] written = windows_reg ? {4'd0, words_reg[42:2]} : places_reg ? {words_reg, 2'd0} : {2'd0, words_reg};
wire wrong_length = lengths && (written != {3'd0, runs_total} || (use_records && too_many));
wire bad_scales = d_data[`ARRAY_D_SCALES_RECORDS] == 2'd3 || (SCALE == 0
    && (d_data[`ARRAY_D_SCALES_MULTIPLIER] != ONE || d_data[`ARRAY_D_SCALES_ADDEND_MULTIPLIER] != ONE));
// Of the descriptor, whether it is taken or not: it is taken late
wire bad = is_output ? d_data[`ARRAY_D_OUTPUT_FIELD] == 2'd3 : is_scales ? bad_scales : !known_reg || clash;
wire refused = take && bad;
wire other_fault = wr_done && wr_error != 2'd0 || rd_valid && rd_error != 2'd0 || drain_cmd_error || wrong_length
    || no_multiplier;
wire fault = refused || other_fault;
wire end_of_drain = run && commanded && answered && !failed_reg;

always @* begin
    cause_next = 4'd0;
    if (wr_done) cause_next = write_cause(wr_error);
    if (rd_valid && rd_error != 2'd0) cause_next = read_cause(rd_error);
    if (drain_cmd_error || wrong_length || no_multiplier || refused) cause_next = `ARRAY_CAUSE_FIELD;
end

// After an error what is offered stays offered
always @* begin
    state_next = state_reg;
    if (take && ((!is_output && !is_scales) || bad || other_fault)) state_next = CHECK;
    if (lengths && !other_fault && !failed_reg) state_next = RUN;
    if (end_of_drain) state_next = IDLE;
end

always @(posedge clk) begin
    state_reg <= state_next;
    done_reg <= end_of_drain;
    failed_reg <= failed_reg || fault;
    error_reg <= fault && !failed_reg;
    cause_reg <= cause_next;
    if (rst) begin
        failed_reg <= 1'b0;
        state_reg <= IDLE;
        done_reg <= 1'b0;
        error_reg <= 1'b0;
    end
end

assign done = done_reg;
assign idle = state_reg == IDLE;
assign error = error_reg;
assign error_cause = cause_reg;
assign error_index = index_reg;

// (and what both patterns and good reads tell alike; addresses of Y lose their upper bits)
wire unused = &{1'b0, `ARRAY_D_UNUSED_DRAIN(d_data), `ARRAY_D_UNUSED_SCALES(scales_reg), ybase, ystride, rd_last,
                output_reg};

`ifdef SIMULATION
// The drain is as long as its runs: what is not answered when its final word has been taken is its last commands
reg ended_reg;

always @(posedge clk) begin
    if ($time != 0 && !rst && ended_reg && drain_valid) begin
        $display("%m: a word behind the last");
        $finish;
    end
    if ($time != 0 && !rst && end_of_drain && !ended_reg) begin
        $display("%m: all is written before the last word");
        $finish;
    end
    if (drain_valid && drain_ready) ended_reg <= drain_last;
    if (rst || state_reg == IDLE) ended_reg <= 1'b0;
end
`else
wire unused_last = drain_last;
`endif

endmodule
`resetall
