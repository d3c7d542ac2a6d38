// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * One lane of a processing element: the MAC of one image, its maximum, and its accumulator's way to Y
 *
 * Time is counted from d0, the clock in which the pixel stands on `x`; the control of d0 comes with it. `y`, the
 * accumulator of the same entry, is there in d3 for MAC and in the clock before d0 for GRAD and UNPOOL. The operands
 * are in registers in d1, their product in d2, the sum in d3, the word for Y in d4. A loaded byte that is there
 * in one clock (load_valid) is in `result` 2 clocks later; the entry that is in d2 in that clock must not need it.
 *
 * One entry per clock, no handshake, no reset: a sum begins with `first`. Control is registered once more in each lane,
 * so that 64 lanes hang on no wider net than the bits of one lane.
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

localparam [1:0] MAC = 2'd0, GRAD = 2'd1, MAX = 2'd2;
// Bits of a loaded byte after its shift, at most those of an accumulator
localparam LOAD = ACC < 23 ? ACC : 23;

// --- d1: operands ---

reg  [7:0] y_reg;
wire [7:0] operand = op == GRAD ? y_reg : op[0] ? {7'd0, y_reg == value} : value;

reg signed [7:0] a1_reg;
reg signed [7:0] b1_reg;
(* keep = "true" *) reg first1_reg;
(* keep = "true" *) reg fresh1_reg;
(* keep = "true" *) reg start1_reg;
(* keep = "true" *) reg compare1_reg;
(* keep = "true" *) reg [1:0] op1_reg;
(* keep = "true" *) reg clear1_reg;

always @(posedge clk) begin
    y_reg        <= y[7:0];
    a1_reg       <= x;
    b1_reg       <= skip ? 8'd0 : operand;
    first1_reg   <= first;
    start1_reg   <= first && skip;
    compare1_reg <= !skip;
    fresh1_reg   <= fresh;
    op1_reg      <= op;
    clear1_reg   <= clear;
end

// --- d2: product, maximum ---

reg signed [15:0] product2_reg;
reg signed [7:0]  best2_reg;
reg        [7:0]  index2_reg;
(* keep = "true" *) reg first2_reg;
reg [1:0]         op2_reg;
reg               clear2_reg;

always @(posedge clk) begin
    product2_reg <= a1_reg * b1_reg;
    if (start1_reg) begin
        best2_reg  <= -8'sd128;
        index2_reg <= 8'd0;
    end else if (compare1_reg && (fresh1_reg || a1_reg > best2_reg)) begin
        best2_reg  <= a1_reg;
        index2_reg <= b1_reg;
    end
    first2_reg <= first1_reg;
    op2_reg    <= op1_reg;
    clear2_reg <= clear1_reg;
end

// --- d3: sum; beside it what else may go to Y: a maximum, a loaded byte ---

reg  [ACC-1:0]  sum3_reg;
reg  [LOAD-1:0] other3_reg;
(* keep = "true" *) reg add_y3_reg;
(* keep = "true" *) reg other_reg;
(* keep = "true" *) reg clear3_reg;

wire [ACC-1:0]  product = {{(ACC-15){product2_reg[15]}}, product2_reg[14:0]};
wire [37:0]     shifted = {{30{load_byte[7]}}, load_byte} << load_shift;
wire [22:0]     maximum = {7'd0, index2_reg, best2_reg};
wire            unused  = &{1'b0, shifted, maximum};

always @(posedge clk) begin
    sum3_reg   <= (first2_reg ? {ACC{1'b0}} : sum3_reg) + product;
    other3_reg <= load_valid ? shifted[LOAD-1:0] : maximum[LOAD-1:0];
    other_reg  <= load_valid || op2_reg == MAX;
    add_y3_reg <= !load_valid && op2_reg == MAC;
    clear3_reg <= !load_valid && clear2_reg;
end

assign sum = sum3_reg;

// --- d4: the word for Y ---

reg  [ACC-1:0] result4_reg;
wire [ACC-1:0] other;

generate
    if (ACC > 23) begin : g_other
        assign other = {{(ACC-23){other3_reg[22]}}, other3_reg};
    end else begin : g_other
        assign other = other3_reg;
    end
endgenerate

always @(posedge clk) begin
    if (clear3_reg) result4_reg <= {ACC{1'b0}};
    else result4_reg <= (add_y3_reg ? y : {ACC{1'b0}}) + (other_reg ? other : sum3_reg);
end

assign result = result4_reg;

endmodule

`resetall
