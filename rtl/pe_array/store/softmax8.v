// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Softmax over the classes of every image of a batch
 *
 * The logits of a batch come three times, class by class, from class 0 to last_class: for the maxima, for the sums of
 * the exponentials exp(logit - maximum), and for the shares of these sums. So no logit is kept here, and neither is an
 * exponential: both would be as many words as there are classes. Shares are divided bit by bit, because that takes one
 * subtractor per lane, and a batch comes once in a step.
 *
 * Latency: a word of the third pass is at the output 9 clocks after the one in which it is taken, and the next one 8
 * clocks later. Words of the first two passes are taken one per clock. The first word of a batch waits for the end of
 * the one before.
 */
module softmax8 #(
    // Lanes: images of the batch, a power of two, 4 ... 64
    parameter B = 32,
    // Fraction bits of the logits, 0 ... 7
    parameter FRAC = 4
) (
    input  wire           clk,
    // Synchronous, active high: forgets the words inside and starts at class 0 of the first pass
    input  wire           rst,

    // Number of classes less 1; constant from the first word of a batch to its last
    input  wire [7:0]     last_class,

    // Logits, signed bytes with FRAC fraction bits, image 0 in the low bits
    input  wire           s_valid,
    output wire           s_ready,
    input  wire [B*8-1:0] s_data,

    // Shares, 0 ... 128, in units of 2^-7, of the classes in their order
    output wire           m_valid,
    input  wire           m_ready,
    output wire [B*8-1:0] m_data
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))
`REQUIRE(g_frac, FRAC >= 0 && FRAC <= 7, ("%m: FRAC = %0d must be 0 to 7", FRAC))

`include "exp16.vh"

// Passes
localparam [1:0] MAXIMA = 2'd0;
localparam [1:0] SUMS = 2'd1;
localparam [1:0] SHARES = 2'd2;

reg  [1:0] pass_reg;
reg  [7:0] class_reg;
reg        sum_reg;      // stage 0 holds exponentials to be added
reg        first_reg;    // those of class 0
reg        share_reg;    // stage 0 holds exponentials to be divided
reg  [2:0] step_reg;     // the bit of the quotients that is next; 0: a division may begin
reg        valid_reg;    // the quotients are complete

wire shares = pass_reg == SHARES;
wire last = class_reg == last_class;
wire running = step_reg != 3'd0;
wire start = share_reg && !running && (!valid_reg || m_ready);
wire divide = start || running;
wire occupied = share_reg || running || valid_reg;
wire take = s_valid && s_ready;

assign s_ready = shares ? !share_reg || start : pass_reg == SUMS || !occupied;
assign m_valid = valid_reg;

always @(posedge clk) begin
    if (take) begin
        class_reg <= last ? 8'd0 : class_reg + 8'd1;
        if (last) pass_reg <= shares ? MAXIMA : pass_reg + 2'd1;
    end
    sum_reg <= take && pass_reg == SUMS;
    first_reg <= class_reg == 8'd0;
    share_reg <= (take && shares) || (share_reg && !start);
    if (divide) step_reg <= step_reg + 3'd1;
    valid_reg <= step_reg == 3'd7 || (valid_reg && !m_ready);
    if (rst) begin
        pass_reg <= MAXIMA;
        class_reg <= 8'd0;
        sum_reg <= 1'b0;
        share_reg <= 1'b0;
        step_reg <= 3'd0;
        valid_reg <= 1'b0;
    end
end

genvar l;

generate
    for (l = 0; l < B; l = l + 1) begin : g_lane
        reg  [7:0]  maximum_reg;
        // Of the word in stage 0; the table is behind this register, as a word just read from memory comes late
        reg  [7:0]  below_reg;
        wire [15:0] exponential = EXP16[{below_reg, 4'd0} +: 16];
        // At most 256*65535
        reg  [23:0] total_reg;
        // No larger than the total
        reg  [23:0] rest_reg;
        reg  [7:0]  quotient_reg;

        wire [7:0]  logit = s_data[l*8 +: 8];
        wire        larger = $signed(logit) > $signed(maximum_reg);
        wire [24:0] twice = {running ? rest_reg : {8'd0, exponential}, 1'b0};
        wire [25:0] difference = {1'b0, twice} - {2'd0, total_reg};
        wire        fits = !difference[25];
        wire        unused = &{1'b0, difference[24]};

        always @(posedge clk) begin
            if (take && pass_reg == MAXIMA && (class_reg == 8'd0 || larger)) maximum_reg <= logit;
            if (take) below_reg <= maximum_reg - logit;
            if (sum_reg) total_reg <= (first_reg ? 24'd0 : total_reg) + {8'd0, exponential};
            if (divide) begin
                rest_reg <= fits ? difference[23:0] : twice[23:0];
                quotient_reg <= {quotient_reg[6:0], fits};
            end
        end

        // Half up
        assign m_data[l*8 +: 8] = {1'b0, quotient_reg[7:1]} + {7'd0, quotient_reg[0]};
    end
endgenerate

endmodule
`resetall
