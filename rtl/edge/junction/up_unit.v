// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Parameter update: activation times negated, scaled delta, rounded to the last bit of a weight
 *
 * upd = floor((r + act * step) / 2^S) with step = -delta * 2^(LR_MAX-lr) and S = FRAC + LR_MAX; biases likewise
 * with act = 1 and S = LR_MAX. Product and sum fit one DSP slice: multiplier, adder, two registers. The addend r is
 * one half (round half up) or the state of the lane's LFSR (stochastic rounding). LFSRs step after every clock in
 * which their lane updates.
 *
 * Latency: 2 clocks from `valid` to `upd`, `bias_upd`. Takes Z edges every clock, no handshake.
 */
module up_unit #(
    // Edges per clock
    parameter Z = 8,
    // Right neurons whose edges are handled in one clock
    parameter P = 2,
    // Width of activations and deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Largest learning-rate shift
    parameter LR_MAX = 8,
    // Global number of the first LFSR lane: Z weight lanes, then P bias lanes
    parameter LANE_BASE = 0,
    // Width of a negated, scaled delta (derived)
    parameter DW = WIDTH + LR_MAX + 1,
    // Width of a weight update (derived)
    parameter UW = 2 * WIDTH - FRAC,
    // Width of a bias update (derived)
    parameter BW = WIDTH + 1
) (
    input  wire               clk,

    input  wire               seed_load,   // load all LFSRs (start of a run)
    input  wire [15:0]        rng_seed,
    input  wire               stochastic,  // 1: stochastic rounding; 0: round half up

    input  wire               valid,       // Z edges in this clock
    input  wire               first,       // first clock of a neuron: its bias is updated
    input  wire [Z*WIDTH-1:0] act,         // left activations, on the lanes of their edges
    input  wire [P*DW-1:0]    step,        // right deltas, negated and scaled

    output wire [Z*UW-1:0]    upd,         // weight updates, 2 clocks later
    output wire [P*BW-1:0]    bias_upd     // bias updates, 2 clocks later
);

localparam S = FRAC + LR_MAX;
localparam PROD = WIDTH + DW;

reg valid_reg;
reg first_reg;

always @(posedge clk) begin
    valid_reg <= valid;
    first_reg <= valid && first;
end

genvar l;

generate
    for (l = 0; l < Z; l = l + 1) begin : g_lane
        localparam integer KEY = ((LANE_BASE + l + 1) * 40503) % 65536;

        wire signed [WIDTH-1:0] al = act[l*WIDTH +: WIDTH];
        wire signed [DW-1:0]    sl = step[(l/(Z/P))*DW +: DW];
        reg  signed [PROD-1:0]  prod_reg;
        wire        [15:0]      state;
        wire        [S-1:0]     dice;
        wire        [S-1:0]     r = stochastic ? dice : {1'b1, {S-1{1'b0}}};
        // Registered as a whole, although only a part is used: so it is the output register of the DSP
        reg         [PROD-1:0]  sum_reg;
        wire                    unused = &{1'b0, sum_reg, state};

        lfsr16 lfsr (
            .clk(clk),
            .load(seed_load),
            .seed(KEY[15:0] ^ rng_seed),
            .step(valid_reg),
            .state(state)
        );

        if (S > 16) begin : g_dice
            assign dice = {state, {S-16{1'b0}}};
        end else begin : g_dice
            assign dice = state[15 -: S];
        end

        always @(posedge clk) begin
            prod_reg <= al * sl;
            sum_reg <= prod_reg + {{PROD-S{1'b0}}, r};
        end

        assign upd[l*UW +: UW] = sum_reg[S +: UW];
    end

    for (l = 0; l < P; l = l + 1) begin : g_bias
        localparam integer KEY = ((LANE_BASE + Z + l + 1) * 40503) % 65536;

        reg  [DW-1:0]            step_reg;
        wire        [15:0]       state;
        wire        [LR_MAX-1:0] r = stochastic ? state[15 -: LR_MAX] : {1'b1, {LR_MAX-1{1'b0}}};
        wire        [DW-1:0]     sum = step_reg + {{DW-LR_MAX{1'b0}}, r};
        wire                     unused = &{1'b0, sum, state};
        reg         [BW-1:0]     upd_reg;

        lfsr16 lfsr (
            .clk(clk),
            .load(seed_load),
            .seed(KEY[15:0] ^ rng_seed),
            .step(first_reg),
            .state(state)
        );

        always @(posedge clk) begin
            step_reg <= step[l*DW +: DW];
            upd_reg <= sum[LR_MAX +: BW];
        end

        assign bias_upd[l*BW +: BW] = upd_reg;
    end
endgenerate

endmodule
`resetall
