// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Node of a tree that adds streams: takes a word of each child when both are there
 *
 * Sum modulo 2^32; valid/ready.
 *
 * Latency: 1 clock, one sum per clock.
 */
module gradient_node (
    input  wire        clk,
    // Synchronous, active high: forgets the sum
    input  wire        rst,
    // 1: at work; 0: takes nothing
    input  wire        on,

    // The two children
    input  wire        a_valid,
    input  wire        b_valid,
    input  wire [31:0] a_data,
    input  wire [31:0] b_data,
    // Both words are taken
    output wire        take,

    // Sum
    output wire        m_valid,
    input  wire        m_ready,
    output wire [31:0] m_data
);

reg        valid_reg;
reg [31:0] sum_reg;

assign take = on && a_valid && b_valid && (!valid_reg || m_ready);

always @(posedge clk) begin
    valid_reg <= take || (valid_reg && !m_ready);
    if (take) sum_reg <= a_data + b_data;
    if (rst) valid_reg <= 1'b0;
end

assign m_valid = valid_reg;
assign m_data = sum_reg;

endmodule
`resetall
