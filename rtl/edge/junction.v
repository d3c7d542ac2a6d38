// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"

/*
 * Junction: all edges between two layers, with FF, BP and UP at once
 *
 * A pass handles the C = N_LEFT*FAN_OUT/Z rows of Z edges, one row per clock: FF for one sample, BP and UP
 * for an earlier one. The junction holds its weights and biases, its left activations, the BP sums of its
 * left layer, and the derivatives (or, at the output, the deltas) of its right layer.
 *
 * Timing: `pass_start` is a pulse with the tokens of the pass; the first row enters in the next clock (s0).
 * Passes follow each other after C clocks or more. Stages are listed in docs/edge/junction.md.
 */
module junction #
(
    // number of this junction, 1 … JUNCTIONS
    parameter INDEX = 1,
    // neurons of the left layer
    parameter N_LEFT = 16,
    // neurons of the right layer
    parameter N_RIGHT = 8,
    // edges per left neuron
    parameter FAN_OUT = 4,
    // edges per clock (z)
    parameter Z = 8,
    // width of weights, biases, activations and deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // fraction bits
    parameter FRAC = 8,
    // largest learning-rate shift
    parameter LR_MAX = 8,
    // activation of the right layer, 1: ReLU; 0: sigmoid
    parameter RELU = 0,
    // 1: the right layer is the output
    parameter IS_LAST = 0,
    // one seed vector per sweep
    parameter SWEEP_SEEDS = 1,
    // one permutation of memories onto lanes per sweep
    parameter DITHER = 0,
    // left activations written per clock
    parameter P_IN = 2,
    // frames of left activations held
    parameter LEFT_SLOTS = 8,
    // frames of BP sums of the left layer held (unused in junction 1)
    parameter SUM_SLOTS = 3,
    // frames of derivatives (output: deltas) of the right layer held
    parameter RIGHT_SLOTS = 8,
    // width of a BP sum of the right layer in bits (unused at the output)
    parameter RIGHT_SUM = 26,
    // global number of the first LFSR lane
    parameter LANE_BASE = 0,
    // hex file of the sigmoid table
    parameter SIGMOID_FILE = "sigmoid.hex",
    // edges per right neuron (derived)
    parameter FI = N_LEFT * FAN_OUT / N_RIGHT,
    // right neurons per clock (derived)
    parameter P = (Z >= FI) ? Z / FI : 1,
    // width of a BP sum of the left layer (derived)
    parameter LEFT_SUM = 2 * WIDTH + $clog2(FAN_OUT)
)
(
    input  wire                   clk,
    input  wire                   rst,

    // run control
    input  wire                   seed_load,    // load the LFSRs from rng_seed
    input  wire [15:0]            rng_seed,
    input  wire                   stochastic,   // rounding of updates
    input  wire [4:0]             lr_shift,     // learning rate is 2^-lr_shift; that of a pass from pass_start on, for C clocks
    input  wire                   pass_start,
    input  wire                   ff_token,     // the pass carries a sample for FF
    input  wire                   up_token,     // the pass carries a sample that leaves the left banks
    input  wire                   up_train,     // … and BP and UP work on it

    // left activations in (see activation_bank)
    input  wire                   left_valid,
    input  wire [P_IN*WIDTH-1:0]  left_act,
    input  wire                   left_commit,
    input  wire                   left_abort,

    // BP sums of the left layer, read by the junction to the left (see delta_bank)
    input  wire                   left_rd_start,
    input  wire                   left_rd_token,
    input  wire                   left_rd_en,
    input  wire                   left_rd_step,
    output wire [P_IN*LEFT_SUM-1:0] left_sum,

    // right activations out
    output wire                   right_valid,
    output wire                   right_last,   // with right_valid: last group of the layer
    output wire [P*WIDTH-1:0]     right_act,
    input  wire [15:0]            label,        // output: class of the sample, with right_valid

    // BP sums of the right layer, read from the junction to the right
    output wire                   right_rd_en,
    output wire                   right_rd_step,
    input  wire [P*RIGHT_SUM-1:0] right_sum,    // 2 clocks after right_rd_en

    // parameter access (see row_bank), acts where cfg_junction is INDEX
    input  wire [7:0]             cfg_junction,
    input  wire [1:0]             cfg_kind,     // 0 weights, 1 biases, 2 seeds, 3 permutations
    input  wire                   cfg_shift,
    input  wire [31:0]            cfg_word,
    input  wire                   cfg_write,
    input  wire                   cfg_read,
    input  wire [15:0]            cfg_addr,
    output wire [31:0]            cfg_out,      // 0 where cfg_junction is not INDEX

    // events of this clock
    output wire                   busy_ff,
    output wire                   busy_bp,
    output wire                   busy_up,
    output wire [15:0]            sat_ff,
    output wire [15:0]            sat_bp,
    output wire [15:0]            sat_up
);

localparam EDGES = N_LEFT * FAN_OUT;
localparam C = EDGES / Z;
localparam D = N_LEFT / Z;
localparam Q = (Z >= FI) ? 1 : FI / Z;
localparam G = N_RIGHT / P;
localparam CW = (C > 1) ? $clog2(C) : 1;
localparam AW = (D > 1) ? $clog2(D) : 1;
localparam FW = (FAN_OUT > 1) ? $clog2(FAN_OUT) : 1;
localparam ZW = (Z > 1) ? $clog2(Z) : 1;
localparam QW = (Q > 1) ? $clog2(Q) : 1;
localparam GW = (G > 1) ? $clog2(G) : 1;
localparam LSW = (LEFT_SLOTS > 1) ? $clog2(LEFT_SLOTS) : 1;
localparam SHW = WIDTH + LR_MAX + 1;
localparam UW = 2 * WIDTH - FRAC;
localparam BW = WIDTH + 1;

`REQUIRE(g_left, N_LEFT % Z == 0, ("%m: Z = %0d must divide N_LEFT = %0d", Z, N_LEFT))
`REQUIRE(g_right, EDGES % N_RIGHT == 0, ("%m: N_RIGHT = %0d must divide N_LEFT*FAN_OUT = %0d", N_RIGHT, EDGES))
`REQUIRE(g_fan_out, FAN_OUT >= 1 && FAN_OUT <= N_RIGHT, ("%m: FAN_OUT = %0d must be 1 to N_RIGHT = %0d", FAN_OUT, N_RIGHT))
`REQUIRE(g_fan_in, FI % Z == 0 || Z % FI == 0, ("%m: Z = %0d must divide the fan-in = %0d or be a multiple of it", Z, FI))
`REQUIRE(g_clocks, C >= 2, ("%m: C = N_LEFT*FAN_OUT/Z = %0d must be at least 2", C))

// ---- s0: counters -------------------------------------------------------------------------------

reg          active_reg;
reg          ff_reg;
reg          up_reg;
reg [CW-1:0] c_reg;
reg [AW-1:0] t_reg;
reg [FW-1:0] f_reg;
reg [QW-1:0] q_reg;
reg [GW-1:0] g_reg;

wire c_last = {{32-CW{1'b0}}, c_reg} == C-1;
wire t_last = {{32-AW{1'b0}}, t_reg} == D-1;
wire f_last = {{32-FW{1'b0}}, f_reg} == FAN_OUT-1;
wire q_last = {{32-QW{1'b0}}, q_reg} == Q-1;
wire q_first = q_reg == {QW{1'b0}};
wire f_first = f_reg == {FW{1'b0}};

always @(posedge clk) begin
    if (active_reg) begin
        c_reg <= c_reg + 1'b1;
        t_reg <= t_last ? {AW{1'b0}} : t_reg + 1'b1;
        if (t_last) begin
            f_reg <= f_reg + 1'b1;
        end
        q_reg <= q_last ? {QW{1'b0}} : q_reg + 1'b1;
        if (q_last) begin
            g_reg <= g_reg + 1'b1;
        end
        if (c_last) begin
            active_reg <= 1'b0;
        end
    end

    if (pass_start) begin
        active_reg <= ff_token || (up_token && up_train);
        ff_reg     <= ff_token;
        up_reg     <= up_token && up_train;
        c_reg      <= {CW{1'b0}};
        t_reg      <= {AW{1'b0}};
        f_reg      <= {FW{1'b0}};
        q_reg      <= {QW{1'b0}};
        g_reg      <= {GW{1'b0}};
    end

    if (rst) begin
        active_reg <= 1'b0;
    end
end

wire v_ff = active_reg && ff_reg;
wire v_up = active_reg && up_reg;

assign busy_ff = v_ff;
assign busy_up = v_up;
assign busy_bp = v_up && INDEX != 1;

// ---- control in later stages: {v_ff, v_up, q_first, q_last, frame_last, f_first, f_last} --------

wire [6:0] ctl_s4, ctl_s6, ctl_s7, ctl_s8, ctl_s9;

delay_line #(.WIDTH(7), .DEPTH(4), .RESET(1)) ctl_d4 (
    .clk(clk), .rst(rst), .d({v_ff, v_up, q_first, q_last, c_last, f_first, f_last}), .q(ctl_s4));
delay_line #(.WIDTH(7), .DEPTH(2), .RESET(1)) ctl_d6 (.clk(clk), .rst(rst), .d(ctl_s4), .q(ctl_s6));
delay_line #(.WIDTH(7), .DEPTH(1), .RESET(1)) ctl_d7 (.clk(clk), .rst(rst), .d(ctl_s6), .q(ctl_s7));
delay_line #(.WIDTH(7), .DEPTH(1), .RESET(1)) ctl_d8 (.clk(clk), .rst(rst), .d(ctl_s7), .q(ctl_s8));
delay_line #(.WIDTH(7), .DEPTH(1), .RESET(1)) ctl_d9 (.clk(clk), .rst(rst), .d(ctl_s8), .q(ctl_s9));

wire [CW-1:0] c_s8;
wire [GW-1:0] g_s8;

delay_line #(.WIDTH(CW+GW), .DEPTH(8)) row_d8 (.clk(clk), .rst(rst), .d({c_reg, g_reg}), .q({c_s8, g_s8}));

// ---- parameter access ---------------------------------------------------------------------------

wire               cfg_here = {24'd0, cfg_junction} == INDEX;
wire               cfg_w = cfg_here && cfg_kind == 2'd0;
wire               cfg_b = cfg_here && cfg_kind == 2'd1;
wire               cfg_s = cfg_here && cfg_kind == 2'd2;
wire               cfg_p = cfg_here && cfg_kind == 2'd3;
wire [WIDTH-1:0]   cfg_w_out;
wire [WIDTH-1:0]   cfg_b_out;
wire [31:0]        cfg_i_out;
wire [WIDTH-1:0]   cfg_wb = cfg_w ? cfg_w_out : cfg_b_out;

assign cfg_out = !cfg_here ? 32'd0
    : (cfg_w || cfg_b) ? {{32-WIDTH{cfg_wb[WIDTH-1]}}, cfg_wb} : cfg_i_out;

// ---- left addresses and activations -------------------------------------------------------------

wire [Z*AW-1:0]    addr_s2, addr_s4, addr_s7;
wire [Z*ZW-1:0]    perm_s2, perm_s5, perm_s8;
wire [LSW-1:0]     ff_slot, ff_slot_s7, up_slot, up_slot_s4;
wire [Z*WIDTH-1:0] up_act_s5, up_act_s6, ff_act_s8, ff_act_s9;

interleaver #(
    .Z(Z),
    .D(D),
    .FAN_OUT(FAN_OUT),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER)
) left_addresses (
    .clk(clk),
    .en(active_reg),
    .sweep(f_reg),
    .t(t_reg),
    .addr(addr_s2),
    .perm(perm_s2),
    .cfg_seeds(cfg_s),
    .cfg_perms(cfg_p),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_i_out)
);

delay_line #(.WIDTH(Z*AW), .DEPTH(2)) addr_d4 (.clk(clk), .rst(rst), .d(addr_s2), .q(addr_s4));
delay_line #(.WIDTH(Z*AW), .DEPTH(3)) addr_d7 (.clk(clk), .rst(rst), .d(addr_s4), .q(addr_s7));
delay_line #(.WIDTH(Z*ZW), .DEPTH(3)) perm_d5 (.clk(clk), .rst(rst), .d(perm_s2), .q(perm_s5));
delay_line #(.WIDTH(Z*ZW), .DEPTH(3)) perm_d8 (.clk(clk), .rst(rst), .d(perm_s5), .q(perm_s8));

slot_counter #(.SLOTS(LEFT_SLOTS)) ff_slots (
    .clk(clk), .rst(rst), .pass_start(pass_start), .token(ff_token), .slot(ff_slot));
slot_counter #(.SLOTS(LEFT_SLOTS)) up_slots (
    .clk(clk), .rst(rst), .pass_start(pass_start), .token(up_token), .slot(up_slot));
delay_line #(.WIDTH(LSW), .DEPTH(7)) ff_slot_d7 (.clk(clk), .rst(rst), .d(ff_slot), .q(ff_slot_s7));
delay_line #(.WIDTH(LSW), .DEPTH(4)) up_slot_d4 (.clk(clk), .rst(rst), .d(up_slot), .q(up_slot_s4));

activation_bank #(
    .Z(Z),
    .D(D),
    .P_IN(P_IN),
    .WIDTH(WIDTH),
    .SLOTS(LEFT_SLOTS)
) left_bank (
    .clk(clk),
    .rst(rst),
    .wr_valid(left_valid),
    .wr_data(left_act),
    .wr_commit(left_commit),
    .wr_abort(left_abort),
    .ff_en(ctl_s7[6]),
    .ff_slot(ff_slot_s7),
    .ff_addr(addr_s7),
    .ff_data(ff_act_s8),
    .up_en(ctl_s4[5]),
    .up_slot(up_slot_s4),
    .up_addr(addr_s4),
    .up_data(up_act_s5)
);

permute #(.LANES(Z), .WIDTH(WIDTH), .SCATTER(0), .ENABLE(DITHER)) up_lanes (
    .clk(clk), .perm(perm_s5), .x(up_act_s5), .y(up_act_s6));
permute #(.LANES(Z), .WIDTH(WIDTH), .SCATTER(0), .ENABLE(DITHER)) ff_lanes (
    .clk(clk), .perm(perm_s8), .x(ff_act_s8), .y(ff_act_s9));

// ---- right deltas -------------------------------------------------------------------------------

wire [P*WIDTH-1:0]    delta_s5;
wire [P*WIDTH-1:0]    delta_s9;
wire [P*(FRAC+1)-1:0] right_deriv;

assign right_rd_en = v_up;
assign right_rd_step = v_up && q_last;

generate
    if (IS_LAST) begin : g_delta
        output_delta #(
            .P(P),
            .GROUPS(G),
            .SLOTS(RIGHT_SLOTS),
            .WIDTH(WIDTH),
            .FRAC(FRAC)
        ) deltas (
            .clk(clk),
            .rst(rst),
            .wr_valid(right_valid),
            .wr_last(right_last),
            .wr_act(right_act),
            .label(label),
            .rd_start(pass_start),
            .rd_token(up_token),
            .rd_en(right_rd_en),
            .rd_step(right_rd_step),
            .delta(delta_s5)
        );

        assign sat_bp = 16'd0;

        // an output layer has no use for derivatives and sums
        wire unused = &{1'b0, right_deriv, right_sum};
    end else begin : g_delta
        localparam SBW = $clog2(P + 1);

        wire [SBW-1:0] sat;

        hidden_delta #(
            .P(P),
            .GROUPS(G),
            .SLOTS(RIGHT_SLOTS),
            .WIDTH(WIDTH),
            .FRAC(FRAC),
            .SUM_WIDTH(RIGHT_SUM)
        ) deltas (
            .clk(clk),
            .rst(rst),
            .wr_valid(right_valid),
            .wr_last(right_last),
            .wr_deriv(right_deriv),
            .rd_start(pass_start),
            .rd_token(up_token),
            .rd_en(right_rd_en),
            .rd_first(q_first),
            .rd_step(right_rd_step),
            .sum(right_sum),
            .delta(delta_s5),
            .sat(sat)
        );

        assign sat_bp = {{16-SBW{1'b0}}, sat};

        // labels concern the output layer only
        wire unused = &{1'b0, label};
    end
endgenerate

delay_line #(.WIDTH(P*WIDTH), .DEPTH(4)) delta_d9 (.clk(clk), .rst(rst), .d(delta_s5), .q(delta_s9));

// s6: negated and scaled by the learning rate, 2^(LR_MAX-lr)
wire [4:0]       lr_s5;
wire [4:0]       up_shift = LR_MAX[4:0] - lr_s5;
wire [P*SHW-1:0] scaled_s6;

delay_line #(.WIDTH(5), .DEPTH(6)) lr_d5 (.clk(clk), .rst(rst), .d(lr_shift), .q(lr_s5));

genvar p;
generate
    for (p = 0; p < P; p = p + 1) begin : g_scale
        wire [SHW-1:0] wide = {{LR_MAX+1{delta_s5[p*WIDTH+WIDTH-1]}}, delta_s5[p*WIDTH +: WIDTH]};
        reg  [SHW-1:0] scaled_reg;

        always @(posedge clk) begin
            scaled_reg <= -wide << up_shift;
        end

        assign scaled_s6[p*SHW +: SHW] = scaled_reg;
    end
endgenerate

// ---- UP -----------------------------------------------------------------------------------------

wire [Z*UW-1:0] upd_s8;
wire [P*BW-1:0] bias_upd_s8;
reg  [Z*UW-1:0] upd_s9_reg;
reg  [P*BW-1:0] bias_upd_s9_reg;

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
    .valid(ctl_s6[5]),
    .first(ctl_s6[4]),
    .act(up_act_s6),
    .step(scaled_s6),
    .upd(upd_s8),
    .bias_upd(bias_upd_s8)
);

always @(posedge clk) begin
    upd_s9_reg      <= upd_s8;
    bias_upd_s9_reg <= bias_upd_s8;
end

// ---- parameters, read at s8, used and updated at s9 ---------------------------------------------

wire [Z*WIDTH-1:0] w_s9;
wire [P*WIDTH-1:0] b_s9;
wire [Z-1:0]       w_sat;
wire [P-1:0]       b_sat;

weight_bank #(
    .LANES(Z),
    .WIDTH(WIDTH),
    .UPD_WIDTH(UW),
    .DEPTH(C),
    .BLOCK(1)
) weights (
    .clk(clk),
    .rd_en(ctl_s8[6] || ctl_s8[5]),
    .rd_addr(c_s8),
    .rd_data(w_s9),
    .upd_valid(ctl_s9[5]),
    .upd(upd_s9_reg),
    .upd_sat(w_sat),
    .cfg_shift(cfg_shift && cfg_w),
    .cfg_word(cfg_word[WIDTH-1:0]),
    .cfg_write(cfg_write && cfg_w),
    .cfg_read(cfg_read && cfg_w),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_w_out)
);

weight_bank #(
    .LANES(P),
    .WIDTH(WIDTH),
    .UPD_WIDTH(BW),
    .DEPTH(G)
) biases (
    .clk(clk),
    .rd_en((ctl_s8[6] || ctl_s8[5]) && ctl_s8[4]),
    .rd_addr(g_s8),
    .rd_data(b_s9),
    .upd_valid(ctl_s9[5] && ctl_s9[4]),
    .upd(bias_upd_s9_reg),
    .upd_sat(b_sat),
    .cfg_shift(cfg_shift && cfg_b),
    .cfg_word(cfg_word[WIDTH-1:0]),
    .cfg_write(cfg_write && cfg_b),
    .cfg_read(cfg_read && cfg_b),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_b_out)
);

localparam SUW = $clog2(Z + P + 1);

reg  [Z+P-1:0] sat_reg;
wire [SUW-1:0] sat_count;

always @(posedge clk) begin
    sat_reg <= {b_sat, w_sat};

    if (rst) begin
        sat_reg <= {Z+P{1'b0}};
    end
end

popcount #(.N(Z+P)) up_sat_count (.x(sat_reg), .count(sat_count));

assign sat_up = {{16-SUW{1'b0}}, sat_count};

// ---- FF -----------------------------------------------------------------------------------------

localparam SFW = $clog2(P + 1);

wire [SFW-1:0] ff_sat;

ff_unit #(
    .Z(Z),
    .FI(FI),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .RELU(RELU),
    .SIGMOID_FILE(SIGMOID_FILE)
) ff (
    .clk(clk),
    .rst(rst),
    .valid(ctl_s9[6]),
    .first(ctl_s9[4]),
    .last(ctl_s9[3]),
    .frame_last(ctl_s9[2]),
    .w(w_s9),
    .act(ff_act_s9),
    .bias(b_s9),
    .out_valid(right_valid),
    .out_last(right_last),
    .out_act(right_act),
    .out_deriv(right_deriv),
    .sat(ff_sat)
);

assign sat_ff = {{16-SFW{1'b0}}, ff_sat};

// ---- BP: junction 1 has no deltas to compute ----------------------------------------------------

generate
    if (INDEX != 1) begin : g_bp
        wire                  sum_valid;
        wire [Z*AW-1:0]       sum_addr;
        wire [Z*LEFT_SUM-1:0] sum;
        wire [Z*AW-1:0]       addr_s10;
        wire [Z*ZW-1:0]       perm_s10;

        delay_line #(.WIDTH(Z*AW), .DEPTH(3)) addr_d10 (.clk(clk), .rst(rst), .d(addr_s7), .q(addr_s10));
        delay_line #(.WIDTH(Z*ZW), .DEPTH(2)) perm_d10 (.clk(clk), .rst(rst), .d(perm_s8), .q(perm_s10));

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
            .valid(ctl_s9[5]),
            .sweep_first(ctl_s9[1]),
            .sweep_last(ctl_s9[0]),
            .w(w_s9),
            .delta(delta_s9),
            .addr(addr_s10),
            .perm(perm_s10),
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
            .WR_DELAY(12)
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
    end else begin : g_bp
        assign left_sum = {P_IN*LEFT_SUM{1'b0}};

        // nothing reads the sums of the input layer
        wire unused = &{1'b0, left_rd_start, left_rd_token, left_rd_en, left_rd_step, delta_s9, perm_s8,
            ctl_s9[1:0]};
    end
endgenerate

endmodule

`resetall
