// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * One lane of a processing element: the MAC of one image, its maximum, and its accumulator's way to Y
 *
 * Latency: time is counted from d0, the clock in which the pixel stands on `x`; the control of d0 comes with it. `y`,
 * the accumulator of the same entry, is there in d3 for MAC and in d0 for GRAD and UNPOOL. Operands are in registers
 * in d1, their product in d2, the sum in d3, and with it the word for Y. A loaded byte that is there in one clock
 * (load_valid) is in `result` 2 clocks later; the entry that is in d1 in that clock must not need it.
 *
 * One entry per clock, no handshake, no reset: a sum begins with `first`. A clock without an entry has `skip`, no
 * `first`, no `clear`, and the `op` of the entry before. What many bits hang on is registered once more in each lane.
 *
 * Written for DSPs with a multiplier and an accumulator that begins with 0 or another word: in MAX, the maximum.
 */
module mac_lane #(
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32
) (
    input  wire           clk,

    // d0
    input  wire [7:0]     x,           // pixel, signed
    input  wire [1:0]     op,          // 0 MAC, 1 GRAD, 2 MAX, 3 UNPOOL
    input  wire           skip,        // the product counts as 0; no comparison
    input  wire           first,       // a sum, a window begins
    input  wire           fresh,       // nothing has been compared in this window
    input  wire           clear,       // the result is 0
    input  wire [7:0]     value,       // MAC: weight, signed; MAX, UNPOOL: index of the pixel in its window

    input  wire [ACC-1:0] y,           // word of Y: d3 (MAC) or d0 (GRAD, UNPOOL)

    input  wire           load_valid,  // a byte to be loaded: no result of a command is in the way
    input  wire [7:0]     load_byte,   // signed
    input  wire [3:0]     load_shift,  // bits to the left

    output wire [ACC-1:0] sum,         // d3: sum of products so far
    output wire [ACC-1:0] result       // d3: word for Y
);

`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))

// --- d1: operands ---

wire [7:0] operand = op == `ARRAY_OP_GRAD ? y[7:0] : op == `ARRAY_OP_UNPOOL ? {7'd0, y[7:0] == value} : value;

reg signed [7:0] a1_reg;
reg signed [7:0] b1_reg;
reg        [7:0] value1_reg;
reg              mac1_reg;
reg              max1_reg;
reg              clear1_reg;
(* keep = "true" *) reg set1_reg;
(* keep = "true" *) reg fresh1_reg;
(* keep = "true" *) reg start1_reg;
(* keep = "true" *) reg compare1_reg;

always @(posedge clk) begin
    a1_reg       <= x;
    b1_reg       <= skip || op == `ARRAY_OP_MAX ? 8'd0 : operand;
    value1_reg   <= value;
    mac1_reg     <= op == `ARRAY_OP_MAC;
    max1_reg     <= op == `ARRAY_OP_MAX;
    clear1_reg   <= clear;
    set1_reg     <= first || op == `ARRAY_OP_MAX;
    start1_reg   <= first && skip;
    compare1_reg <= !skip;
    fresh1_reg   <= fresh;
end

// --- d2: product, maximum (0 but in MAX) ---

reg signed [15:0] product2_reg;
reg signed [7:0]  best2_reg;
reg        [7:0]  index2_reg;
(* keep = "true" *) reg set2_reg;
reg               mac2_reg;
reg               clear2_reg;

// Its sign: the pixel is larger
wire [8:0] below  = {best2_reg[7], best2_reg} - {a1_reg[7], a1_reg};
wire       better = compare1_reg && (fresh1_reg || below[8]);

always @(posedge clk) begin
    product2_reg <= a1_reg * b1_reg;
    if (!max1_reg || start1_reg) begin
        best2_reg  <= {max1_reg, 7'd0};
        index2_reg <= 8'd0;
    end else if (better) begin
        best2_reg  <= a1_reg;
        index2_reg <= value1_reg;
    end
    set2_reg   <= set1_reg;
    mac2_reg   <= mac1_reg;
    clear2_reg <= clear1_reg;
end

// --- d3: sum, which begins with 0 or, in MAX, with the maximum; with the accumulator it is the word for Y ---

reg  [ACC-1:0] sum3_reg;
(* keep = "true" *) reg add_y3_reg;

wire [ACC-1:0] product = {{(ACC-15){product2_reg[15]}}, product2_reg[14:0]};
wire [ACC:0]   maximum = {{(ACC-15){1'b0}}, index2_reg, best2_reg};

always @(posedge clk) begin
    sum3_reg   <= (set2_reg ? maximum[ACC-1:0] : sum3_reg) + product;
    add_y3_reg <= mac2_reg && !clear2_reg;
    if (clear2_reg) sum3_reg <= {ACC{1'b0}};
end

assign sum = sum3_reg;

// --- beside it: a loaded byte, shifted by 0 to 3 bits and then by nibbles ---

reg  [10:0] byte_reg;
reg  [1:0]  nibbles_reg;
reg  [22:0] loaded_reg;
reg         load1_reg;
(* keep = "true" *) reg load2_reg;

always @(posedge clk) begin
    byte_reg    <= {{3{load_byte[7]}}, load_byte} << load_shift[1:0];
    nibbles_reg <= load_shift[3:2];
    loaded_reg  <= {{12{byte_reg[10]}}, byte_reg} << {nibbles_reg, 2'b00};
    load1_reg   <= load_valid;
    load2_reg   <= load1_reg;
end

wire [48:0] loaded = {{26{loaded_reg[22]}}, loaded_reg};

// (a loaded word goes through the adder, beside 0: a choice behind it would make the longest path of a PE longer)
wire [ACC-1:0] beside = load2_reg ? loaded[ACC-1:0] : add_y3_reg ? y : {ACC{1'b0}};

assign result = (load2_reg ? {ACC{1'b0}} : sum3_reg) + beside;

wire unused = &{1'b0, below, maximum[ACC], loaded};

endmodule
`resetall
