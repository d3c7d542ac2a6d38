// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * One lane of requantise: bias, multiplier, addend, shift, round, zero point, limits, mask
 *
 * Stage 0 takes the accumulator and the byte beside it, 1 adds the bias and takes the zero point off that byte, 2 and 3
 * multiply, 4 shifts, 5 adds and rounds, 6 makes the byte. Products keep 16 of 23 bits below the point. An addend of
 * 16 bits then rounds any shift: 2^15 half up, a random word stochastically (aligned to the top as it is, it carries
 * exactly where its top bits, aligned to the dropped bits, would). To even: a sum that is a whole number after 2^15 was
 * added, and of which cut and shift lost nothing, was a half; where half up made it odd it loses its last bit.
 *
 * Multipliers have 24 bits, as many as a float32 has. A product of one and 17 bits of the sum fits in a multiplier of
 * 25 x 18 bits, with registers around it.
 *
 * Latency: 7 clocks, one per enable; no handshake of its own.
 */
module requantise_lane #(
    // Bits of the accumulator, 16 ... 48
    parameter ACC = 32,
    // Bits of a result, 4 ... 8
    parameter DATA = 8,
    // 1: there are multipliers; 0: all multipliers are 1.0
    parameter SCALE = 1
) (
    input  wire           clk,
    // Loads of the seven stages
    input  wire [6:0]     enable,

    // Stage 0: signed accumulator
    input  wire [ACC-1:0] acc,
    // Stage 0: take byte 0, byte 1 in its place, sign-extended
    input  wire           value_byte,
    input  wire           index_byte,
    // Stage 0: addend of the rounding, in units of 2^-16 of the result's last bit
    input  wire [15:0]    round,
    // Stage 0: signed byte of the mask or of the addend
    input  wire [7:0]     beside,
    // Stage 0: the result becomes 0 where that byte is not positive; also where it is not below the limit
    input  wire           use_mask,
    input  wire           mask_high,
    input  wire [7:0]     mask_limit,
    // Stage 1: signed, added to the accumulator
    input  wire [31:0]    bias,
    // Stage 1: the byte is added, less its zero point
    input  wire           addend,
    input  wire [7:0]     addend_zero,
    // Stage 2: 2^23 is 1.0
    input  wire [`ARRAY_MULTIPLIER_BITS-1:0] multiplier,
    input  wire [`ARRAY_MULTIPLIER_BITS-1:0] addend_multiplier,
    // Stage 3: bits to drop of the addend's product
    input  wire [4:0]     addend_shift,
    // Stage 4: bits to drop of the sum's product, and those bits
    input  wire [4:0]     shift,
    input  wire [30:0]    dropped,
    // Stage 5: round halves to even; the addend of the rounding is 2^15
    input  wire           even,
    // Stage 5: what is less than 2^-15 above a half is one, too
    input  wire           near_half,
    // Stage 6: the byte is an index, which has 8 bits whatever DATA is, and no limits
    input  wire           index,
    // Stage 6: signed: zero point, least and largest result (of all limits, DATA bits and ReLU included; low is not
    // above high), and these less the zero point
    input  wire [7:0]     zero,
    input  wire [7:0]     low,
    input  wire [7:0]     high,
    input  wire [9:0]     whole_low,
    input  wire [9:0]     whole_high,

    // Signed result of DATA bits, sign-extended, or an index
    output wire [7:0]     y,
    // It was clipped to DATA bits, before limits, ReLU and mask
    output wire           clipped
);

`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))
`REQUIRE(g_data, DATA >= 4 && DATA <= 8, ("%m: DATA = %0d must be 4 to 8", DATA))
`REQUIRE(g_scale, SCALE == 0 || SCALE == 1, ("%m: SCALE = %0d must be 0 or 1", SCALE))

// Bits of the biased sum: it does not wrap
localparam SUM = (ACC > 32 ? ACC : 32) + 1;
localparam M = `ARRAY_MULTIPLIER_BITS;
// Bits of a product that are below those that are kept
localparam CUT = M - 17;
// Bits of the sum's product without them
localparam PRODUCT = SUM + 17;
// More integer bits of the product than these do not change what is clipped, whatever is added behind
localparam INT = 11;
// Bits of the product above that, but for the sign
localparam UPPER = PRODUCT - INT - 16;

// --- stages 0 and 1: the sum, and the byte that is added ---

reg [ACC-1:0] word_reg;
reg [7:0]     beside_reg;
reg [15:0]    round0_reg;
reg [15:0]    round1_reg;
reg [15:0]    round2_reg;
reg [5:0]     masked_reg;   // in stages 0 ... 5
reg [SUM-1:0] sum_reg;
reg [8:0]     above_reg;    // addend less its zero point

wire [SUM-1:0] sum_next = {{(SUM-ACC){word_reg[ACC-1]}}, word_reg} + {{(SUM-32){bias[31]}}, bias};
wire [8:0]     above_next = {beside_reg[7], beside_reg} - {addend_zero[7], addend_zero};
wire           positive = !beside[7] && beside != 8'd0;
wire           below = $signed(beside) < $signed(mask_limit);
integer        k;

always @(posedge clk) begin
    if (enable[0]) begin
        word_reg <= index_byte ? {{(ACC-8){acc[15]}}, acc[15:8]}
                  : value_byte ? {{(ACC-8){acc[7]}}, acc[7:0]} : acc;
        beside_reg <= beside;
        round0_reg <= round;
        masked_reg[0] <= use_mask && !(positive && (below || !mask_high));
    end
    if (enable[1]) begin
        sum_reg <= sum_next;
        above_reg <= addend ? above_next : 9'd0;
        round1_reg <= round0_reg;
    end
    if (enable[2]) round2_reg <= round1_reg;
    for (k = 1; k < 6; k = k + 1) begin
        if (enable[k]) masked_reg[k] <= masked_reg[k-1];
    end
end

// --- stages 2 and 3: products with 16 bits below the point ---

wire [PRODUCT-1:0] product;
wire               cut;        // the product has lost something but zeros
wire [26:0]        added;      // in stage 2

generate
    if (SCALE != 0) begin : g_multiply
        wire [SUM+M-18:0] upper;          // of the sum's upper SUM-17 bits, signed
        reg [M+16:0]      lower_reg;      // of its lower 17 bits
        reg [M+9:0]       added_reg;
        reg [PRODUCT-1:0] product_reg;
        reg               cut_reg;

        always @(posedge clk) begin
            if (enable[2]) begin
                lower_reg <= {{M{1'b0}}, sum_reg[16:0]} * {17'd0, multiplier};
                added_reg <= $signed({{(M+1){above_reg[8]}}, above_reg}) * $signed({10'd0, addend_multiplier});
            end
            if (enable[3]) begin
                product_reg[16-CUT:0] <= lower_reg[16:CUT];
                product_reg[PRODUCT-1:17-CUT] <= upper + {{(SUM-17){1'b0}}, lower_reg[M+16:17]};
                cut_reg <= lower_reg[CUT-1:0] != {CUT{1'b0}};
            end
        end

        if (SUM <= 35) begin : g_two
            reg [SUM+M-17:0] upper_reg;

            always @(posedge clk) begin
                if (enable[2]) begin
                    upper_reg <= $signed({{(M+1){sum_reg[SUM-1]}}, sum_reg[SUM-1:17]})
                        * $signed({{(SUM-16){1'b0}}, multiplier});
                end
            end

            wire unused_sign = upper_reg[SUM+M-17];
            assign upper = upper_reg[SUM+M-18:0];
        end else begin : g_three
            reg [M+16:0]     middle_reg;  // of 17 bits
            reg [SUM+M-34:0] top_reg;     // of what is above them

            always @(posedge clk) begin
                if (enable[2]) begin
                    middle_reg <= {{M{1'b0}}, sum_reg[33:17]} * {17'd0, multiplier};
                    top_reg <= $signed({{(M+1){sum_reg[SUM-1]}}, sum_reg[SUM-1:34]})
                        * $signed({{(SUM-33){1'b0}}, multiplier});
                end
            end

            wire unused_sign = top_reg[SUM+M-34];
            assign upper = {top_reg[SUM+M-35:0], 17'd0} + {{(SUM-34){1'b0}}, middle_reg};
        end

        wire unused_bits = &{1'b0, added_reg[CUT-1:0]};
        assign product = product_reg;
        assign cut = cut_reg;
        assign added = added_reg[M+9:CUT];
    end else begin : g_plain
        reg [SUM-1:0] sum2_reg;
        reg [SUM-1:0] sum3_reg;
        reg [8:0]     above2_reg;

        always @(posedge clk) begin
            if (enable[2]) begin
                sum2_reg <= sum_reg;
                above2_reg <= above_reg;
            end
            if (enable[3]) sum3_reg <= sum2_reg;
        end

        wire unused_multipliers = &{1'b0, multiplier, addend_multiplier};
        assign product = {sum3_reg[SUM-1], sum3_reg, 16'd0};
        assign cut = 1'b0;
        assign added = {{2{above2_reg[8]}}, above2_reg, 16'd0};
    end
endgenerate

// --- stages 3, 4 and 5: shift, add, round ---

reg [26:0]       beside3_reg;   // what is added to the sum: the addend and that of the rounding
reg [26:0]       beside4_reg;
reg [INT+15:0]   point_reg;
reg              lost_reg;
reg [INT:0]      whole_reg;

wire [26:0]        added_shifted = $signed(added) >>> addend_shift;
wire [PRODUCT-1:0] shifted = $signed(product) >>> shift;
wire               negative = shifted[PRODUCT-1];
// Bits from INT+15 on, all signs if what is shifted fits. That is seen before the shift, in parallel to it: each bit
// that stays there is the same as the one above it
wire [UPPER-1:0]   same = ~(product[PRODUCT-2:INT+15] ^ product[PRODUCT-1:INT+16]);
wire [UPPER+30:0]  leave = {{UPPER{1'b0}}, dropped};
wire               fits = &(same | leave[UPPER-1:0]);
wire [INT+16:0]    total = {point_reg[INT+15], point_reg} + {beside4_reg[26], beside4_reg};
wire               unused_upper = &{1'b0, shifted[PRODUCT-2:INT+15], leave[UPPER+30:UPPER]};
wire               tie = even && total[15:1] == 15'd0 && (near_half || (!total[0] && !lost_reg));

always @(posedge clk) begin
    if (enable[3]) beside3_reg <= added_shifted + {11'd0, round2_reg};
    if (enable[4]) begin
        beside4_reg <= beside3_reg;
        point_reg <= {negative, fits ? shifted[INT+14:0] : {(INT+15){!negative}}};
        lost_reg <= cut || (product[30:0] & dropped) != 31'd0;
    end
    if (enable[5]) whole_reg <= {total[INT+16:17], total[16] && !tie};
end

// --- stage 6: the byte ---

reg [7:0] y_reg;
reg       clipped_reg;

wire [INT:0] moved = whole_reg + {{(INT-7){zero[7]}}, zero};
wire         below_zero = moved[INT];
wire         in_range = moved[INT:DATA-1] == {(INT-DATA+2){below_zero}};
// (compared in parallel to the sum: limits belong to all lanes, and stand there without the zero point)
wire         too_low = $signed(whole_reg) < $signed({{(INT-9){whole_low[9]}}, whole_low});
wire         too_high = $signed(whole_reg) > $signed({{(INT-9){whole_high[9]}}, whole_high});
wire [7:0]   limited = too_high ? high : too_low ? low : moved[7:0];

always @(posedge clk) begin
    if (enable[6]) begin
        y_reg <= index ? whole_reg[7:0] : masked_reg[5] ? 8'd0 : limited;
        clipped_reg <= !index && !in_range;
    end
end

assign y = y_reg;
assign clipped = clipped_reg;

endmodule
`resetall
