// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Parameters of a junction: a row of weights and the biases of its neurons per clock, read once for FF, BP and UP
 *
 * A row is read at s8. At s9 it goes to FF and BP, the updates are added to it, and what comes out is written back to
 * the same row at the end of that clock. Rows are loaded and dumped at run time (see row_bank).
 *
 * Latency: 1 clock from the address (s8) to the row, 1 clock from the row to the count of clipped parameters (s10).
 * A row per clock, no handshake; the same row must not come twice running (see weight_bank).
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
    // Fraction bits
    parameter FRAC = 8,
    // Width of a row number (derived)
    parameter RW = ROWS > 1 ? $clog2(ROWS) : 1,
    // Width of a group number (derived)
    parameter GW = GROUPS > 1 ? $clog2(GROUPS) : 1,
    // Width of a weight update (derived)
    parameter UW = 2 * WIDTH - FRAC,
    // Width of a bias update (derived)
    parameter BW = WIDTH + 1
) (
    input  wire               clk,
    input  wire               rst,

    // Row that FF or UP works on; first_*: first row of a group, whose biases are read too
    input  wire               row_s8,
    input  wire               first_s8,
    input  wire [RW-1:0]      row_addr_s8,
    input  wire [GW-1:0]      group_s8,
    output wire [Z*WIDTH-1:0] w_s9,
    output wire [P*WIDTH-1:0] b_s9,

    // Updates (see up_unit)
    input  wire [Z*UW-1:0]    upd_s8,
    input  wire [P*BW-1:0]    bias_upd_s8,
    input  wire               up_s9,
    input  wire               first_s9,
    // Weights and biases that were clipped
    output wire [15:0]        sat_s10,

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

reg [Z*UW-1:0] upd_s9_reg;
reg [P*BW-1:0] bias_upd_s9_reg;

always @(posedge clk) begin
    upd_s9_reg <= upd_s8;
    bias_upd_s9_reg <= bias_upd_s8;
end

wire [WIDTH-1:0] w_out;
wire [WIDTH-1:0] b_out;
wire [WIDTH-1:0] word_out = cfg_weights ? w_out : b_out;
wire [Z-1:0]     w_sat;
wire [P-1:0]     b_sat;

assign cfg_out = {{32-WIDTH{word_out[WIDTH-1]}}, word_out};

weight_bank #(
    .LANES(Z),
    .WIDTH(WIDTH),
    .UPD_WIDTH(UW),
    .DEPTH(ROWS),
    .BLOCK(1)
) weights (
    .clk(clk),
    .rd_en(row_s8),
    .rd_addr(row_addr_s8),
    .rd_data(w_s9),
    .upd_valid(up_s9),
    .upd(upd_s9_reg),
    .upd_sat(w_sat),
    .cfg_shift(cfg_shift && cfg_weights),
    .cfg_word(cfg_word[WIDTH-1:0]),
    .cfg_write(cfg_write && cfg_weights),
    .cfg_read(cfg_read && cfg_weights),
    .cfg_addr(cfg_addr),
    .cfg_out(w_out)
);

weight_bank #(
    .LANES(P),
    .WIDTH(WIDTH),
    .UPD_WIDTH(BW),
    .DEPTH(GROUPS)
) biases (
    .clk(clk),
    .rd_en(row_s8 && first_s8),
    .rd_addr(group_s8),
    .rd_data(b_s9),
    .upd_valid(up_s9 && first_s9),
    .upd(bias_upd_s9_reg),
    .upd_sat(b_sat),
    .cfg_shift(cfg_shift && cfg_biases),
    .cfg_word(cfg_word[WIDTH-1:0]),
    .cfg_write(cfg_write && cfg_biases),
    .cfg_read(cfg_read && cfg_biases),
    .cfg_addr(cfg_addr),
    .cfg_out(b_out)
);

reg  [Z+P-1:0] sat_reg;
wire [SW-1:0]  sat_count;

always @(posedge clk) begin
    sat_reg <= {b_sat, w_sat};
    if (rst) sat_reg <= {Z+P{1'b0}};
end

popcount #(
    .N(Z + P)
) sat_counter (
    .x(sat_reg),
    .count(sat_count)
);

assign sat_s10 = {{16-SW{1'b0}}, sat_count};

// Words are wider than a parameter
wire unused = &{1'b0, cfg_word};

endmodule
`resetall
