// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "edge_registers.vh"
/*
 * Edge-processing engine: junctions in a pipeline, and the sequencer that drives them
 *
 * Samples are written as frames of left activations of junction 1 and wait in its ring. A run takes them in
 * order; output activations leave in natural order, one frame per sample. Every pass all junctions work, each
 * on its own samples; a sample enters every CP clocks (docs/edge/schedule.md).
 *
 * Latency: docs/edge/schedule.md says when the outputs of a sample leave.
 */
module edge_engine #(
    // Number of junctions
    parameter JUNCTIONS = 2,
    // Neurons of layers 0 to JUNCTIONS, 16 bits each
    parameter [16*(JUNCTIONS+1)-1:0] LAYERS = {16'd4, 16'd8, 16'd16},
    // Fan-out of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] FAN_OUT = {16'd2, 16'd2},
    // Edges per clock (z) of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] LANES = {16'd4, 16'd8},
    // Activation of layers 1 to JUNCTIONS, 4 bits each, codes of edge_registers.vh; the last one must be sigmoid
    parameter [4*JUNCTIONS-1:0] ACTIVATIONS = 0,
    // Width of weights, biases, activations and deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Largest learning-rate shift
    parameter LR_MAX = 8,
    // 1: one seed vector per sweep; 0: one for all sweeps
    parameter SWEEP_SEEDS = 1,
    // 1: one permutation of memories onto lanes per sweep
    parameter DITHER = 0,
    // Left activations of junction 1 written per clock
    parameter IN_LANES = 4,
    // Hex file of the sigmoid table
    parameter SIGMOID_FILE = "sigmoid.hex",
    // Edges per clock over fan-in of the last junction, rounded down (derived)
    parameter OUT_RATIO = {16'd0, LANES[16*(JUNCTIONS-1) +: 16]} * {16'd0, LAYERS[16*JUNCTIONS +: 16]}
        / ({16'd0, LAYERS[16*(JUNCTIONS-1) +: 16]} * {16'd0, FAN_OUT[16*(JUNCTIONS-1) +: 16]}),
    // Output activations per clock, P of the last junction (derived)
    parameter OUT_LANES = OUT_RATIO > 1 ? OUT_RATIO : 1
) (
    input  wire                      clk,
    input  wire                      rst,

    // Run control (see sequencer)
    input  wire                      start,
    input  wire                      stop,
    input  wire [1:0]                mode,        // see sequencer
    input  wire                      stochastic,  // rounding of updates, 1: stochastic; 0: half up; steady in a run
    input  wire [4:0]                lr_shift,    // learning rate is 2^-lr_shift
    input  wire [31:0]               nsamples,
    input  wire [15:0]               rng_seed,    // taken with start
    output wire                      busy,
    output wire                      done,
    output wire                      stall,
    output wire                      admit,

    // Sample frames in (see activation_bank)
    input  wire                      act_valid,
    input  wire [IN_LANES*WIDTH-1:0] act_data,
    input  wire                      act_commit,  // the clock after the last word of a good frame
    input  wire                      act_abort,   // instead of act_commit: forget the frame
    input  wire [15:0]               label,       // with act_commit
    input  wire                      frame_valid, // a committed frame has not been taken
    output wire                      frame_take,  // pulse: it is taken
    output wire                      frame_free,  // pulse: a slot of the ring is free again

    // Predictions out
    input  wire                      out_room,    // there is room for the prediction of one more sample
    output wire                      out_valid,
    output wire [OUT_LANES*WIDTH-1:0] out_data,
    output wire                      out_last,
    output wire [15:0]               out_label,

    // Parameter access (see row_bank)
    input  wire [7:0]                cfg_junction,
    input  wire [1:0]                cfg_kind,
    input  wire                      cfg_shift,
    input  wire [31:0]               cfg_word,
    input  wire                      cfg_write,
    input  wire                      cfg_read,
    input  wire [15:0]               cfg_addr,
    output wire [31:0]               cfg_out,

    // Events of this clock, junction i at lane i-1
    output wire [JUNCTIONS-1:0]      busy_ff,
    output wire [JUNCTIONS-1:0]      busy_bp,
    output wire [JUNCTIONS-1:0]      busy_up,
    output wire [16*JUNCTIONS-1:0]   sat_ff,
    output wire [16*JUNCTIONS-1:0]   sat_bp,
    output wire [16*JUNCTIONS-1:0]   sat_up
);

`include "edge_schedule.vh"

`REQUIRE(g_junctions, JUNCTIONS >= 1, ("%m: JUNCTIONS = %0d must be at least 1", JUNCTIONS))
`REQUIRE(g_width, WIDTH >= 4 && WIDTH <= 16, ("%m: WIDTH = %0d must be 4 to 16", WIDTH))
`REQUIRE(g_frac, FRAC >= 1 && FRAC <= WIDTH-2, ("%m: FRAC = %0d must be 1 to WIDTH-2 = %0d", FRAC, WIDTH-2))
`REQUIRE(g_lr_max, LR_MAX >= 1 && LR_MAX <= 16, ("%m: LR_MAX = %0d must be 1 to 16", LR_MAX))
`REQUIRE(g_output, ACTIVATIONS[4*(JUNCTIONS-1) +: 4] == `EDGE_ACTIVATION_SIGMOID,
         ("%m: ACTIVATIONS = %h must have sigmoid for the output layer", ACTIVATIONS))
`REQUIRE(g_in_lanes, sch_z(1) % IN_LANES == 0,
         ("%m: IN_LANES = %0d must divide z = %0d of junction 1", IN_LANES, sch_z(1)))
`REQUIRE(g_in_rate, sch_n(0) <= IN_LANES*sch_cp(0),
         ("%m: IN_LANES = %0d must be at least N(0)/CP = %0d/%0d, to feed a sample per pass",
          IN_LANES, sch_n(0), sch_cp(0)))

localparam CP = sch_cp(0);
localparam U = sch_upo(1);

// --- sequencer ---

wire         pass_start;
wire [U:0]   tokens;
wire         train;
wire [4:0]   pass_lr;

sequencer #(
    .CP(CP),
    .U(U)
) passes (
    .clk(clk),
    .rst(rst),
    .start(start),
    .stop(stop),
    .mode(mode),
    .nsamples(nsamples),
    .lr_shift(lr_shift),
    .busy(busy),
    .done(done),
    .stall(stall),
    .admit(admit),
    .frame_valid(frame_valid),
    .out_room(out_room),
    .frame_free(frame_free),
    .pass_start(pass_start),
    .tokens(tokens),
    .train(train),
    .pass_lr(pass_lr)
);

assign frame_take = admit;

// --- labels wait for their outputs ---

wire unused_valid, unused_last, unused_done;

frame_fifo #(
    .WIDTH(16),
    .DEPTH(sch_left_slots(1))
) labels (
    .clk(clk),
    .rst(rst),
    .flush(1'b0),
    .s_valid(act_commit),
    .s_data(label),
    .s_last(1'b1),
    .m_valid(unused_valid),
    .m_ready(out_valid && out_last),
    .m_data(out_label),
    .m_last(unused_last),
    .frame_done(unused_done)
);

// --- junctions ---

genvar i;

generate
    for (i = 1; i <= JUNCTIONS; i = i + 1) begin : jn
        localparam P_IN = (i == 1) ? IN_LANES : sch_p(i > 1 ? i-1 : 1);
        localparam P = sch_p(i);
        localparam FO_RIGHT = (i == JUNCTIONS) ? 1 : sch_fo(i < JUNCTIONS ? i+1 : i);
        localparam LEFT_SUM = 2*WIDTH + $clog2(sch_fo(i));
        localparam RIGHT_SUM = 2*WIDTH + $clog2(FO_RIGHT);

        wire                     left_valid;
        wire [P_IN*WIDTH-1:0]    left_act;
        wire                     left_commit;
        wire                     left_abort;
        wire                     left_rd_token;
        wire                     left_rd_en;
        wire                     left_rd_step;
        wire [P_IN*LEFT_SUM-1:0] left_sum;
        wire                     right_valid;
        wire                     right_last;
        wire [P*WIDTH-1:0]       right_act;
        wire                     right_rd_en;
        wire                     right_rd_step;
        wire [P*RIGHT_SUM-1:0]   right_sum;
        wire [31:0]              cfg_word_out;
        wire [31:0]              cfg_any;      // of this junction and those before it

        junction #(
            .INDEX(i),
            .N_LEFT(sch_n(i-1)),
            .N_RIGHT(sch_n(i)),
            .FAN_OUT(sch_fo(i)),
            .Z(sch_z(i)),
            .WIDTH(WIDTH),
            .FRAC(FRAC),
            .LR_MAX(LR_MAX),
            .ACTIVATION(ACTIVATIONS[4*(i-1) +: 4]),
            .IS_LAST(i == JUNCTIONS),
            .SWEEP_SEEDS(SWEEP_SEEDS),
            .DITHER(DITHER),
            .P_IN(P_IN),
            .FF_SLOTS(sch_ff_slots(i)),
            .LEFT_SLOTS(sch_left_slots(i)),
            .SUM_SLOTS((i == 1) ? 2 : sch_upo(i > 1 ? i-1 : 1) - sch_upo(i) + 1),
            .RIGHT_SLOTS(sch_upo(i) - sch_ffo(i) + 1),
            .RIGHT_SUM(RIGHT_SUM),
            .LANE_BASE(sch_lane_base(i)),
            .SIGMOID_FILE(SIGMOID_FILE)
        ) junction (
            .clk(clk),
            .rst(rst),
            .seed_load(start && !busy),
            .rng_seed(rng_seed),
            .stochastic(stochastic),
            .lr_shift(pass_lr),
            .pass_start(pass_start),
            .ff_token(tokens[sch_ffo(i)]),
            .up_token(tokens[sch_upo(i)]),
            .up_train(train),
            .copy_token(tokens[sch_upo(i)-1]),
            .left_valid(left_valid),
            .left_act(left_act),
            .left_commit(left_commit),
            .left_abort(left_abort),
            .left_rd_start(pass_start),
            .left_rd_token(left_rd_token),
            .left_rd_en(left_rd_en),
            .left_rd_step(left_rd_step),
            .left_sum(left_sum),
            .right_valid(right_valid),
            .right_last(right_last),
            .right_act(right_act),
            .label(out_label),
            .right_rd_en(right_rd_en),
            .right_rd_step(right_rd_step),
            .right_sum(right_sum),
            .cfg_junction(cfg_junction),
            .cfg_kind(cfg_kind),
            .cfg_shift(cfg_shift),
            .cfg_word(cfg_word),
            .cfg_write(cfg_write),
            .cfg_read(cfg_read),
            .cfg_addr(cfg_addr),
            .cfg_out(cfg_word_out),
            .busy_ff(busy_ff[i-1]),
            .busy_bp(busy_bp[i-1]),
            .busy_up(busy_up[i-1]),
            .sat_ff(sat_ff[16*(i-1) +: 16]),
            .sat_bp(sat_bp[16*(i-1) +: 16]),
            .sat_up(sat_up[16*(i-1) +: 16])
        );

        if (i == 1) begin : g_left
            assign left_valid = act_valid;
            assign left_act = act_data;
            assign left_commit = act_commit;
            assign left_abort = act_abort;
            assign left_rd_token = 1'b0;
            assign left_rd_en = 1'b0;
            assign left_rd_step = 1'b0;
            assign cfg_any = cfg_word_out;

            // Nobody asks junction 1 for sums
            wire unused = &{1'b0, left_sum};
        end else begin : g_left
            reg commit_reg;

            always @(posedge clk) begin
                commit_reg <= jn[i-1].right_valid && jn[i-1].right_last && !rst;
            end

            assign left_valid = jn[i-1].right_valid;
            assign left_act = jn[i-1].right_act;
            assign left_commit = commit_reg;
            assign left_abort = 1'b0;
            assign left_rd_token = tokens[sch_upo(i-1)];
            assign left_rd_en = jn[i-1].right_rd_en;
            assign left_rd_step = jn[i-1].right_rd_step;
            assign cfg_any = jn[i-1].cfg_any | cfg_word_out;
        end

        if (i == JUNCTIONS) begin : g_right
            assign right_sum = {P*RIGHT_SUM{1'b0}};

            // The output junction reads its own deltas
            wire unused = &{1'b0, right_rd_en, right_rd_step};
        end else begin : g_right
            assign right_sum = jn[i+1].left_sum;
        end
    end
endgenerate

assign out_valid = jn[JUNCTIONS].right_valid;
assign out_last = jn[JUNCTIONS].right_last;
assign out_data = jn[JUNCTIONS].right_act;
assign cfg_out = jn[JUNCTIONS].cfg_any;

endmodule
`resetall
