// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Parameters of a junction: a row of weights and the biases of its neurons per clock, read once for FF, BP and UP
 *
 * A row is read at s5 and registered once more, because a block RAM is slow. At s7 it goes to FF, BP and UP; what UP
 * makes of it is written back to the same row at the end of s8. Rows are loaded and dumped at run time (see row_bank).
 *
 * Latency: 2 clocks from the address (s5) to the row, 1 clock from the new row to the count of clipped parameters (s9).
 * A row per clock, no handshake. A row that is updated must not be read again within EDGE_SPAN_PASS - 1 clocks: the
 * schedule has no shorter passes.
 */
module junction_rows #(
    // Edges per clock (z)
    parameter Z = 8,
    // Right neurons per clock
    parameter P = 2,
    // Rows of Z weights
    parameter ROWS = 8,
    // Groups of P biases
    parameter GROUPS = 4,
    // Width of weights and biases in bits, signed
    parameter WIDTH = 12,
    // Width of a row number (derived)
    parameter RW = ROWS > 1 ? $clog2(ROWS) : 1,
    // Width of a group number (derived)
    parameter GW = GROUPS > 1 ? $clog2(GROUPS) : 1
) (
    input  wire               clk,
    input  wire               rst,

    // Row that FF or UP works on; first_*: first row of a group, whose biases are read too
    input  wire               row_s5,
    input  wire               first_s5,
    input  wire [RW-1:0]      row_addr_s5,
    input  wire [GW-1:0]      group_s5,
    output wire [Z*WIDTH-1:0] w_s7,
    output wire [P*WIDTH-1:0] b_s7,

    // New parameters (see up_unit)
    input  wire               up_s8,
    input  wire               first_s8,
    input  wire [Z*WIDTH-1:0] new_w_s8,
    input  wire [P*WIDTH-1:0] new_b_s8,
    input  wire [Z-1:0]       w_sat_s8,
    input  wire [P-1:0]       b_sat_s8,

    // Weights and biases that were clipped
    output wire [15:0]        sat_s9,

    // Run-time access to the weights or the biases (see row_bank); words sign-extended
    input  wire               cfg_weights,
    input  wire               cfg_biases,
    input  wire               cfg_shift,
    input  wire [31:0]        cfg_word,
    input  wire               cfg_write,
    input  wire               cfg_read,
    input  wire [15:0]        cfg_addr,
    output wire [31:0]        cfg_out
);

localparam SW = $clog2(Z + P + 1);

wire [RW-1:0]      row_addr_s8;
wire [GW-1:0]      group_s8;

delay_line #(
    .WIDTH(RW + GW),
    .DEPTH(3)
) addr_delay (
    .clk(clk),
    .rst(rst),
    .d({row_addr_s5, group_s5}),
    .q({row_addr_s8, group_s8})
);

wire [WIDTH-1:0] w_out;
wire [WIDTH-1:0] b_out;
wire [WIDTH-1:0] word_out = cfg_weights ? w_out : b_out;

assign cfg_out = {{32-WIDTH{word_out[WIDTH-1]}}, word_out};

row_bank #(
    .LANES(Z),
    .WIDTH(WIDTH),
    .DEPTH(ROWS),
    .BLOCK(1),
    .OUT_REG(1)
) weights (
    .clk(clk),
    .rd_en(row_s5),
    .rd_addr(row_addr_s5),
    .rd_data(w_s7),
    .wr_en(up_s8),
    .wr_addr(row_addr_s8),
    .wr_data(new_w_s8),
    .cfg_shift(cfg_shift && cfg_weights),
    .cfg_word(cfg_word[WIDTH-1:0]),
    .cfg_write(cfg_write && cfg_weights),
    .cfg_read(cfg_read && cfg_weights),
    .cfg_addr(cfg_addr[RW-1:0]),
    .cfg_out(w_out)
);

row_bank #(
    .LANES(P),
    .WIDTH(WIDTH),
    .DEPTH(GROUPS),
    .OUT_REG(1)
) biases (
    .clk(clk),
    .rd_en(row_s5 && first_s5),
    .rd_addr(group_s5),
    .rd_data(b_s7),
    .wr_en(up_s8 && first_s8),
    .wr_addr(group_s8),
    .wr_data(new_b_s8),
    .cfg_shift(cfg_shift && cfg_biases),
    .cfg_word(cfg_word[WIDTH-1:0]),
    .cfg_write(cfg_write && cfg_biases),
    .cfg_read(cfg_read && cfg_biases),
    .cfg_addr(cfg_addr[GW-1:0]),
    .cfg_out(b_out)
);

reg  [Z+P-1:0] sat_reg;
wire [SW-1:0]  sat_count;

always @(posedge clk) begin
    sat_reg <= {b_sat_s8 & {P{up_s8 && first_s8}}, w_sat_s8 & {Z{up_s8}}};
    if (rst) sat_reg <= {Z+P{1'b0}};
end

popcount #(
    .N(Z + P)
) sat_counter (
    .x(sat_reg),
    .count(sat_count)
);

assign sat_s9 = {{16-SW{1'b0}}, sat_count};

// Words and addresses are wider than the banks
wire unused = &{1'b0, cfg_word, cfg_addr};

endmodule
`resetall
