// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * One lane of the weight update: momentum, its Nesterov step, weight decay, shift, round, subtract, saturate
 *
 * Rounding as in requantise_lane: 16 bits are kept below the point, and an addend of 16 bits rounds any shift.
 *
 * Latency: 7 clocks, one per enable; no handshake of its own.
 */
module weight_update_lane #(
    // Bits of a master, 16 ... 32
    parameter MASTER = 24,
    // Bits of a MAC weight, 4 ... 8: the master's upper ones
    parameter DATA = 8
) (
    input  wire        clk,
    // Loads of the seven stages
    input  wire [6:0]  enable,

    // Stage 0: gradient, momentum, 32 bits signed; master, signed
    input  wire [31:0] gradient,
    input  wire [31:0] momentum,
    input  wire [MASTER-1:0] master,
    // Stage 0: shift of the momentum's decay, 0 ... 15, and of the master's, 0 ... 31
    input  wire [3:0]  decay,
    input  wire [4:0]  weight_decay,
    // Stage 0: addend of the rounding, in units of 2^-16 of a master's last bit
    input  wire [15:0] addend,
    // Stage 1: there is momentum; the master decays
    input  wire        use_momentum,
    input  wire        use_weight_decay,
    // Stage 2: decay, once more
    input  wire [3:0]  new_decay,
    // Stage 3: the step is Nesterov's, else the momentum; without momentum both are the gradient
    input  wire        nesterov,
    // Stage 4: bits to drop
    input  wire [4:0]  shift,

    // New master, momentum (or, without, the gradient) and MAC weight, signed
    output wire [MASTER-1:0] new_master,
    output wire [31:0] new_momentum,
    output wire [DATA-1:0] weight,
    // They were clipped; momentum_clipped: it, or Nesterov's step
    output wire        master_clipped,
    output wire        momentum_clipped,
    output wire        weight_clipped
);

`REQUIRE(g_master, MASTER >= 16 && MASTER <= 32, ("%m: MASTER = %0d must be 16 to 32", MASTER))
`REQUIRE(g_data, DATA >= 4 && DATA <= 8, ("%m: DATA = %0d must be 4 to 8", DATA))

// Bits of a master below a MAC weight
localparam DROP = MASTER - DATA;

// --- stages 0 ... 3: momentum, then Nesterov's step ---

wire [31:0] gradient_s1;
wire [31:0] momentum_s1;
wire        clipped_s1;
wire [31:0] step_s3;
wire [31:0] momentum_s3;
wire        ahead_clipped_s3;
wire [31:0] unused_momentum_s1;
wire [31:0] unused_gradient_s3;

momentum_step #(.KEEPS(0)) first (
    .clk(clk),
    .enable(enable[1:0]),
    .gradient(gradient),
    .momentum(momentum),
    .decay(decay),
    .made(use_momentum),
    .result(momentum_s1),
    .clipped(clipped_s1),
    .late_gradient(gradient_s1),
    .late_momentum(unused_momentum_s1)
);

momentum_step #(.KEEPS(1)) ahead (
    .clk(clk),
    .enable(enable[3:2]),
    .gradient(gradient_s1),
    .momentum(momentum_s1),
    .decay(new_decay),
    .made(nesterov),
    .result(step_s3),
    .clipped(ahead_clipped_s3),
    .late_gradient(unused_gradient_s3),
    .late_momentum(momentum_s3)
);

// The master's decay, with half a bit below its point, and what waits for the step
reg [MASTER-1:0] master_s0_reg;
reg [MASTER-1:0] master_loss_reg;
reg [MASTER-1:0] master_s1_reg;
reg [MASTER-1:0] master_s2_reg;
reg [MASTER-1:0] master_s3_reg;
reg [15:0] addend_s0_reg;
reg [15:0] addend_s1_reg;
reg [15:0] addend_s2_reg;
reg [15:0] addend_s3_reg;
reg        clipped_s2_reg;
reg        clipped_s3_reg;

wire signed [MASTER:0] master_extended = {master, 1'b0};
wire        [MASTER:0] master_decayed = master_extended >>> weight_decay;

always @(posedge clk) begin
    if (enable[0]) begin
        master_s0_reg <= master;
        master_loss_reg <= master_decayed[MASTER:1] + {{(MASTER-1){1'b0}}, master_decayed[0]};
        addend_s0_reg <= addend;
    end
    if (enable[1]) begin
        master_s1_reg <= use_weight_decay ? master_s0_reg - master_loss_reg : master_s0_reg;
        addend_s1_reg <= addend_s0_reg;
    end
    if (enable[2]) begin
        master_s2_reg <= master_s1_reg;
        addend_s2_reg <= addend_s1_reg;
        clipped_s2_reg <= clipped_s1;
    end
    if (enable[3]) begin
        master_s3_reg <= master_s2_reg;
        addend_s3_reg <= addend_s2_reg;
        clipped_s3_reg <= clipped_s2_reg;
    end
end

// Stage 4
wire signed [47:0] step_extended = {step_s3, 16'd0};

reg [47:0] point_reg;
reg [31:0] momentum_s4_reg;
reg        clipped_s4_reg;
reg [MASTER-1:0] master_s4_reg;
reg [15:0] addend_s4_reg;

always @(posedge clk) begin
    if (enable[4]) begin
        point_reg <= step_extended >>> shift;
        momentum_s4_reg <= momentum_s3;
        clipped_s4_reg <= clipped_s3_reg || ahead_clipped_s3;
        master_s4_reg <= master_s3_reg;
        addend_s4_reg <= addend_s3_reg;
    end
end

// Stage 5: w - (i + c) = w + ~i + !c
wire        carry;
wire [15:0] unused_fraction;
wire [33:0] moved = {{(34-MASTER){master_s4_reg[MASTER-1]}}, master_s4_reg} + {{2{!point_reg[47]}}, ~point_reg[47:16]}
                  + {33'd0, !carry};
wire        fits = moved[33:MASTER-1] == {(35-MASTER){moved[33]}};

assign {carry, unused_fraction} = {1'b0, point_reg[15:0]} + {1'b0, addend_s4_reg};

reg [MASTER-1:0] master_s5_reg;
reg        lost_s5_reg;
reg [31:0] momentum_s5_reg;
reg        clipped_s5_reg;

always @(posedge clk) begin
    if (enable[5]) begin
        master_s5_reg <= fits ? moved[MASTER-1:0] : {moved[33], {(MASTER-1){!moved[33]}}};
        lost_s5_reg <= !fits;
        momentum_s5_reg <= momentum_s4_reg;
        clipped_s5_reg <= clipped_s4_reg;
    end
end

// Stage 6: rounding half up clips at the upper end alone
wire too_large = master_s5_reg[MASTER-1:DROP-1] == {1'b0, {DATA{1'b1}}};

reg [MASTER-1:0] master_reg;
reg [DATA-1:0] weight_reg;
reg        lost_reg;
reg        too_large_reg;
reg [31:0] momentum_reg;
reg        clipped_reg;

always @(posedge clk) begin
    if (enable[6]) begin
        master_reg <= master_s5_reg;
        weight_reg <= too_large ? {1'b0, {(DATA-1){1'b1}}}
                    : master_s5_reg[MASTER-1:DROP] + {{(DATA-1){1'b0}}, master_s5_reg[DROP-1]};
        lost_reg <= lost_s5_reg;
        too_large_reg <= too_large;
        momentum_reg <= momentum_s5_reg;
        clipped_reg <= clipped_s5_reg;
    end
end

assign new_master = master_reg;
assign new_momentum = momentum_reg;
assign weight = weight_reg;
assign master_clipped = lost_reg;
assign momentum_clipped = clipped_reg;
assign weight_clipped = too_large_reg;

endmodule
`resetall
