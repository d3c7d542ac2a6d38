// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "edge_registers.vh"
/*
 * Activation and derivative of one neuron
 *
 * The sigmoid comes from a read-only table over the top A = min(WIDTH, 12) bits of the sum, addressed by
 * the two's complement index; each word holds {derivative, activation}, FRAC+1 bits each.
 *
 * Latency: 2 clocks. A new sum is taken every clock.
 */
module activation_function #(
    // Width of sums and activations in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Activation, a code of edge_registers.vh
    parameter ACTIVATION = 0,
    // Hex file of the sigmoid table, 2^A words; unused for others
    parameter SIGMOID_FILE = "sigmoid.hex"
) (
    input  wire             clk,

    input  wire [WIDTH-1:0] s,       // rounded sum
    output wire [WIDTH-1:0] a,       // activation, 2 clocks later
    output wire [FRAC:0]    d        // derivative, 0 to 1.0, unsigned Q1.FRAC, 2 clocks later
);

localparam [3:0] CODE = ACTIVATION[3:0];

`REQUIRE(g_activation, CODE == `EDGE_ACTIVATION_SIGMOID || CODE == `EDGE_ACTIVATION_RELU,
         ("%m: ACTIVATION = %0d is no code of edge_registers.vh", ACTIVATION))

reg [FRAC:0] d_reg;

assign d = d_reg;

generate
    if (CODE == `EDGE_ACTIVATION_RELU) begin : g_relu
        reg             positive_reg;
        reg [WIDTH-2:0] s_reg;
        reg [WIDTH-2:0] a_reg;

        always @(posedge clk) begin
            positive_reg <= !s[WIDTH-1] && |s;
            s_reg <= s[WIDTH-2:0];
            a_reg <= positive_reg ? s_reg : {WIDTH-1{1'b0}};
            d_reg <= {positive_reg, {FRAC{1'b0}}};
        end

        assign a = {1'b0, a_reg};
    end else begin : g_sigmoid
        localparam A = (WIDTH < 12) ? WIDTH : 12;

        reg [2*FRAC+1:0] rom [0:(1<<A)-1];
        reg [2*FRAC+1:0] word_reg;
        reg [FRAC:0]     a_reg;

        initial $readmemh(SIGMOID_FILE, rom);

        always @(posedge clk) begin
            word_reg <= rom[s[WIDTH-1 -: A]];
            a_reg <= word_reg[FRAC:0];
            d_reg <= word_reg[2*FRAC+1:FRAC+1];
        end

        assign a = {{WIDTH-FRAC-1{1'b0}}, a_reg};

        // Words wider than the table's address: their last bits
        wire unused = &{1'b0, s};
    end
endgenerate

endmodule
`resetall
