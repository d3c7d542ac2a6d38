// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Feedforward: weights times activations, summed per right neuron, biased, rounded, activated
 *
 * Z products per clock. Z >= FI: P = Z/FI neurons complete every clock; Z < FI: one neuron completes
 * every Q = FI/Z clocks. Sums are exact and are rounded and saturated once.
 *
 * Latency: 5+T clocks from `valid` to `out_valid`, T = floor(clog2(min(FI, Z))/2) + 1, or 0 without a tree
 * (docs/edge/junction.md: s7 to s12+T). Takes Z edges every clock, no handshake.
 */
module ff_unit #(
    // Edges per clock
    parameter Z = 8,
    // Fan-in of a right neuron; divides Z or is a multiple of it
    parameter FI = 4,
    // Width of weights, biases and activations in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Activation, a code of edge_registers.vh
    parameter ACTIVATION = 0,
    // Hex file of the sigmoid table
    parameter SIGMOID_FILE = "sigmoid.hex",
    // Right neurons that complete together (derived)
    parameter P = (Z >= FI) ? Z / FI : 1,
    // Width of the saturation count (derived)
    parameter SAT_WIDTH = $clog2(P + 1)
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  valid,      // Z edges in this clock
    input  wire                  first,      // first clock of a neuron
    input  wire                  last,       // last clock of a neuron
    input  wire                  frame_last, // last clock of the last neuron of the layer
    input  wire [Z*WIDTH-1:0]    w,          // weights
    input  wire [Z*WIDTH-1:0]    act,        // left activations, on the lanes of their edges
    input  wire [P*WIDTH-1:0]    bias,       // biases of the neurons, with `first`

    output wire                  out_valid,  // P neurons
    output wire                  out_last,   // the last ones of the layer
    output wire [P*WIDTH-1:0]    out_act,    // activations
    output wire [P*(FRAC+1)-1:0] out_deriv,  // derivatives, unsigned Q1.FRAC
    output wire [SAT_WIDTH-1:0]  sat         // neurons whose sum was clipped in the clock before
);

localparam NT = Z / P;
localparam LEVELS = $clog2(NT);
localparam T = LEVELS > 0 ? LEVELS / 2 + 1 : 0;
localparam PROD = 2 * WIDTH;
localparam TREE = PROD + LEVELS;
localparam SUM = PROD + $clog2(FI);

// s8: products
wire [Z*PROD-1:0] prod;

genvar l;

generate
    for (l = 0; l < Z; l = l + 1) begin : g_lane
        wire signed [WIDTH-1:0] wl = w[l*WIDTH +: WIDTH];
        wire signed [WIDTH-1:0] al = act[l*WIDTH +: WIDTH];
        reg  signed [PROD-1:0]  prod_reg;

        always @(posedge clk) begin
            prod_reg <= wl * al;
        end

        assign prod[l*PROD +: PROD] = prod_reg;
    end
endgenerate

// Control and biases travel with the tree to s8+T
wire [3:0]         ctl;
wire               tree_valid = ctl[3];
wire               tree_first = ctl[2];
wire               tree_last = ctl[1];
wire               tree_frame = ctl[0];
wire [P*WIDTH-1:0] tree_bias;

delay_line #(
    .WIDTH(4),
    .DEPTH(1+T),
    .RESET(1)
) ctl_delay (
    .clk(clk),
    .rst(rst),
    .d({valid, first, last, frame_last}),
    .q(ctl)
);

delay_line #(
    .WIDTH(P*WIDTH),
    .DEPTH(1+T)
) bias_delay (
    .clk(clk),
    .rst(rst),
    .d(bias),
    .q(tree_bias)
);

// s9+T: accumulator valid; s10+T: rounded; s11+T, s12+T: activation function
reg [3:0] valid_reg;
reg [3:0] last_reg;

always @(posedge clk) begin
    valid_reg <= {valid_reg[2:0], tree_valid && tree_last};
    last_reg <= {last_reg[2:0], tree_frame};
    if (rst) begin
        valid_reg <= 4'd0;
    end
end

reg [P-1:0] clipped_reg;

genvar p;

generate
    for (p = 0; p < P; p = p + 1) begin : g_neuron
        wire [TREE-1:0] tree;

        adder_tree #(
            .N(NT),
            .WIDTH(PROD),
            .REG_EVERY(2),
            .FIRST(1)
        ) sum_tree (
            .clk(clk),
            .x(prod[p*NT*PROD +: NT*PROD]),
            .sum(tree)
        );

        reg  [SUM-1:0]   acc_reg;
        wire [WIDTH-1:0] b = tree_bias[p*WIDTH +: WIDTH];
        wire [SUM-1:0]   base = tree_first ? {{SUM-WIDTH-FRAC{b[WIDTH-1]}}, b, {FRAC{1'b0}}} : acc_reg;
        wire [SUM-1:0]   term;
        reg  [WIDTH-1:0] s_reg;
        wire [WIDTH-1:0] s;
        wire             hi, lo;

        if (SUM > TREE) begin : g_term
            assign term = {{SUM-TREE{tree[TREE-1]}}, tree};
        end else begin : g_term
            assign term = tree;
        end

        round_sat #(
            .IN_WIDTH(SUM),
            .SHIFT(FRAC),
            .OUT_WIDTH(WIDTH)
        ) round (
            .x(acc_reg),
            .r({1'b1, {FRAC-1{1'b0}}}),
            .y(s),
            .sat_hi(hi),
            .sat_lo(lo)
        );

        always @(posedge clk) begin
            if (tree_valid) begin
                acc_reg <= base + term;
            end
            s_reg <= s;
        end

        activation_function #(
            .WIDTH(WIDTH),
            .FRAC(FRAC),
            .ACTIVATION(ACTIVATION),
            .SIGMOID_FILE(SIGMOID_FILE)
        ) f (
            .clk(clk),
            .s(s_reg),
            .a(out_act[p*WIDTH +: WIDTH]),
            .d(out_deriv[p*(FRAC+1) +: FRAC+1])
        );

        always @(posedge clk) clipped_reg[p] <= valid_reg[0] && (hi || lo) && !rst;
    end
endgenerate

popcount #(
    .N(P)
) sat_count (
    .x(clipped_reg),
    .count(sat)
);

assign out_valid = valid_reg[3];
assign out_last = last_reg[3];

endmodule
`resetall
