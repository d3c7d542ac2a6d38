// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Store engine: what goes from the grid to memory, and from memory to memory
 *
 * Hands each descriptor to the part of its opcode (docs/pe_array/store_engine.md): DRAIN, OUTPUT and SCALES to
 * drain_store, COLLECT, LEARN and SLOT to collect_store, UPDATE to update_store, DELTA to delta_store. A descriptor is
 * taken when all other parts are idle, so that operations end in their order, and only one part is at the read and the
 * write port: with LEARN that is update_store, to which the ports of collect_store lead then.
 *
 * With WIDE = 2 beats of COLLECT, LEARN and UPDATE have 2*B bytes, those of the others B in the low bits (rd_half and
 * wr_half say which).
 *
 * Latency: none beyond that of the parts; an unknown opcode is reported (cause 1) 1 clock after it was taken. After an
 * error nothing is taken before a reset.
 */
module store_engine #(
    // PEs, a power of two, 1 ... 64
    parameter P = 32,
    // Lanes: images of the batch and bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32,
    // Fraction bits of the logits, 0 ... 7
    parameter FRAC = 4,
    // 1: deltas with softmax too; 0: with sigmoid alone
    parameter SOFTMAX = 1,
    // Bits of activations, gradients of maps and MAC weights, 4 ... 8
    parameter DATA = 8,
    // Bits of a master weight, 16 ... 32
    parameter MASTER = 24,
    // 1: there are multipliers of outputs; 0: all are 1.0
    parameter SCALE = 1,
    // B-byte words of a beat of gradients and weights, 1 or 2; at most 64 bytes
    parameter WIDE = 1,
    // Bits of a number of clipped weights (derived)
    parameter UW = $clog2(WIDE*B/4 + 1)
) (
    input  wire                     clk,
    // Synchronous, active high: forgets everything but the random lanes
    input  wire                     rst,

    // Load all random lanes with this seed
    input  wire                     seed_load,
    input  wire [15:0]              seed,

    // Descriptors whose counts are reached, and their places in the program
    input  wire                     d_valid,
    output wire                     d_ready,
    input  wire [255:0]             d_data,
    input  wire [23:0]              d_index,

    // Pulse: a counted operation is done, in order
    output wire                     done,
    // Nothing is begun and not done
    output wire                     idle,
    // Pulse, with cause and descriptor
    output wire                     error,
    output wire [3:0]               error_cause,
    output wire [23:0]              error_index,

    // Values clipped in a clock (0 where none) by requantise, and of masters, momenta and MAC weights
    output wire [$clog2(B+1)-1:0]   clipped_outputs,
    output wire [UW-1:0]            clipped_masters,
    output wire [UW-1:0]            clipped_momenta,
    output wire [UW-1:0]            clipped_weights,

    // Drain of the grid, see tile_drain
    output wire                     drain_cmd_valid,
    input  wire                     drain_cmd_ready,
    output wire [`ARRAY_DRAIN_CMD_BITS-1:0] drain_cmd,
    input  wire                     drain_cmd_error,
    // Accumulators, image 0 in the low bits
    input  wire                     drain_valid,
    output wire                     drain_ready,
    input  wire [B*ACC-1:0]         drain_data,
    input  wire                     drain_last,

    // Gradients of the slots, signed, slot 0 lowest
    input  wire [P-1:0]             grad_valid,
    output wire [P-1:0]             grad_ready,
    input  wire [P*32-1:0]          grad_data,

    // Reads, see axi_read; addresses in bytes, beats less one
    output wire                     rd_cmd_valid,
    input  wire                     rd_cmd_ready,
    output wire [31:0]              rd_cmd_addr,
    output wire [15:0]              rd_cmd_beats,
    output wire                     rd_half,
    input  wire                     rd_valid,
    output wire                     rd_ready,
    input  wire [WIDE*8*B-1:0]      rd_data,
    input  wire                     rd_last,
    input  wire [1:0]               rd_error,

    // Writes, see axi_write
    output wire                     wr_cmd_valid,
    input  wire                     wr_cmd_ready,
    output wire [31:0]              wr_cmd_addr,
    output wire [15:0]              wr_cmd_beats,
    output wire                     wr_half,
    output wire                     wr_valid,
    input  wire                     wr_ready,
    output wire [WIDE*8*B-1:0]      wr_data,
    input  wire                     wr_done,
    input  wire [1:0]               wr_error
);

`REQUIRE(g_b, B >= 8 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 8 to 64", B))
`REQUIRE(g_wide, WIDE == 1 || (WIDE == 2 && B <= 32),
         ("%m: WIDE = %0d must be 1, or 2 with B = %0d at most 32", WIDE, B))

// Bytes and bits of a wide beat (with a legal stand-in where WIDE is not)
localparam WB = WIDE == 2 && B <= 32 ? 2*B : B;
localparam WBITS = 8*WB;

// Parts: their bits in one-hot words
localparam DRAIN = 0;
localparam COLLECT = 1;
localparam UPDATE = 2;
localparam DELTA = 3;

// --- descriptors ---

wire [7:0] opcode = d_data[`ARRAY_D_OPCODE];
// The part of the opcode, one hot; none: it is unknown
reg  [3:0] part;
wire       known = part != 4'd0;
// The part that has taken the latest descriptor, one hot: the only one that may be at work
reg  [3:0] part_reg;
reg        unknown_reg;    // an unknown opcode was taken
reg        stopped_reg;    // there was an error: nothing more until the reset
reg        error_reg;
reg [23:0] index_reg;

wire [3:0]  part_valid;
wire [3:0]  part_ready;
wire [3:0]  part_done;
wire [3:0]  part_idle;
wire [3:0]  part_error;
wire [15:0] part_cause;
wire [95:0] part_index;
wire        all_idle = part_idle == 4'd15;
wire        stop = stopped_reg || error;
// Parts that may take a descriptor, as the others are idle: known before the opcode is
wire [3:0]  may = (part_reg | {4{all_idle}}) & {4{!stop}};
wire        take_unknown = d_valid && !known && all_idle && !stop;

always @* begin
    part = 4'd0;
    case (opcode)
        `ARRAY_OPCODE_DRAIN, `ARRAY_OPCODE_OUTPUT, `ARRAY_OPCODE_SCALES: part[DRAIN] = 1'b1;
        `ARRAY_OPCODE_SLOT, `ARRAY_OPCODE_COLLECT, `ARRAY_OPCODE_LEARN: part[COLLECT] = 1'b1;
        `ARRAY_OPCODE_UPDATE: part[UPDATE] = 1'b1;
        `ARRAY_OPCODE_DELTA: part[DELTA] = 1'b1;
        default: ;
    endcase
end

assign part_valid = part & may & {4{d_valid}};
assign d_ready = (part & may & part_ready) != 4'd0 || (!known && all_idle && !stop);

always @(posedge clk) begin
    if (d_valid && d_ready && known) part_reg <= part;
    if (take_unknown) index_reg <= d_index;
    unknown_reg <= unknown_reg || take_unknown;
    stopped_reg <= stop;
    error_reg <= take_unknown;
    if (rst) begin
        unknown_reg <= 1'b0;
        stopped_reg <= 1'b0;
        error_reg <= 1'b0;
        part_reg <= 4'd1 << DRAIN;
    end
end

assign done = part_done != 4'd0;
assign idle = all_idle && !stop;
assign error = error_reg || part_error != 4'd0;
assign error_cause = unknown_reg ? `ARRAY_CAUSE_OPCODE : failed_cause;
assign error_index = unknown_reg ? index_reg : failed_index;

// --- the ports, which belong to that part, or to UPDATE where that learns ---

wire            latest_learns;
// COLLECT has taken the latest descriptor and latest_learns; the part that the ports belong to, one hot: made where a
// descriptor is taken, as part_reg is, for all handshakes of both ports depend on them
reg             learns_reg;
reg  [3:0]      at_port_reg;
wire will_learn = part[COLLECT] && (opcode == `ARRAY_OPCODE_LEARN || (opcode == `ARRAY_OPCODE_SLOT && latest_learns));
wire            learns = learns_reg;
wire [3:0]      at_port = at_port_reg;
wire [3:0]      failed = part_error[UPDATE] ? 4'd1 << UPDATE : part_reg;
wire [3:0]      part_rd_cmd_valid;
wire [127:0]    part_rd_cmd_addr;
wire [63:0]     part_rd_cmd_beats;
wire [3:0]      part_rd_ready;
wire [3:0]      part_wr_cmd_valid;
wire [127:0]    part_wr_cmd_addr;
wire [63:0]     part_wr_cmd_beats;
wire [3:0]      part_wr_valid;
wire [4*WBITS-1:0] part_wr_data;

always @(posedge clk) begin
    if (d_valid && d_ready && known) begin
        learns_reg <= will_learn;
        at_port_reg <= will_learn ? 4'd1 << UPDATE : part;
    end
    if (rst) begin
        learns_reg <= 1'b0;
        at_port_reg <= 4'd1 << DRAIN;
    end
end

reg [31:0]      port_rd_addr, port_wr_addr;
reg [15:0]      port_rd_beats, port_wr_beats;
reg [WBITS-1:0] port_wr_data;
reg [3:0]       failed_cause;
reg [23:0]      failed_index;
integer         i;

always @* begin
    port_rd_addr = 32'd0;
    port_rd_beats = 16'd0;
    port_wr_addr = 32'd0;
    port_wr_beats = 16'd0;
    port_wr_data = {WBITS{1'b0}};
    failed_cause = 4'd0;
    failed_index = 24'd0;
    for (i = 0; i < 4; i = i + 1) begin
        port_rd_addr = port_rd_addr | (part_rd_cmd_addr[32*i +: 32] & {32{at_port[i]}});
        port_rd_beats = port_rd_beats | (part_rd_cmd_beats[16*i +: 16] & {16{at_port[i]}});
        port_wr_addr = port_wr_addr | (part_wr_cmd_addr[32*i +: 32] & {32{at_port[i]}});
        port_wr_beats = port_wr_beats | (part_wr_cmd_beats[16*i +: 16] & {16{at_port[i]}});
        port_wr_data = port_wr_data | (part_wr_data[WBITS*i +: WBITS] & {WBITS{at_port[i]}});
        failed_cause = failed_cause | (part_cause[4*i +: 4] & {4{failed[i]}});
        failed_index = failed_index | (part_index[24*i +: 24] & {24{failed[i]}});
    end
end

assign rd_cmd_valid = (part_rd_cmd_valid & at_port) != 4'd0;
assign rd_cmd_addr = port_rd_addr;
assign rd_cmd_beats = port_rd_beats;
assign rd_ready = (part_rd_ready & at_port) != 4'd0;
assign wr_cmd_valid = (part_wr_cmd_valid & at_port) != 4'd0;
assign wr_cmd_addr = port_wr_addr;
assign wr_cmd_beats = port_wr_beats;
assign wr_valid = (part_wr_valid & at_port) != 4'd0;
assign wr_data = port_wr_data;
assign rd_half = WIDE != 1 && (at_port[DRAIN] || at_port[DELTA]);
assign wr_half = rd_half;

wire [3:0] part_rd_cmd_ready = at_port & {4{rd_cmd_ready}};
wire [3:0] part_rd_valid = at_port & {4{rd_valid}};
wire [3:0] part_wr_cmd_ready = at_port & {4{wr_cmd_ready}};
wire [3:0] part_wr_ready = at_port & {4{wr_ready}};
wire [3:0] part_wr_done = at_port & {4{wr_done}};

// What has beats of B bytes (with WIDE = 2 twice in part_wr_data, whose upper half nobody takes)
wire [8*B-1:0] drain_wr_data;
wire [8*B-1:0] delta_wr_data;

assign part_wr_data[WBITS*DRAIN +: WBITS] = {WIDE{drain_wr_data}};
assign part_wr_data[WBITS*DELTA +: WBITS] = {WIDE{delta_wr_data}};

// --- parts ---

drain_store #(
    .B(B),
    .ACC(ACC),
    .LANE_BASE(0),
    .DATA(DATA),
    .SCALE(SCALE)
) drain (
    .clk(clk),
    .rst(rst),
    .seed_load(seed_load),
    .seed(seed),
    .d_valid(part_valid[DRAIN]),
    .d_ready(part_ready[DRAIN]),
    .d_data(d_data),
    .d_index(d_index),
    .done(part_done[DRAIN]),
    .idle(part_idle[DRAIN]),
    .error(part_error[DRAIN]),
    .error_cause(part_cause[4*DRAIN +: 4]),
    .error_index(part_index[24*DRAIN +: 24]),
    .clipped(clipped_outputs),
    .drain_cmd_valid(drain_cmd_valid),
    .drain_cmd_ready(drain_cmd_ready),
    .drain_cmd(drain_cmd),
    .drain_cmd_error(drain_cmd_error),
    .drain_valid(drain_valid),
    .drain_ready(drain_ready),
    .drain_data(drain_data),
    .drain_last(drain_last),
    .rd_cmd_valid(part_rd_cmd_valid[DRAIN]),
    .rd_cmd_ready(part_rd_cmd_ready[DRAIN]),
    .rd_cmd_addr(part_rd_cmd_addr[32*DRAIN +: 32]),
    .rd_cmd_beats(part_rd_cmd_beats[16*DRAIN +: 16]),
    .rd_valid(part_rd_valid[DRAIN]),
    .rd_ready(part_rd_ready[DRAIN]),
    .rd_data(rd_data[8*B-1:0]),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .wr_cmd_valid(part_wr_cmd_valid[DRAIN]),
    .wr_cmd_ready(part_wr_cmd_ready[DRAIN]),
    .wr_cmd_addr(part_wr_cmd_addr[32*DRAIN +: 32]),
    .wr_cmd_beats(part_wr_cmd_beats[16*DRAIN +: 16]),
    .wr_valid(part_wr_valid[DRAIN]),
    .wr_ready(part_wr_ready[DRAIN]),
    .wr_data(drain_wr_data),
    .wr_done(part_wr_done[DRAIN]),
    .wr_error(wr_error)
);

wire        collect_starts;
wire        learn_start = collect_starts && opcode == `ARRAY_OPCODE_LEARN;
wire [23:0] learn_index;
wire [23:0] learn_answered_index;
wire        learn_before;
wire        learn_rd_ready;
wire        learn_wr_ready;
wire        learn_ready;
wire        learn_done;

collect_store #(
    .P(P),
    .B(WB)
) collect (
    .clk(clk),
    .rst(rst),
    .d_valid(part_valid[COLLECT]),
    .d_ready(part_ready[COLLECT]),
    .d_data(d_data),
    .d_index(d_index),
    .starts(collect_starts),
    .done(part_done[COLLECT]),
    .idle(part_idle[COLLECT]),
    .learns(latest_learns),
    .learn_index(learn_index),
    .answered_index(learn_answered_index),
    .unanswered(learn_before),
    .error(part_error[COLLECT]),
    .error_cause(part_cause[4*COLLECT +: 4]),
    .error_index(part_index[24*COLLECT +: 24]),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data),
    .rd_cmd_valid(part_rd_cmd_valid[COLLECT]),
    .rd_cmd_ready(learns ? learn_rd_ready : part_rd_cmd_ready[COLLECT]),
    .rd_cmd_addr(part_rd_cmd_addr[32*COLLECT +: 32]),
    .rd_cmd_beats(part_rd_cmd_beats[16*COLLECT +: 16]),
    .rd_valid(part_rd_valid[COLLECT]),
    .rd_ready(part_rd_ready[COLLECT]),
    .rd_data(rd_data),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .wr_cmd_valid(part_wr_cmd_valid[COLLECT]),
    .wr_cmd_ready(learns ? learn_wr_ready : part_wr_cmd_ready[COLLECT]),
    .wr_cmd_addr(part_wr_cmd_addr[32*COLLECT +: 32]),
    .wr_cmd_beats(part_wr_cmd_beats[16*COLLECT +: 16]),
    .wr_valid(part_wr_valid[COLLECT]),
    .wr_ready(learns ? learn_ready : part_wr_ready[COLLECT]),
    .wr_data(part_wr_data[WBITS*COLLECT +: WBITS]),
    .wr_done(learns ? learn_done : part_wr_done[COLLECT]),
    .wr_error(learns ? 2'd0 : wr_error)
);

update_store #(
    .B(WB),
    .LANE_BASE(B),
    .MASTER(MASTER),
    .DATA(DATA)
) update (
    .clk(clk),
    .rst(rst),
    .seed_load(seed_load),
    .seed(seed),
    .d_valid(part_valid[UPDATE]),
    .d_ready(part_ready[UPDATE]),
    .d_data(d_data),
    .d_index(d_index),
    .learns(learns),
    .learn_start(learn_start),
    .learn_index(learn_index),
    .learn_answered_index(learn_answered_index),
    .learn_before(learn_before),
    .learn_rd_valid(learns && part_rd_cmd_valid[COLLECT]),
    .learn_rd_ready(learn_rd_ready),
    .learn_rd_offset(part_rd_cmd_addr[32*COLLECT +: 32]),
    .learn_rd_beats(part_rd_cmd_beats[16*COLLECT +: 4]),
    .learn_wr_valid(learns && part_wr_cmd_valid[COLLECT]),
    .learn_wr_ready(learn_wr_ready),
    .learn_wr_offset(part_wr_cmd_addr[32*COLLECT +: 32]),
    .learn_wr_beats(part_wr_cmd_beats[16*COLLECT +: 4]),
    .learn_valid(learns && part_wr_valid[COLLECT]),
    .learn_ready(learn_ready),
    .learn_data(part_wr_data[WBITS*COLLECT +: WBITS]),
    .learn_done(learn_done),
    .done(part_done[UPDATE]),
    .idle(part_idle[UPDATE]),
    .error(part_error[UPDATE]),
    .error_cause(part_cause[4*UPDATE +: 4]),
    .error_index(part_index[24*UPDATE +: 24]),
    .master_clipped(clipped_masters),
    .momentum_clipped(clipped_momenta),
    .weight_clipped(clipped_weights),
    .rd_cmd_valid(part_rd_cmd_valid[UPDATE]),
    .rd_cmd_ready(part_rd_cmd_ready[UPDATE]),
    .rd_cmd_addr(part_rd_cmd_addr[32*UPDATE +: 32]),
    .rd_cmd_beats(part_rd_cmd_beats[16*UPDATE +: 16]),
    .rd_valid(part_rd_valid[UPDATE]),
    .rd_ready(part_rd_ready[UPDATE]),
    .rd_data(rd_data),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .wr_cmd_valid(part_wr_cmd_valid[UPDATE]),
    .wr_cmd_ready(part_wr_cmd_ready[UPDATE]),
    .wr_cmd_addr(part_wr_cmd_addr[32*UPDATE +: 32]),
    .wr_cmd_beats(part_wr_cmd_beats[16*UPDATE +: 16]),
    .wr_valid(part_wr_valid[UPDATE]),
    .wr_ready(part_wr_ready[UPDATE]),
    .wr_data(part_wr_data[WBITS*UPDATE +: WBITS]),
    .wr_done(part_wr_done[UPDATE]),
    .wr_error(wr_error)
);

delta_store #(
    .B(B),
    .FRAC(FRAC),
    .SOFTMAX(SOFTMAX),
    .DATA(DATA)
) delta (
    .clk(clk),
    .rst(rst),
    .d_valid(part_valid[DELTA]),
    .d_ready(part_ready[DELTA]),
    .d_data(d_data),
    .d_index(d_index),
    .done(part_done[DELTA]),
    .idle(part_idle[DELTA]),
    .error(part_error[DELTA]),
    .error_cause(part_cause[4*DELTA +: 4]),
    .error_index(part_index[24*DELTA +: 24]),
    .rd_cmd_valid(part_rd_cmd_valid[DELTA]),
    .rd_cmd_ready(part_rd_cmd_ready[DELTA]),
    .rd_cmd_addr(part_rd_cmd_addr[32*DELTA +: 32]),
    .rd_cmd_beats(part_rd_cmd_beats[16*DELTA +: 16]),
    .rd_valid(part_rd_valid[DELTA]),
    .rd_ready(part_rd_ready[DELTA]),
    .rd_data(rd_data[8*B-1:0]),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .wr_cmd_valid(part_wr_cmd_valid[DELTA]),
    .wr_cmd_ready(part_wr_cmd_ready[DELTA]),
    .wr_cmd_addr(part_wr_cmd_addr[32*DELTA +: 32]),
    .wr_cmd_beats(part_wr_cmd_beats[16*DELTA +: 16]),
    .wr_valid(part_wr_valid[DELTA]),
    .wr_ready(part_wr_ready[DELTA]),
    .wr_data(delta_wr_data),
    .wr_done(part_wr_done[DELTA]),
    .wr_error(wr_error)
);

`ifdef SIMULATION
// Look-ahead that differs from what it stands for: stop, which fails the test
always @(posedge clk) begin
    if ($time != 0 && !rst && learns_reg != (part_reg[COLLECT] && latest_learns)) begin
        $display("%m: learns_reg is not what COLLECT does");
        $finish;
    end
end
`endif

endmodule
`resetall
