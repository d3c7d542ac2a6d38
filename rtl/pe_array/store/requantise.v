// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Requantise: accumulator words to pixel words
 *
 *   y = clamp(sat(round((acc + hu(bias, bias_shift)) * multiplier / 2^(23 + shift) + added) + zero), low, high)
 *   added = (a - addend_zero) * addend_multiplier / 2^(23 + addend_shift) with addend, else 0
 *
 * Then ReLU and mask (docs/pe_array/numbers.md says what each step keeps).
 *
 * Latency: 7 clocks from the clock in which a word is taken to m_valid, one word per clock, valid/ready. The settings
 * belong to the word: they are read in the clock in which it is taken. With use_mask or addend a word waits for its
 * word of the other map, and takes it in the same clock.
 *
 * Random lanes are LANE_BASE ... LANE_BASE+B-1; they step with every word of field 0 that is taken with stochastic
 * high. A word taken in the clock of seed_load still has the old random words.
 */
module requantise #(
    // Lanes: images of the batch, a power of two, 4 ... 64
    parameter B = 32,
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32,
    // Number of the first random lane
    parameter LANE_BASE = 0,
    // Bits of a result, 4 ... 8
    parameter DATA = 8,
    // 1: there are multipliers; 0: all multipliers are taken for 1.0
    parameter SCALE = 1
) (
    input  wire                   clk,
    // Synchronous, active high: forgets the words inside; settings and random lanes are not touched
    input  wire                   rst,

    // Load all random lanes with this seed
    input  wire                   seed_load,
    input  wire [15:0]            seed,

    // 0: sum; 1: value byte of MAX; 2: its index byte. Fields 1 and 2 know only relu, use_mask, mask_high, low and
    // high, and field 2 none of these
    input  wire [1:0]             field,
    // Signed, added to the accumulator after a right shift, half up
    input  wire [31:0]            bias,
    input  wire [3:0]             bias_shift,
    // Of the sum, 2^23 is 1.0
    input  wire [`ARRAY_MULTIPLIER_BITS-1:0] multiplier,
    // Bits of the product to drop behind the point, 0 ... 31
    input  wire [4:0]             shift,
    // 1: stochastic rounding; 0: halves to even (1) or up (0)
    input  wire                   stochastic,
    input  wire                   even,
    // 1: what is less than 2^-15 above a half is one for even, too
    input  wire                   near_half,
    // Signed: added behind the rounding; least and largest result
    input  wire [7:0]             zero,
    input  wire [7:0]             low,
    input  wire [7:0]             high,
    // 1: negative results become 0
    input  wire                   relu,
    // 1: results become 0 where the mask byte is not positive; with mask_high also where it is high or above, and
    // high is no limit of the result
    input  wire                   use_mask,
    input  wire                   mask_high,
    // 1: a byte of the other map is added; not with use_mask
    input  wire                   addend,
    // Its zero point, signed, its multiplier and right shift
    input  wire [7:0]             addend_zero,
    input  wire [`ARRAY_MULTIPLIER_BITS-1:0] addend_multiplier,
    input  wire [4:0]             addend_shift,

    // Accumulators, signed, image 0 in the low bits
    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire [B*ACC-1:0]       s_data,

    // The other map, mask or addend, signed bytes; ready only for words with use_mask or addend
    input  wire                   map_valid,
    output wire                   map_ready,
    input  wire [B*8-1:0]         map_data,

    // Pixel words (results of DATA bits, sign-extended to bytes; indices), and how many of a word's lanes were clipped
    // (before limits, ReLU and mask)
    output wire                   m_valid,
    input  wire                   m_ready,
    output wire [B*8-1:0]         m_data,
    output wire [$clog2(B+1)-1:0] m_clipped
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))
`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))

localparam STAGES = 7;
// Largest result of DATA bits
localparam [31:0] MOST_WORD = (1 << (DATA - 1)) - 1;
localparam [7:0] MOST = MOST_WORD[7:0];

wire [STAGES-1:0] enable;
wire              pipe_ready;
wire              use_map = use_mask || addend;
wire              complete = s_valid && (!use_map || map_valid);
wire              take = complete && pipe_ready;
wire              value_byte = field == `ARRAY_BYTE_VALUE;
wire              index_byte = field == `ARRAY_BYTE_INDEX;
wire              is_sum = field == `ARRAY_BYTE_SUM;

assign s_ready = pipe_ready && (!use_map || map_valid);
assign map_ready = pipe_ready && use_map && s_valid;

pipe_control #(.STAGES(STAGES)) pipe (
    .clk(clk),
    .rst(rst),
    .s_valid(complete),
    .s_ready(pipe_ready),
    .m_valid(m_valid),
    .m_ready(m_ready),
    .enable(enable)
);

wire [B*16-1:0] random;

lfsr_lanes #(
    .LANES(B),
    .LANE_BASE(LANE_BASE)
) lfsrs (
    .clk(clk),
    .seed_load(seed_load),
    .seed(seed),
    .step(take && stochastic && is_sum),
    .state(random)
);

// --- settings of the words in the stages, as far as these need them ---

// hu(bias, bias_shift): with a bit below the point, which is rounded up
wire [32:0] bias_point = $signed({bias, 1'b0}) >>> bias_shift;
wire [32:0] bias_up = bias_point + 33'd1;

reg [31:0] bias_reg;
reg        addend_reg;
reg [7:0]  addend_zero_reg;
reg [`ARRAY_MULTIPLIER_BITS-1:0] multiplier0_reg;
reg [`ARRAY_MULTIPLIER_BITS-1:0] multiplier1_reg;
reg [`ARRAY_MULTIPLIER_BITS-1:0] addend_multiplier0_reg;
reg [`ARRAY_MULTIPLIER_BITS-1:0] addend_multiplier1_reg;
reg [4:0]  addend_shift0_reg;
reg [4:0]  addend_shift1_reg;
reg [4:0]  addend_shift2_reg;
reg [4:0]  shift0_reg;
reg [4:0]  shift1_reg;
reg [4:0]  shift2_reg;
reg [4:0]  shift3_reg;
reg [30:0] dropped_reg;
reg [4:0]  even_reg;        // of the words in stages 0 ... 4, and so on
reg [4:0]  near_reg;
reg [5:0]  index_reg;
reg        relu_reg;
reg [47:0] zero_reg;
reg [47:0] low_reg;
reg [47:0] high_reg;
reg [9:0]  whole_low_reg;   // in stage 5: those limits of a result before the zero point is added to it
reg [9:0]  whole_high_reg;
integer    k;

// What all limits do together, ReLU and DATA bits too, is min(max(result, low), high) with other limits. They are made
// on the way: stage 1 takes ReLU in, stage 2 DATA bits, stage 3 sees that low is not above high (that wins)
wire [7:0] low_relu = relu_reg && low_reg[7] ? 8'd0 : low_reg[7:0];
wire [7:0] high_relu = relu_reg && high_reg[7] ? 8'd0 : high_reg[7:0];
wire [7:0] most = $signed(low_reg[15:8]) > $signed(MOST) ? low_reg[15:8] : MOST;
wire [7:0] low_data = $signed(low_reg[15:8]) < $signed(~MOST) ? ~MOST : low_reg[15:8];
wire [7:0] high_data = $signed(high_reg[15:8]) > $signed(most) ? most : high_reg[15:8];
wire [7:0] low_order = $signed(low_reg[23:16]) > $signed(high_reg[23:16]) ? high_reg[23:16] : low_reg[23:16];

always @(posedge clk) begin
    if (enable[0]) begin
        bias_reg <= is_sum ? bias_up[32:1] : 32'd0;
        addend_reg <= addend && is_sum;
        addend_zero_reg <= addend_zero;
        multiplier0_reg <= is_sum ? multiplier : `ARRAY_MULTIPLIER_ONE;
        addend_multiplier0_reg <= addend_multiplier;
        addend_shift0_reg <= addend_shift;
        shift0_reg <= is_sum ? shift : 5'd0;
        even_reg[0] <= even && !stochastic;
        near_reg[0] <= near_half;
        index_reg[0] <= index_byte;
        relu_reg <= relu;
        zero_reg[7:0] <= is_sum ? zero : 8'd0;
        low_reg[7:0] <= low;
        high_reg[7:0] <= mask_high ? 8'h7F : high;
    end
    if (enable[1]) begin
        multiplier1_reg <= multiplier0_reg;
        addend_multiplier1_reg <= addend_multiplier0_reg;
        addend_shift1_reg <= addend_shift0_reg;
        shift1_reg <= shift0_reg;
        low_reg[15:8] <= low_relu;
        high_reg[15:8] <= high_relu;
    end
    if (enable[2]) begin
        addend_shift2_reg <= addend_shift1_reg;
        shift2_reg <= shift1_reg;
        low_reg[23:16] <= low_data;
        high_reg[23:16] <= high_data;
    end
    if (enable[3]) begin
        shift3_reg <= shift2_reg;
        low_reg[31:24] <= low_order;
        high_reg[31:24] <= high_reg[23:16];
        dropped_reg <= ~(31'h7FFFFFFF << shift2_reg);
    end
    for (k = 1; k < 5; k = k + 1) begin
        if (enable[k]) begin
            even_reg[k] <= even_reg[k-1];
            near_reg[k] <= near_reg[k-1];
        end
    end
    for (k = 1; k < 6; k = k + 1) begin
        if (enable[k]) begin
            index_reg[k] <= index_reg[k-1];
            zero_reg[8*k +: 8] <= zero_reg[8*k-8 +: 8];
        end
    end
    for (k = 4; k < 6; k = k + 1) begin
        if (enable[k]) begin
            low_reg[8*k +: 8] <= low_reg[8*k-8 +: 8];
            high_reg[8*k +: 8] <= high_reg[8*k-8 +: 8];
        end
    end
    if (enable[5]) begin
        whole_low_reg <= {{2{low_reg[39]}}, low_reg[39:32]} - {{2{zero_reg[39]}}, zero_reg[39:32]};
        whole_high_reg <= {{2{high_reg[39]}}, high_reg[39:32]} - {{2{zero_reg[39]}}, zero_reg[39:32]};
    end
end

wire unused_half = bias_up[0];

// --- lanes ---

wire [B-1:0] clipped;
genvar       l;

generate
    for (l = 0; l < B; l = l + 1) begin : g_lane
        requantise_lane #(
            .ACC(ACC),
            .DATA(DATA),
            .SCALE(SCALE)
        ) lane (
            .clk(clk),
            .enable(enable),
            .acc(s_data[l*ACC +: ACC]),
            .value_byte(value_byte),
            .index_byte(index_byte),
            .round(stochastic ? random[l*16 +: 16] : 16'h8000),
            .beside(map_data[l*8 +: 8]),
            .use_mask(use_mask),
            .mask_high(mask_high),
            .mask_limit(high),
            .bias(bias_reg),
            .addend(addend_reg),
            .addend_zero(addend_zero_reg),
            .multiplier(multiplier1_reg),
            .addend_multiplier(addend_multiplier1_reg),
            .addend_shift(addend_shift2_reg),
            .shift(shift3_reg),
            .dropped(dropped_reg),
            .even(even_reg[4]),
            .near_half(near_reg[4]),
            .index(index_reg[5]),
            .zero(zero_reg[47:40]),
            .low(low_reg[47:40]),
            .high(high_reg[47:40]),
            .whole_low(whole_low_reg),
            .whole_high(whole_high_reg),
            .y(m_data[l*8 +: 8]),
            .clipped(clipped[l])
        );
    end
endgenerate

popcount #(.N(B)) clipped_count (
    .x(clipped),
    .count(m_clipped)
);

endmodule
`resetall
