// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Parameter update: activation times negated, scaled delta, added to the weight, rounded to its last bit
 *
 * new = sat(floor((w * 2^S + r + act * step) / 2^S)) with step = -delta * 2^(LR_MAX-lr) and S = FRAC + LR_MAX; biases
 * likewise with act = 1 and S = LR_MAX. Since 0 <= r < 2^S, w and r are one operand side by side, so that product and
 * sum fit one DSP slice: multiplier, adder, two registers. The addend r is the state of the lane's LFSR (stochastic
 * rounding); to round half up, the LFSRs are loaded with one half and stay there. They step after every clock in
 * which their lane updates.
 *
 * Latency: 2 clocks from `valid` to the new parameters. Takes Z edges every clock, no handshake. LFSRs are loaded in 17
 * clocks: `valid` may not come sooner after `seed_load`.
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
    parameter DW = WIDTH + LR_MAX + 1
) (
    input  wire               clk,

    input  wire               seed_load,   // load all LFSRs (start of a run)
    input  wire [15:0]        rng_seed,
    input  wire               stochastic,  // 1: stochastic rounding; 0: round half up; from seed_load on

    input  wire               valid,       // Z edges in this clock
    input  wire               first,       // first clock of a neuron: its bias is updated
    input  wire [Z*WIDTH-1:0] act,         // left activations, on the lanes of their edges
    input  wire [P*DW-1:0]    step,        // right deltas, negated and scaled

    input  wire [Z*WIDTH-1:0] w,           // weights, 1 clock after `valid`
    input  wire [P*WIDTH-1:0] b,           // biases, 1 clock after `valid`

    output wire [Z*WIDTH-1:0] new_w,       // 2 clocks after `valid`
    output wire [P*WIDTH-1:0] new_b,
    output wire [Z-1:0]       w_sat,       // new weights that were clipped
    output wire [P-1:0]       b_sat
);

localparam S = FRAC + LR_MAX;
localparam PROD = WIDTH + DW;

reg valid_reg;
reg first_reg;

always @(posedge clk) begin
    valid_reg <= valid;
    first_reg <= valid && first;
end

// Seed of all lanes, shifted out to them
localparam [15:0] HALF = 16'h8000;
reg  [15:0] seed_reg;
reg  [4:0]  left_reg;
wire        turn = left_reg > 5'd1;
wire        settle = left_reg == 5'd1;

always @(posedge clk) begin
    if (seed_load) begin
        seed_reg <= stochastic ? rng_seed : HALF;
        left_reg <= 5'd17;
    end else if (left_reg != 5'd0) begin
        seed_reg <= seed_reg >> 1;
        left_reg <= left_reg - 5'd1;
    end
end

genvar l;

generate
    for (l = 0; l < Z; l = l + 1) begin : g_lane
        localparam integer KEY = ((LANE_BASE + l + 1) * 40503) % 65536;

        wire signed [WIDTH-1:0] al = act[l*WIDTH +: WIDTH];
        wire signed [DW-1:0]    sl = step[(l/(Z/P))*DW +: DW];
        reg  signed [PROD-1:0]  prod_reg;
        wire        [15:0]      state;
        wire        [S-1:0]     r;
        wire signed [WIDTH-1:0] wl = w[l*WIDTH +: WIDTH];
        reg  signed [PROD-1:0]  sum_reg;
        wire                    hi, lo;
        wire                    unused = &{1'b0, state};

        lane_lfsr #(
            .KEY(KEY[15:0])
        ) lfsr (
            .clk(clk),
            .load(seed_load),
            .turn(turn),
            .seed_bit(seed_reg[0]),
            .keyed(stochastic),
            .settle(settle),
            .step(valid_reg && stochastic),
            .state(state)
        );

        if (S > 16) begin : g_dice
            assign r = {state, {S-16{1'b0}}};
        end else begin : g_dice
            assign r = state[15 -: S];
        end

        always @(posedge clk) begin
            prod_reg <= al * sl;
            sum_reg <= prod_reg + $signed({{PROD-S-WIDTH{wl[WIDTH-1]}}, wl, r});
        end

        round_sat #(
            .IN_WIDTH(PROD),
            .SHIFT(S),
            .OUT_WIDTH(WIDTH)
        ) clip (
            .x(sum_reg),
            .r({S{1'b0}}),
            .y(new_w[l*WIDTH +: WIDTH]),
            .sat_hi(hi),
            .sat_lo(lo)
        );

        assign w_sat[l] = hi || lo;
    end

    for (l = 0; l < P; l = l + 1) begin : g_bias
        localparam integer KEY = ((LANE_BASE + Z + l + 1) * 40503) % 65536;

        reg  [DW-1:0]    step_reg;
        wire [15:0]      state;
        wire [WIDTH-1:0] bl = b[l*WIDTH +: WIDTH];
        reg  [DW-1:0]    sum_reg;
        wire             hi, lo;
        wire             unused = &{1'b0, state};

        lane_lfsr #(
            .KEY(KEY[15:0])
        ) lfsr (
            .clk(clk),
            .load(seed_load),
            .turn(turn),
            .seed_bit(seed_reg[0]),
            .keyed(stochastic),
            .settle(settle),
            .step(first_reg && stochastic),
            .state(state)
        );

        always @(posedge clk) begin
            step_reg <= step[l*DW +: DW];
            sum_reg <= step_reg + {bl[WIDTH-1], bl, state[15 -: LR_MAX]};
        end

        round_sat #(
            .IN_WIDTH(DW),
            .SHIFT(LR_MAX),
            .OUT_WIDTH(WIDTH)
        ) clip (
            .x(sum_reg),
            .r({LR_MAX{1'b0}}),
            .y(new_b[l*WIDTH +: WIDTH]),
            .sat_hi(hi),
            .sat_lo(lo)
        );

        assign b_sat[l] = hi || lo;
    end
endgenerate

endmodule
`resetall
