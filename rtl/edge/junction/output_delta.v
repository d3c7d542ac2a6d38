// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Deltas of the output layer: sigmoid with cross-entropy, activation minus one-hot label
 *
 * Activations are written in natural order as feedforward makes them, with the label of their sample.
 * A pass asks for its groups with rd_* (see natural_bank).
 *
 * Latency: 1 clock from `wr_valid` to the write, 5 clocks from `rd_en` to `delta`.
 */
module output_delta #(
    // Neurons per group
    parameter P = 1,
    // Groups per frame
    parameter GROUPS = 8,
    // Frames held
    parameter SLOTS = 3,
    // Width of activations and deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               wr_valid,
    input  wire               wr_last,
    input  wire [P*WIDTH-1:0] wr_act,
    input  wire [15:0]        label,     // with wr_valid: class of the sample

    input  wire               rd_start,
    input  wire               rd_token,
    input  wire               rd_en,
    input  wire               rd_step,

    output wire [P*WIDTH-1:0] delta
);

localparam [WIDTH-1:0] ONE = 1 << FRAC;

reg  [15:0]        neuron_reg;    // first neuron of the group being written
reg                valid_reg;
reg                last_reg;
wire [P*WIDTH-1:0] delta_wr;
wire [P*WIDTH-1:0] delta_s1;

always @(posedge clk) begin
    valid_reg <= wr_valid;
    last_reg <= wr_last;
    if (wr_valid) begin
        neuron_reg <= wr_last ? 16'd0 : neuron_reg + P[15:0];
    end
    if (rst) begin
        valid_reg <= 1'b0;
        neuron_reg <= 16'd0;
    end
end

genvar p;

generate
    for (p = 0; p < P; p = p + 1) begin : g_neuron
        reg  [WIDTH-1:0] delta_reg;
        wire             hit = label == neuron_reg + p;

        always @(posedge clk) begin
            delta_reg <= wr_act[p*WIDTH +: WIDTH] - (hit ? ONE : {WIDTH{1'b0}});
        end

        assign delta_wr[p*WIDTH +: WIDTH] = delta_reg;
    end
endgenerate

natural_bank #(
    .WIDTH(P*WIDTH),
    .GROUPS(GROUPS),
    .SLOTS(SLOTS)
) deltas (
    .clk(clk),
    .rst(rst),
    .wr_valid(valid_reg),
    .wr_last(last_reg),
    .wr_data(delta_wr),
    .rd_start(rd_start),
    .rd_token(rd_token),
    .rd_en(rd_en),
    .rd_step(rd_step),
    .rd_data(delta_s1)
);

delay_line #(
    .WIDTH(P*WIDTH),
    .DEPTH(4)
) delta_delay (
    .clk(clk),
    .rst(rst),
    .d(delta_s1),
    .q(delta)
);

endmodule
`resetall
