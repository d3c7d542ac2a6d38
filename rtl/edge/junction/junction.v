// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "edge_registers.vh"
`include "edge_spans.vh"
/*
 * Junction: all edges between two layers, with FF, BP and UP at once
 *
 * A pass handles the C = N_LEFT*FAN_OUT/Z rows of Z edges, one row per clock: FF for one sample, BP and UP
 * for an earlier one. The junction holds its weights and biases (junction_rows), its left activations
 * (junction_left), the BP sums of its left layer, and the derivatives or, at the output, the deltas of
 * its right layer (junction_deltas).
 *
 * Timing: pass_start is a pulse with the tokens of the pass; the first row enters in the next clock (s0).
 * Passes follow each other after C clocks or more.
 *
 * Latency: from a row, T clocks of the adder tree: BP sums 10 clocks, right activations 12 + T. Stages are listed in
 * docs/edge/junction.md.
 */
module junction #(
    // Number of this junction, 1 to JUNCTIONS
    parameter INDEX = 1,
    // Neurons of the left layer
    parameter N_LEFT = 16,
    // Neurons of the right layer
    parameter N_RIGHT = 8,
    // Edges per left neuron
    parameter FAN_OUT = 4,
    // Edges per clock (z)
    parameter Z = 8,
    // Width of weights, biases, activations and deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Largest learning-rate shift
    parameter LR_MAX = 8,
    // Activation of the right layer, a code of edge_registers.vh
    parameter ACTIVATION = 0,
    // 1: the right layer is the output
    parameter IS_LAST = 0,
    // One seed vector per sweep
    parameter SWEEP_SEEDS = 1,
    // One permutation of memories onto lanes per sweep
    parameter DITHER = 0,
    // Left activations written per clock
    parameter P_IN = 2,
    // Frames of left activations held for FF, and until they are copied for UP
    parameter FF_SLOTS = 3,
    parameter LEFT_SLOTS = 8,
    // Frames of BP sums of the left layer held (unused in junction 1)
    parameter SUM_SLOTS = 3,
    // Frames of derivatives (output: deltas) of the right layer held
    parameter RIGHT_SLOTS = 8,
    // Width of a BP sum of the right layer in bits (unused at the output)
    parameter RIGHT_SUM = 26,
    // Global number of the first LFSR lane
    parameter LANE_BASE = 0,
    // Hex file of the sigmoid table
    parameter SIGMOID_FILE = "sigmoid.hex",
    // Edges per right neuron (derived)
    parameter FI = N_LEFT * FAN_OUT / N_RIGHT,
    // Right neurons per clock (derived)
    parameter P = (Z >= FI) ? Z / FI : 1,
    // Width of a BP sum of the left layer (derived)
    parameter LEFT_SUM = 2 * WIDTH + $clog2(FAN_OUT)
) (
    input  wire                     clk,
    input  wire                     rst,

    // Run control
    input  wire                     seed_load,    // load the LFSRs from rng_seed
    input  wire [15:0]              rng_seed,
    input  wire                     stochastic,   // rounding of updates
    input  wire [4:0]               lr_shift,     // rate 2^-lr_shift; held from pass_start on for C clocks
    input  wire                     pass_start,
    input  wire                     ff_token,     // the pass carries a sample for FF
    input  wire                     up_token,     // the pass carries a sample that leaves the left banks
    input  wire                     up_train,     // and BP and UP work on it
    input  wire                     copy_token,   // the pass after it is that with up_token for a sample

    // Left activations in (see activation_bank)
    input  wire                     left_valid,
    input  wire [P_IN*WIDTH-1:0]    left_act,
    input  wire                     left_commit,
    input  wire                     left_abort,

    // BP sums of the left layer, read by the junction to the left (see delta_bank)
    input  wire                     left_rd_start,
    input  wire                     left_rd_token,
    input  wire                     left_rd_en,
    input  wire                     left_rd_step,
    output wire [P_IN*LEFT_SUM-1:0] left_sum,

    // Right activations out
    output wire                     right_valid,
    output wire                     right_last,   // with right_valid: last group of the layer
    output wire [P*WIDTH-1:0]       right_act,
    input  wire [15:0]              label,        // output: class of the sample, with right_valid

    // BP sums of the right layer, read from the junction to the right
    output wire                     right_rd_en,
    output wire                     right_rd_step,
    input  wire [P*RIGHT_SUM-1:0]   right_sum,    // 2 clocks after right_rd_en

    // Parameter access (see row_bank), acts where cfg_junction is INDEX
    input  wire [7:0]               cfg_junction,
    input  wire [1:0]               cfg_kind,     // EDGE_KIND_* of edge_registers.vh
    input  wire                     cfg_shift,
    input  wire [31:0]              cfg_word,
    input  wire                     cfg_write,
    input  wire                     cfg_read,
    input  wire [15:0]              cfg_addr,
    output wire [31:0]              cfg_out,      // 0 where cfg_junction is not INDEX

    // Events of this clock
    output wire                     busy_ff,
    output wire                     busy_bp,
    output wire                     busy_up,
    output wire [15:0]              sat_ff,
    output wire [15:0]              sat_bp,
    output wire [15:0]              sat_up
);

`REQUIRE(g_left, N_LEFT % Z == 0, ("%m: Z = %0d must divide N_LEFT = %0d", Z, N_LEFT))
`REQUIRE(g_right, N_LEFT * FAN_OUT % N_RIGHT == 0,
         ("%m: N_RIGHT = %0d must divide N_LEFT*FAN_OUT = %0d", N_RIGHT, N_LEFT * FAN_OUT))
`REQUIRE(g_fan_out, FAN_OUT >= 1 && FAN_OUT <= N_RIGHT,
         ("%m: FAN_OUT = %0d must be 1 to N_RIGHT = %0d", FAN_OUT, N_RIGHT))
`REQUIRE(g_fan_in, FI % Z == 0 || Z % FI == 0,
         ("%m: Z = %0d must divide the fan-in = %0d or be a multiple of it", Z, FI))
`REQUIRE(g_clocks, N_LEFT * FAN_OUT / Z >= 2,
         ("%m: C = N_LEFT*FAN_OUT/Z = %0d must be at least 2", N_LEFT * FAN_OUT / Z))

localparam C = N_LEFT * FAN_OUT / Z;
localparam D = N_LEFT / Z;
localparam Q = (Z >= FI) ? 1 : FI / Z;
localparam G = N_RIGHT / P;
localparam CW = C > 1 ? $clog2(C) : 1;
localparam AW = D > 1 ? $clog2(D) : 1;
localparam FW = FAN_OUT > 1 ? $clog2(FAN_OUT) : 1;
localparam ZW = Z > 1 ? $clog2(Z) : 1;
localparam GW = G > 1 ? $clog2(G) : 1;
localparam DW = WIDTH + LR_MAX + 1;

// --- control ---

wire          first_s0;
wire          last_s0;
wire          row_s2;
wire [FW-1:0] sweep_s2;
wire [AW-1:0] t_s2;
wire          up_s4;
wire          ff_s5;
wire          row_s5;
wire          first_s5;
wire [CW-1:0] number_s5;
wire [GW-1:0] group_s5;
wire          up_s6;
wire          first_s6;
wire          ff_s7;
wire          up_s7;
wire          first_s7;
wire          last_s7;
wire          frame_last_s7;
wire          sweep_first_s7;
wire          sweep_last_s7;
wire          up_s8;
wire          first_s8;

junction_control #(
    .D(D),
    .FAN_OUT(FAN_OUT),
    .Q(Q),
    .GROUPS(G)
) control (
    .clk(clk),
    .rst(rst),
    .pass_start(pass_start),
    .ff_token(ff_token),
    .up_token(up_token),
    .up_train(up_train),
    .ff_s0(busy_ff),
    .up_s0(busy_up),
    .first_s0(first_s0),
    .last_s0(last_s0),
    .row_s2(row_s2),
    .sweep_s2(sweep_s2),
    .t_s2(t_s2),
    .up_s4(up_s4),
    .ff_s5(ff_s5),
    .row_s5(row_s5),
    .first_s5(first_s5),
    .number_s5(number_s5),
    .group_s5(group_s5),
    .up_s6(up_s6),
    .first_s6(first_s6),
    .ff_s7(ff_s7),
    .up_s7(up_s7),
    .first_s7(first_s7),
    .last_s7(last_s7),
    .frame_last_s7(frame_last_s7),
    .sweep_first_s7(sweep_first_s7),
    .sweep_last_s7(sweep_last_s7),
    .up_s8(up_s8),
    .first_s8(first_s8)
);

assign busy_bp = busy_up && INDEX != 1;

// --- parameter access ---

wire        cfg_here = {24'd0, cfg_junction} == INDEX;
wire        cfg_weights = cfg_here && cfg_kind == `EDGE_KIND_WEIGHTS;
wire        cfg_biases = cfg_here && cfg_kind == `EDGE_KIND_BIASES;
wire        cfg_seeds = cfg_here && cfg_kind == `EDGE_KIND_SEEDS;
wire        cfg_perms = cfg_here && cfg_kind == `EDGE_KIND_PERMS;
wire [31:0] cfg_rows_out;
wire [31:0] cfg_left_out;

assign cfg_out = !cfg_here ? 32'd0 : cfg_weights || cfg_biases ? cfg_rows_out : cfg_left_out;

// --- left layer ---

wire [Z*AW-1:0]    addr_s6;
wire [Z*ZW-1:0]    perm_s6;
wire [Z*WIDTH-1:0] up_act_s6;
wire [Z*WIDTH-1:0] ff_act_s7;

junction_left #(
    .Z(Z),
    .D(D),
    .FAN_OUT(FAN_OUT),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER),
    .P_IN(P_IN),
    .WIDTH(WIDTH),
    .FF_SLOTS(FF_SLOTS),
    .SLOTS(LEFT_SLOTS)
) left (
    .clk(clk),
    .rst(rst),
    .pass_start(pass_start),
    .ff_token(ff_token),
    .up_token(up_token),
    .copy_token(copy_token),
    .row_s2(row_s2),
    .sweep_s2(sweep_s2),
    .t_s2(t_s2),
    .up_s4(up_s4),
    .ff_s5(ff_s5),
    .wr_valid(left_valid),
    .wr_act(left_act),
    .wr_commit(left_commit),
    .wr_abort(left_abort),
    .addr_s6(addr_s6),
    .perm_s6(perm_s6),
    .up_act_s6(up_act_s6),
    .ff_act_s7(ff_act_s7),
    .cfg_seeds(cfg_seeds),
    .cfg_perms(cfg_perms),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_left_out)
);

// --- right deltas ---

wire [P*(FRAC+1)-1:0] right_deriv;
wire [P*DW-1:0]       scaled_s6;
wire [P*WIDTH-1:0]    delta_s7;

junction_deltas #(
    .IS_LAST(IS_LAST),
    .P(P),
    .GROUPS(G),
    .SLOTS(RIGHT_SLOTS),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .LR_MAX(LR_MAX),
    .SUM_WIDTH(RIGHT_SUM)
) deltas (
    .clk(clk),
    .rst(rst),
    .pass_start(pass_start),
    .up_token(up_token),
    .lr_shift(lr_shift),
    .up_s0(busy_up),
    .first_s0(first_s0),
    .last_s0(last_s0),
    .wr_valid(right_valid),
    .wr_last(right_last),
    .wr_act(right_act),
    .wr_deriv(right_deriv),
    .label(label),
    .rd_en(right_rd_en),
    .rd_step(right_rd_step),
    .sum_s2(right_sum),
    .scaled_s6(scaled_s6),
    .delta_s7(delta_s7),
    .sat_s3(sat_bp)
);

// --- parameters ---

wire [Z*WIDTH-1:0] w_s7;
wire [P*WIDTH-1:0] b_s7;
wire [Z*WIDTH-1:0] new_w_s8;
wire [P*WIDTH-1:0] new_b_s8;
wire [Z-1:0]       w_sat_s8;
wire [P-1:0]       b_sat_s8;

junction_rows #(
    .Z(Z),
    .P(P),
    .ROWS(C),
    .GROUPS(G),
    .WIDTH(WIDTH)
) rows (
    .clk(clk),
    .rst(rst),
    .row_s5(row_s5),
    .first_s5(first_s5),
    .row_addr_s5(number_s5),
    .group_s5(group_s5),
    .w_s7(w_s7),
    .b_s7(b_s7),
    .up_s8(up_s8),
    .first_s8(first_s8),
    .new_w_s8(new_w_s8),
    .new_b_s8(new_b_s8),
    .w_sat_s8(w_sat_s8),
    .b_sat_s8(b_sat_s8),
    .sat_s9(sat_up),
    .cfg_weights(cfg_weights),
    .cfg_biases(cfg_biases),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_rows_out)
);

// --- UP ---

up_unit #(
    .Z(Z),
    .P(P),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .LR_MAX(LR_MAX),
    .LANE_BASE(LANE_BASE)
) up (
    .clk(clk),
    .seed_load(seed_load),
    .rng_seed(rng_seed),
    .stochastic(stochastic),
    .valid(up_s6),
    .first(first_s6),
    .act(up_act_s6),
    .step(scaled_s6),
    .w(w_s7),
    .b(b_s7),
    .new_w(new_w_s8),
    .new_b(new_b_s8),
    .w_sat(w_sat_s8),
    .b_sat(b_sat_s8)
);

// --- FF ---

localparam SFW = $clog2(P + 1);

wire [SFW-1:0] ff_sat;

ff_unit #(
    .Z(Z),
    .FI(FI),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .ACTIVATION(ACTIVATION),
    .SIGMOID_FILE(SIGMOID_FILE)
) ff (
    .clk(clk),
    .rst(rst),
    .valid(ff_s7),
    .first(first_s7),
    .last(last_s7),
    .frame_last(frame_last_s7),
    .w(w_s7),
    .act(ff_act_s7),
    .bias(b_s7),
    .out_valid(right_valid),
    .out_last(right_last),
    .out_act(right_act),
    .out_deriv(right_deriv),
    .sat(ff_sat)
);

assign sat_ff = {{16-SFW{1'b0}}, ff_sat};

// --- BP: junction 1 has no deltas to compute ---

generate
    if (INDEX != 1) begin : g_bp
        wire                  sum_valid;
        wire [Z*AW-1:0]       sum_addr;
        wire [Z*LEFT_SUM-1:0] sum;
        wire [Z*AW-1:0]       addr_s8;
        wire [Z*ZW-1:0]       perm_s8;

        delay_line #(
            .WIDTH(Z*AW + Z*ZW),
            .DEPTH(2)
        ) left_delay (
            .clk(clk),
            .rst(rst),
            .d({addr_s6, perm_s6}),
            .q({addr_s8, perm_s8})
        );

        bp_unit #(
            .Z(Z),
            .D(D),
            .FAN_OUT(FAN_OUT),
            .P(P),
            .WIDTH(WIDTH),
            .DITHER(DITHER)
        ) bp (
            .clk(clk),
            .rst(rst),
            .valid(up_s7),
            .sweep_first(sweep_first_s7),
            .sweep_last(sweep_last_s7),
            .w(w_s7),
            .delta(delta_s7),
            .addr(addr_s8),
            .perm(perm_s8),
            .out_valid(sum_valid),
            .out_addr(sum_addr),
            .out_sum(sum)
        );

        delta_bank #(
            .Z(Z),
            .D(D),
            .P(P_IN),
            .WIDTH(LEFT_SUM),
            .SLOTS(SUM_SLOTS),
            .WR_DELAY(`EDGE_SPAN_SUM_TO_DELTA)
        ) sums (
            .clk(clk),
            .rst(rst),
            .wr_start(pass_start),
            .wr_token(up_token),
            .wr_valid(sum_valid),
            .wr_addr(sum_addr),
            .wr_sum(sum),
            .rd_start(left_rd_start),
            .rd_token(left_rd_token),
            .rd_en(left_rd_en),
            .rd_step(left_rd_step),
            .rd_sum(left_sum)
        );
    end else begin : g_first
        assign left_sum = {P_IN*LEFT_SUM{1'b0}};

        // Nothing reads the sums of the input layer
        wire unused = &{1'b0, left_rd_start, left_rd_token, left_rd_en, left_rd_step, delta_s7, addr_s6, perm_s6,
                        up_s7, sweep_first_s7, sweep_last_s7};
    end
endgenerate

endmodule
`resetall
