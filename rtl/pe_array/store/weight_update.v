// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Weight update: gradients and masters to new masters and MAC weights, with momentum and weight decay if wanted
 *
 * Latency: 7 clocks from the clock in which a word is taken to m_valid, one word of U weights per clock, valid/ready.
 * A word is taken when its gradients, its masters and (decay other than 0) its momenta are there, all in one clock. The
 * settings belong to the word: they are read in that clock.
 *
 * Random lanes are LANE_BASE ... LANE_BASE+U-1; they step with every word that is taken with stochastic high. A word
 * taken in the clock of seed_load still has the old random words.
 */
module weight_update #(
    // Lanes: weights per word, 1 ... 16
    parameter U = 8,
    // Number of the first random lane
    parameter LANE_BASE = 32,
    // Bits of a master, 16 ... 32
    parameter MASTER = 24,
    // Bits of a MAC weight, 4 ... 8
    parameter DATA = 8
) (
    input  wire                   clk,
    // Synchronous, active high: forgets the words inside; settings and random lanes are not touched
    input  wire                   rst,

    // Load all random lanes with this seed
    input  wire                   seed_load,
    input  wire [15:0]            seed,

    // k: bits of a gradient (or momentum) to drop, 0 ... 31
    input  wire [4:0]             shift,
    // 1: stochastic rounding; 0: half up
    input  wire                   stochastic,
    // m: shift of the momentum's decay, 1 ... 15; 0: no momentum
    input  wire [3:0]             decay,
    // 1: the step is Nesterov's, where there is momentum
    input  wire                   nesterov,
    // d: shift of the masters' decay, 1 ... 31; 0: none
    input  wire [4:0]             weight_decay,

    // Gradients, 32 bits signed, the first weight in the low bits
    input  wire                   gradient_valid,
    output wire                   gradient_ready,
    input  wire [U*32-1:0]        gradient_data,

    // Masters: signed in containers of 32 bits, of which the upper ones are not used
    input  wire                   master_valid,
    output wire                   master_ready,
    input  wire [U*32-1:0]        master_data,

    // Momenta, 32 bits signed; ready only for words with momentum
    input  wire                   momentum_valid,
    output wire                   momentum_ready,
    input  wire [U*32-1:0]        momentum_data,

    // New masters and MAC weights, sign-extended to 32 bits and bytes; new momenta (without momentum: the gradients)
    output wire                   m_valid,
    input  wire                   m_ready,
    output wire [U*32-1:0]        m_master,
    output wire [U*32-1:0]        m_momentum,
    output wire [U*8-1:0]         m_weight,
    // How many of the word's values were clipped
    output wire [$clog2(U+1)-1:0] m_master_clipped,
    output wire [$clog2(U+1)-1:0] m_momentum_clipped,
    output wire [$clog2(U+1)-1:0] m_weight_clipped
);

`REQUIRE(g_u, U >= 1 && U <= 16, ("%m: U = %0d must be 1 to 16", U))

wire       use_momentum = decay != 4'd0;
wire       complete = gradient_valid && master_valid && (!use_momentum || momentum_valid);
wire       pipe_ready;
wire       take = complete && pipe_ready;
wire [6:0] enable;

assign gradient_ready = take;
assign master_ready = take;
assign momentum_ready = take && use_momentum;

pipe_control #(.STAGES(7)) pipe (
    .clk(clk),
    .rst(rst),
    .s_valid(complete),
    .s_ready(pipe_ready),
    .m_valid(m_valid),
    .m_ready(m_ready),
    .enable(enable)
);

wire [U*16-1:0] random;

lfsr_lanes #(
    .LANES(U),
    .LANE_BASE(LANE_BASE)
) lfsrs (
    .clk(clk),
    .seed_load(seed_load),
    .seed(seed),
    .step(take && stochastic),
    .state(random)
);

// Settings of the words inside, as far as they are needed
reg       use_momentum_reg;
reg       use_weight_decay_reg;
reg [3:0] decay_s0_reg;
reg [3:0] decay_s1_reg;
reg [2:0] nesterov_reg;
reg [4:0] shift_s0_reg;
reg [4:0] shift_s1_reg;
reg [4:0] shift_s2_reg;
reg [4:0] shift_s3_reg;

always @(posedge clk) begin
    if (enable[0]) begin
        use_momentum_reg <= use_momentum;
        use_weight_decay_reg <= weight_decay != 5'd0;
        decay_s0_reg <= decay;
        nesterov_reg[0] <= nesterov;
        shift_s0_reg <= shift;
    end
    if (enable[1]) begin
        decay_s1_reg <= decay_s0_reg;
        nesterov_reg[1] <= nesterov_reg[0];
        shift_s1_reg <= shift_s0_reg;
    end
    if (enable[2]) begin
        nesterov_reg[2] <= nesterov_reg[1];
        shift_s2_reg <= shift_s1_reg;
    end
    if (enable[3]) shift_s3_reg <= shift_s2_reg;
end

wire [U-1:0] master_clipped;
wire [U-1:0] momentum_clipped;
wire [U-1:0] weight_clipped;
genvar       l;

generate
    for (l = 0; l < U; l = l + 1) begin : g_lane
        wire [MASTER-1:0] new_master;
        wire [DATA-1:0]   weight;
        wire              unused = &{1'b0, master_data[l*32 +: 32]};

        weight_update_lane #(
            .MASTER(MASTER),
            .DATA(DATA)
        ) lane (
            .clk(clk),
            .enable(enable),
            .gradient(gradient_data[l*32 +: 32]),
            .momentum(momentum_data[l*32 +: 32]),
            .master(master_data[l*32 +: MASTER]),
            .decay(decay),
            .weight_decay(weight_decay),
            .addend(stochastic ? random[l*16 +: 16] : 16'h8000),
            .use_momentum(use_momentum_reg),
            .use_weight_decay(use_weight_decay_reg),
            .new_decay(decay_s1_reg),
            .nesterov(nesterov_reg[2]),
            .shift(shift_s3_reg),
            .new_master(new_master),
            .new_momentum(m_momentum[l*32 +: 32]),
            .weight(weight),
            .master_clipped(master_clipped[l]),
            .momentum_clipped(momentum_clipped[l]),
            .weight_clipped(weight_clipped[l])
        );

        assign m_master[l*32 +: 32] = {{(33-MASTER){new_master[MASTER-1]}}, new_master[MASTER-2:0]};
        assign m_weight[l*8 +: 8] = {{(9-DATA){weight[DATA-1]}}, weight[DATA-2:0]};
    end
endgenerate

popcount #(.N(U)) master_count (
    .x(master_clipped),
    .count(m_master_clipped)
);

popcount #(.N(U)) momentum_count (
    .x(momentum_clipped),
    .count(m_momentum_clipped)
);

popcount #(.N(U)) weight_count (
    .x(weight_clipped),
    .count(m_weight_clipped)
);

endmodule
`resetall
