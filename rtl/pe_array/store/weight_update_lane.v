// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * One lane of the weight update: momentum, shift, round, subtract, saturate
 *
 * Rounding as in requantise_lane: 16 bits are kept below the point, and an addend of 16 bits rounds any shift.
 *
 * Latency: 5 clocks, one per enable; no handshake of its own.
 */
module weight_update_lane #(
    // Bits of a master, 16 ... 32
    parameter MASTER = 24,
    // Bits of a MAC weight, 4 ... 8: the master's upper ones
    parameter DATA = 8
) (
    input  wire        clk,
    // Loads of the five stages
    input  wire [4:0]  enable,

    // Stage 0: gradient, momentum, 32 bits signed; master, signed
    input  wire [31:0] gradient,
    input  wire [31:0] momentum,
    input  wire [MASTER-1:0] master,
    // Stage 0: shift of the momentum's decay, 0 ... 15
    input  wire [3:0]  decay,
    // Stage 0: addend of the rounding, in units of 2^-16 of a master's last bit
    input  wire [15:0] addend,
    // Stage 1: there is momentum
    input  wire        use_momentum,
    // Stage 2: bits to drop
    input  wire [4:0]  shift,

    // New master, momentum (or, without, the gradient) and MAC weight, signed
    output wire [MASTER-1:0] new_master,
    output wire [31:0] new_momentum,
    output wire [DATA-1:0] weight,
    // They were clipped
    output wire        master_clipped,
    output wire        momentum_clipped,
    output wire        weight_clipped
);

`REQUIRE(g_master, MASTER >= 16 && MASTER <= 32, ("%m: MASTER = %0d must be 16 to 32", MASTER))
`REQUIRE(g_data, DATA >= 4 && DATA <= 8, ("%m: DATA = %0d must be 4 to 8", DATA))

// Bits of a master below a MAC weight
localparam DROP = MASTER - DATA;

// Stage 0: half a bit is kept below the decay's point
reg [31:0] gradient_reg;
reg [31:0] momentum_s0_reg;
reg [31:0] loss_reg;
reg [MASTER-1:0] master_s0_reg;
reg [15:0] addend_s0_reg;

wire signed [32:0] momentum_extended = {momentum, 1'b0};
wire        [32:0] decayed = momentum_extended >>> decay;

always @(posedge clk) begin
    if (enable[0]) begin
        gradient_reg <= gradient;
        momentum_s0_reg <= momentum;
        loss_reg <= decayed[32:1] + {31'd0, decayed[0]};
        master_s0_reg <= master;
        addend_s0_reg <= addend;
    end
end

// Stage 1: v - hu(v, m) is no larger than v
wire [31:0] rest = momentum_s0_reg - loss_reg;
wire [32:0] sum = {rest[31], rest} + {gradient_reg[31], gradient_reg};
wire        sum_clipped = use_momentum && sum[32] != sum[31];

reg [31:0] step_s1_reg;
reg        clipped_s1_reg;
reg [MASTER-1:0] master_s1_reg;
reg [15:0] addend_s1_reg;

always @(posedge clk) begin
    if (enable[1]) begin
        step_s1_reg <= sum_clipped ? {sum[32], {31{!sum[32]}}} : use_momentum ? sum[31:0] : gradient_reg;
        clipped_s1_reg <= sum_clipped;
        master_s1_reg <= master_s0_reg;
        addend_s1_reg <= addend_s0_reg;
    end
end

// Stage 2
wire signed [47:0] step_extended = {step_s1_reg, 16'd0};

reg [47:0] point_reg;
reg [31:0] step_s2_reg;
reg        clipped_s2_reg;
reg [MASTER-1:0] master_s2_reg;
reg [15:0] addend_s2_reg;

always @(posedge clk) begin
    if (enable[2]) begin
        point_reg <= step_extended >>> shift;
        step_s2_reg <= step_s1_reg;
        clipped_s2_reg <= clipped_s1_reg;
        master_s2_reg <= master_s1_reg;
        addend_s2_reg <= addend_s1_reg;
    end
end

// Stage 3: w - (i + c) = w + ~i + !c
wire        carry;
wire [15:0] unused_fraction;
wire [33:0] moved = {{(34-MASTER){master_s2_reg[MASTER-1]}}, master_s2_reg} + {{2{!point_reg[47]}}, ~point_reg[47:16]}
                  + {33'd0, !carry};
wire        fits = moved[33:MASTER-1] == {(35-MASTER){moved[33]}};

assign {carry, unused_fraction} = {1'b0, point_reg[15:0]} + {1'b0, addend_s2_reg};

reg [MASTER-1:0] master_s3_reg;
reg        lost_s3_reg;
reg [31:0] step_s3_reg;
reg        clipped_s3_reg;

always @(posedge clk) begin
    if (enable[3]) begin
        master_s3_reg <= fits ? moved[MASTER-1:0] : {moved[33], {(MASTER-1){!moved[33]}}};
        lost_s3_reg <= !fits;
        step_s3_reg <= step_s2_reg;
        clipped_s3_reg <= clipped_s2_reg;
    end
end

// Stage 4: rounding half up clips at the upper end alone
wire too_large = master_s3_reg[MASTER-1:DROP-1] == {1'b0, {DATA{1'b1}}};

reg [MASTER-1:0] master_reg;
reg [DATA-1:0] weight_reg;
reg        lost_reg;
reg        too_large_reg;
reg [31:0] step_reg;
reg        clipped_reg;

always @(posedge clk) begin
    if (enable[4]) begin
        master_reg <= master_s3_reg;
        weight_reg <= too_large ? {1'b0, {(DATA-1){1'b1}}}
                    : master_s3_reg[MASTER-1:DROP] + {{(DATA-1){1'b0}}, master_s3_reg[DROP-1]};
        lost_reg <= lost_s3_reg;
        too_large_reg <= too_large;
        step_reg <= step_s3_reg;
        clipped_reg <= clipped_s3_reg;
    end
end

assign new_master = master_reg;
assign new_momentum = step_reg;
assign weight = weight_reg;
assign master_clipped = lost_reg;
assign momentum_clipped = clipped_reg;
assign weight_clipped = too_large_reg;

endmodule
`resetall
