// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Number of ones in a vector
 *
 * Combinational.
 */
module popcount #(
    // Bits to count, at least 1
    parameter N = 16
) (
    input  wire [N-1:0]           x,
    // 0 ... N
    output wire [$clog2(N+1)-1:0] count
);

`REQUIRE(g_n, N >= 1, ("%m: N = %0d must be at least 1", N))

localparam COUNT_WIDTH = $clog2(N + 1);
localparam [COUNT_WIDTH-1:0] ONE = 1;
localparam [COUNT_WIDTH-1:0] NONE = 0;

reg [COUNT_WIDTH-1:0] ones;
integer i;

always @* begin
    ones = NONE;
    for (i = 0; i < N; i = i + 1) ones = ones + (x[i] ? ONE : NONE);
end

assign count = ones;

endmodule
`resetall
