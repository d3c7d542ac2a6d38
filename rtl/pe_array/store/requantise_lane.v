// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * One lane of requantise: shift, round, saturate, ReLU, mask
 *
 * The accumulator is shifted with 16 bits kept below the point. An addend of 16 bits then rounds any shift: 2^15 half
 * up, a random word stochastically (aligned to the top as it is, it carries exactly where its top bits, aligned to the
 * dropped bits, would).
 *
 * Latency: 3 clocks, one per enable; no handshake of its own.
 */
module requantise_lane #(
    // Bits of the accumulator, 16 ... 48
    parameter ACC = 32,
    // Bits of a result, 4 ... 8
    parameter DATA = 8
) (
    input  wire           clk,
    // Loads of the three stages
    input  wire [2:0]     enable,

    // Stage 0: signed accumulator
    input  wire [ACC-1:0] acc,
    // Stage 0: take byte 0, byte 1 in its place, sign-extended
    input  wire           value_byte,
    input  wire           index_byte,
    // Stage 0: addend of the rounding, in units of 2^-16 of the result's last bit
    input  wire [15:0]    addend,
    // Stage 1: bits to drop
    input  wire [4:0]     shift,
    // Stage 2: the byte is an index, which has 8 bits whatever DATA is
    input  wire           index,
    // Stage 2: negative results become 0; all results do
    input  wire           relu,
    input  wire           zero,

    // Signed result of DATA bits, sign-extended, or an index
    output wire [7:0]     y,
    // It was clipped, before ReLU and zero
    output wire           clipped
);

`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))
`REQUIRE(g_data, DATA >= 4 && DATA <= 8, ("%m: DATA = %0d must be 4 to 8", DATA))

// More integer bits than these do not change what is clipped
localparam INT = 9;

reg [ACC-1:0] word_reg;
reg [15:0]    addend_reg;

always @(posedge clk) begin
    if (enable[0]) begin
        word_reg <= index_byte ? {{(ACC-8){acc[15]}}, acc[15:8]}
                  : value_byte ? {{(ACC-8){acc[7]}}, acc[7:0]} : acc;
        addend_reg <= addend;
    end
end

wire signed [ACC+15:0] extended = {word_reg, 16'd0};
wire        [ACC+15:0] shifted = extended >>> shift;
wire                   negative = shifted[ACC+15];
wire                   fits = shifted[ACC+15:INT+15] == {(ACC-INT+1){negative}};

reg [INT+15:0] point_reg;
reg [15:0]     round_reg;

always @(posedge clk) begin
    if (enable[1]) begin
        point_reg <= fits ? shifted[INT+15:0] : {negative, {(INT+15){!negative}}};
        round_reg <= addend_reg;
    end
end

wire [DATA-1:0] rounded;
wire            sat_hi;
wire            sat_lo;

round_sat #(
    .IN_WIDTH(INT + 16),
    .SHIFT(16),
    .OUT_WIDTH(DATA)
) round_sat (
    .x(point_reg),
    .r(round_reg),
    .y(rounded),
    .sat_hi(sat_hi),
    .sat_lo(sat_lo)
);

reg [7:0] y_reg;
reg       clipped_reg;

always @(posedge clk) begin
    if (enable[2]) begin
        y_reg <= index ? point_reg[23:16]
               : zero || (relu && rounded[DATA-1]) ? 8'd0
               : {{(9-DATA){rounded[DATA-1]}}, rounded[DATA-2:0]};
        clipped_reg <= !index && (sat_hi || sat_lo);
    end
end

assign y = y_reg;
assign clipped = clipped_reg;

endmodule
`resetall
