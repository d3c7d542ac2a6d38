// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Requantise: accumulator words to pixel words
 *
 * Latency: 3 clocks from the clock in which a word is taken to m_valid, one word per clock, valid/ready. The settings
 * belong to the word: they are read in the clock in which it is taken. With use_mask a word waits for its mask word
 * and takes it in the same clock.
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
    parameter DATA = 8
) (
    input  wire                   clk,
    // Synchronous, active high: forgets the words inside; settings and random lanes are not touched
    input  wire                   rst,

    // Load all random lanes with this seed
    input  wire                   seed_load,
    input  wire [15:0]            seed,

    // Bits to drop, 0 ... 31 (fields 1 and 2: not used)
    input  wire [4:0]             shift,
    // 1: stochastic rounding; 0: half up
    input  wire                   stochastic,
    // 1: negative results become 0 (not in field 2)
    input  wire                   relu,
    // 1: results become 0 where the mask byte is not positive (not in field 2)
    input  wire                   use_mask,
    // 0: sum; 1: value byte of MAX; 2: its index byte
    input  wire [1:0]             field,

    // Accumulators, signed, image 0 in the low bits
    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire [B*ACC-1:0]       s_data,

    // Stored activations, signed bytes; ready only for words with use_mask
    input  wire                   mask_valid,
    output wire                   mask_ready,
    input  wire [B*8-1:0]         mask_data,

    // Pixel words (results of DATA bits, sign-extended to bytes; indices), and how many of a word's lanes were clipped
    // (before ReLU and mask)
    output wire                   m_valid,
    input  wire                   m_ready,
    output wire [B*8-1:0]         m_data,
    output wire [$clog2(B+1)-1:0] m_clipped
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))
`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))

wire [2:0] enable;
wire       pipe_ready;
wire       complete = s_valid && (!use_mask || mask_valid);
wire       take = complete && pipe_ready;
wire       value_byte = field == `ARRAY_BYTE_VALUE;
wire       index_byte = field == `ARRAY_BYTE_INDEX;
wire       is_sum = field == `ARRAY_BYTE_SUM;

assign s_ready = pipe_ready && (!use_mask || mask_valid);
assign mask_ready = pipe_ready && use_mask && s_valid;

pipe_control #(.STAGES(3)) pipe (
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

// Settings of the words in stages 0 and 1
reg [4:0] shift_reg;
reg       relu_s0_reg;
reg       relu_s1_reg;
reg       index_s0_reg;
reg       index_s1_reg;

always @(posedge clk) begin
    if (enable[0]) begin
        shift_reg <= is_sum ? shift : 5'd0;
        relu_s0_reg <= relu;
        index_s0_reg <= index_byte;
    end
    if (enable[1]) begin
        relu_s1_reg <= relu_s0_reg;
        index_s1_reg <= index_s0_reg;
    end
end

wire [B-1:0] clipped;
genvar       l;

generate
    for (l = 0; l < B; l = l + 1) begin : g_lane
        wire [7:0] mask = mask_data[l*8 +: 8];
        reg        zero_s0_reg;
        reg        zero_s1_reg;

        always @(posedge clk) begin
            if (enable[0]) zero_s0_reg <= use_mask && (mask[7] || mask == 8'd0);
            if (enable[1]) zero_s1_reg <= zero_s0_reg;
        end

        requantise_lane #(
            .ACC(ACC),
            .DATA(DATA)
        ) lane (
            .clk(clk),
            .enable(enable),
            .acc(s_data[l*ACC +: ACC]),
            .value_byte(value_byte),
            .index_byte(index_byte),
            .addend(stochastic ? random[l*16 +: 16] : 16'h8000),
            .shift(shift_reg),
            .index(index_s1_reg),
            .relu(relu_s1_reg),
            .zero(zero_s1_reg),
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
