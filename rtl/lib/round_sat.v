// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Round and saturate
 *
 * y = clip(floor((x + r) / 2^SHIFT)) to the signed OUT_WIDTH-bit range. The addend r chooses the rounding:
 * 2^(SHIFT-1) rounds half up, 0 rounds down, a random r rounds stochastically. x + r is exact.
 * Combinational.
 */
module round_sat #(
    // Bits of the signed input
    parameter IN_WIDTH = 24,
    // Fraction bits to drop, at least 1
    parameter SHIFT = 8,
    // Bits of the signed output
    parameter OUT_WIDTH = 12
) (
    // Signed value to round
    input  wire [IN_WIDTH-1:0]  x,
    // Unsigned addend in units of the bits to drop
    input  wire [SHIFT-1:0]     r,
    // Signed rounded value
    output wire [OUT_WIDTH-1:0] y,
    // y was clipped to the largest value
    output wire                 sat_hi,
    // y was clipped to the smallest value
    output wire                 sat_lo
);

`REQUIRE(g_in_width, IN_WIDTH >= 1, ("%m: IN_WIDTH = %0d must be at least 1", IN_WIDTH))
`REQUIRE(g_shift, SHIFT >= 1, ("%m: SHIFT = %0d must be at least 1", SHIFT))
`REQUIRE(g_out_width, OUT_WIDTH >= 1, ("%m: OUT_WIDTH = %0d must be at least 1", OUT_WIDTH))

// One bit more than the wider of x and {0, r}: the sum cannot overflow
localparam SUM_WIDTH = (IN_WIDTH > SHIFT + 1 ? IN_WIDTH : SHIFT + 1) + 1;

wire signed [SUM_WIDTH-1:0] sum = $signed({{(SUM_WIDTH-IN_WIDTH){x[IN_WIDTH-1]}}, x})
                                + $signed({{(SUM_WIDTH-SHIFT){1'b0}}, r});
wire signed [SUM_WIDTH-1:0] rounded = sum >>> SHIFT;
wire                        negative = rounded[SUM_WIDTH-1];

generate
    if (SUM_WIDTH > OUT_WIDTH) begin : g_clip
        // The value fits where all bits from the output's sign bit upward are equal
        wire [SUM_WIDTH-OUT_WIDTH:0] top = rounded[SUM_WIDTH-1:OUT_WIDTH-1];

        assign sat_hi = !negative && (|top);
        assign sat_lo = negative && !(&top);
        if (OUT_WIDTH > 1) begin : g_wide
            assign y = sat_hi || sat_lo ? {negative, {(OUT_WIDTH-1){!negative}}} : rounded[OUT_WIDTH-1:0];
        end else begin : g_bit
            assign y = negative;
        end
    end else begin : g_extend
        assign sat_hi = 1'b0;
        assign sat_lo = 1'b0;
        assign y = {{(OUT_WIDTH-SUM_WIDTH+1){negative}}, rounded[SUM_WIDTH-2:0]};
    end
endgenerate

endmodule
`resetall
