// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Deltas of the output layer: sigmoid with cross-entropy, or what softmax8 has made of the logits
 *
 * Pixel words of logits come class by class, from class 0 to last_class, and again. The labels of a batch are one
 * word of B bytes, which is taken with the word of the last class; every word of the batch waits for it.
 *
 * Latency: 2 clocks from the clock in which a word is taken to m_valid, one word per clock, valid/ready.
 */
module output_delta8 #(
    // Lanes: images of the batch, a power of two, 4 ... 64
    parameter B = 32,
    // Fraction bits of the logits, 0 ... 7
    parameter FRAC = 4,
    // Bits of a delta, 4 ... 8
    parameter DATA = 8
) (
    input  wire           clk,
    // Synchronous, active high: forgets the words inside and starts at class 0
    input  wire           rst,

    // Number of classes less 1; constant from the first word of a batch to its last
    input  wire [7:0]     last_class,

    // 1: the words hold shares of softmax8, 0 ... 128; constant like last_class
    input  wire           shares,

    // Logits, signed bytes with FRAC fraction bits, image 0 in the low bits
    input  wire           s_valid,
    output wire           s_ready,
    input  wire [B*8-1:0] s_data,

    // Labels: unsigned bytes
    input  wire           label_valid,
    output wire           label_ready,
    input  wire [B*8-1:0] label_data,

    // Deltas of DATA bits, DATA-1 of them fraction, sign-extended to bytes, and the mark of the batch's last word
    output wire           m_valid,
    input  wire           m_ready,
    output wire [B*8-1:0] m_data,
    output wire           m_last
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))
`REQUIRE(g_frac, FRAC >= 0 && FRAC <= 7, ("%m: FRAC = %0d must be 0 to 7", FRAC))
`REQUIRE(g_data, DATA >= 4 && DATA <= 8, ("%m: DATA = %0d must be 4 to 8", DATA))

`include "sigmoid8.vh"

localparam [9:0] HALF = 10'd1 << (8 - DATA);

wire [1:0] enable;
wire       pipe_ready;
wire       take = s_valid && label_valid && pipe_ready;
reg  [7:0] class_reg;
wire       last = class_reg == last_class;

assign s_ready = pipe_ready && label_valid;
assign label_ready = pipe_ready && s_valid && last;

pipe_control #(.STAGES(2)) pipe (
    .clk(clk),
    .rst(rst),
    .s_valid(s_valid && label_valid),
    .s_ready(pipe_ready),
    .m_valid(m_valid),
    .m_ready(m_ready),
    .enable(enable)
);

reg last_s0_reg;
reg last_s1_reg;
reg shares_s0_reg;

always @(posedge clk) begin
    if (take) class_reg <= last ? 8'd0 : class_reg + 8'd1;
    if (rst) class_reg <= 8'd0;
    if (enable[0]) last_s0_reg <= last;
    if (enable[0]) shares_s0_reg <= shares;
    if (enable[1]) last_s1_reg <= last_s0_reg;
end

assign m_last = last_s1_reg;

genvar l;

generate
    for (l = 0; l < B; l = l + 1) begin : g_lane
        // As it comes: the table is behind this register, as a word that was just read from memory comes late
        reg [7:0]      word_reg;
        reg            hit_reg;
        reg [DATA-1:0] delta_reg;

        // share - 128 * hit, -128 ... 128, with a bit below the point for the half that rounds; only the upper end
        // clips
        wire [7:0]     share = shares_s0_reg ? word_reg : SIGMOID8[{word_reg, 3'd0} +: 8];  // 0 ... 128
        wire [9:0]     exact = {hit_reg && !share[7], hit_reg != share[7], share[6:0], 1'b0};
        wire [9:0]     rounded = exact + HALF;
        wire           too_large = rounded[9:8] == 2'b01;
        wire           unused = &{1'b0, rounded};

        always @(posedge clk) begin
            if (enable[0]) begin
                word_reg <= s_data[l*8 +: 8];
                hit_reg <= label_data[l*8 +: 8] == class_reg;
            end
            if (enable[1]) delta_reg <= too_large ? {1'b0, {(DATA-1){1'b1}}} : rounded[8 -: DATA];
        end

        assign m_data[l*8 +: 8] = {{(9-DATA){delta_reg[DATA-1]}}, delta_reg[DATA-2:0]};
    end
endgenerate

endmodule
`resetall
