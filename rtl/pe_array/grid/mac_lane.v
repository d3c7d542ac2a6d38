// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * One lane of a processing element: the MAC of one image, its maximum, and its accumulator's way to Y
 *
 * Latency: time is counted from d0, the clock in which the pixel stands on `x`; the control of d0 comes with it. `y`,
 * the accumulator of the same entry, is there in d3 for MAC and in the clock before d0 for GRAD and UNPOOL. The
 * operands are in registers in d1, their product in d2, the sum in d3, the word for Y in d4. A loaded byte that is
 * there in one clock (load_valid) is in `result` 2 clocks later; the entry that is in d2 in that clock must not need
 * it.
 *
 * One entry per clock, no handshake, no reset: a sum begins with `first`. A clock without an entry has `skip`, no
 * `first`, and the `op` of the entry before. What many bits hang on is registered once more in each lane.
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

    input  wire [ACC-1:0] y,           // word of Y: d3 (MAC) or one clock before d0 (GRAD, UNPOOL)

    input  wire           load_valid,  // a byte to be loaded: no result of a command is in the way
    input  wire [7:0]     load_byte,   // signed
    input  wire [3:0]     load_shift,  // bits to the left

    output wire [ACC-1:0] sum,         // d3: sum of products so far
    output wire [ACC-1:0] result       // d4: word for Y
);

`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))

// --- d1: operands ---

reg  [7:0] y_reg;
wire [7:0] operand = op == `ARRAY_OP_GRAD ? y_reg : op == `ARRAY_OP_UNPOOL ? {7'd0, y_reg == value} : value;

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
    y_reg        <= y[7:0];
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

wire better = compare1_reg && (fresh1_reg || a1_reg > best2_reg);

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

// --- d3: sum, which begins with 0 or, in MAX, with the maximum; beside it a loaded byte, shifted by 0 to 3 bits ---

reg  [ACC-1:0] sum3_reg;
reg  [10:0]    byte3_reg;
reg  [1:0]     nibbles3_reg;
(* keep = "true" *) reg load3_reg;
(* keep = "true" *) reg [1:0] low3_reg;   // what goes to the nibbles 0 to 2, and to 4 and above
(* keep = "true" *) reg [1:0] high3_reg;
(* keep = "true" *) reg [3:0] zero3_reg;  // nibbles 0, 1, 2, and all others, are 0
(* keep = "true" *) reg add_y3_reg;

wire [ACC-1:0] product = {{(ACC-15){product2_reg[15]}}, product2_reg[14:0]};
wire [ACC:0]   maximum = {{(ACC-15){1'b0}}, index2_reg, best2_reg};
wire           cleared = clear2_reg && !load_valid;

always @(posedge clk) begin
    sum3_reg     <= (set2_reg ? maximum[ACC-1:0] : sum3_reg) + product;
    byte3_reg    <= {{3{load_byte[7]}}, load_byte} << load_shift[1:0];
    nibbles3_reg <= load_shift[3:2];
    load3_reg    <= load_valid;
    low3_reg     <= !load_valid ? 2'd0 : load_shift[3] ? 2'd3 : load_shift[2] ? 2'd2 : 2'd1;
    high3_reg    <= !load_valid ? 2'd0 : load_shift[3] ? load_shift[3:2] : 2'd1;
    zero3_reg[0] <= cleared || (load_valid && load_shift[3:2] > 2'd0);
    zero3_reg[1] <= cleared || (load_valid && load_shift[3:2] > 2'd1);
    zero3_reg[2] <= cleared || (load_valid && load_shift[3:2] > 2'd2);
    zero3_reg[3] <= cleared;
    add_y3_reg   <= mac2_reg;
end

assign sum = sum3_reg;

// --- d4: the word for Y; a loaded byte goes to it by nibbles, the zeros below it are a reset ---

reg  [ACC-1:0] result4_reg;
wire [ACC-1:0] total = sum3_reg + (add_y3_reg ? y : {ACC{1'b0}});
wire [48:0]    other = {{(49-ACC){1'b0}}, total};
wire [3:0]     n0 = byte3_reg[3:0];
wire [3:0]     n1 = byte3_reg[7:4];
wire [3:0]     n2 = {byte3_reg[10], byte3_reg[10:8]};
wire [3:0]     sign = {4{byte3_reg[10]}};
reg  [3:0]     n3;
wire [48:0]    word;

always @* begin
    case (nibbles3_reg)
        2'd0: n3 = sign;
        2'd1: n3 = n2;
        2'd2: n3 = n1;
        default: n3 = n0;
    endcase
end

function [3:0] pick(input [1:0] which, input [3:0] a, input [3:0] b, input [3:0] c, input [3:0] d);
    pick = which[1] ? (which[0] ? d : c) : (which[0] ? b : a);
endfunction

assign word[3:0]   = pick(low3_reg, other[3:0], n0, n0, n0);
assign word[7:4]   = pick(low3_reg, other[7:4], n1, n0, n0);
assign word[11:8]  = pick(low3_reg, other[11:8], n2, n1, n0);
assign word[15:12] = load3_reg ? n3 : other[15:12];
assign word[19:16] = pick(high3_reg, other[19:16], sign, n2, n1);
assign word[23:20] = pick(high3_reg, other[23:20], sign, sign, n2);
assign word[48:24] = load3_reg ? {25{byte3_reg[10]}} : other[48:24];

wire unused = &{1'b0, maximum[ACC], word};

always @(posedge clk) begin
    result4_reg <= word[ACC-1:0];
    if (zero3_reg[0]) result4_reg[3:0] <= 4'd0;
    if (zero3_reg[1]) result4_reg[7:4] <= 4'd0;
    if (zero3_reg[2]) result4_reg[11:8] <= 4'd0;
    if (zero3_reg[3]) result4_reg[ACC-1:12] <= {(ACC-12){1'b0}};
end

assign result = result4_reg;

endmodule
`resetall
