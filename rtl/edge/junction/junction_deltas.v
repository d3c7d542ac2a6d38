// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Right deltas of a junction: kept or computed, scaled by the learning rate, in time for UP and BP
 *
 * The deltas of the output layer are kept since FF (output_delta); those of a hidden layer are made from the BP sums
 * that the junction to the right has, and from the derivatives kept since FF (hidden_delta).
 *
 * Latency: from the row (s0): scaled deltas 6 clocks, deltas 7 clocks; right_sum belongs to the row of 2 clocks before,
 * sat to that of 3 clocks before. A row per clock, no handshake.
 */
module junction_deltas #(
    // 1: the right layer is the output
    parameter IS_LAST = 0,
    // Right neurons per clock
    parameter P = 2,
    // Groups of P right neurons
    parameter GROUPS = 4,
    // Frames of derivatives (output: deltas) held
    parameter SLOTS = 8,
    // Width of deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Largest learning-rate shift
    parameter LR_MAX = 8,
    // Width of a BP sum of the right layer in bits (unused at the output)
    parameter SUM_WIDTH = 26,
    // Width of a scaled delta (derived)
    parameter DW = WIDTH + LR_MAX + 1
) (
    input  wire                   clk,
    input  wire                   rst,

    // Passes: pulse before the first row; the learning rate is 2^-lr_shift, from pass_start on
    input  wire                   pass_start,
    input  wire                   up_token,
    input  wire [4:0]             lr_shift,

    // Rows: a row for UP, the first and the last one of a group
    input  wire                   up_s0,
    input  wire                   first_s0,
    input  wire                   last_s0,

    // Right layer, from FF
    input  wire                   wr_valid,
    input  wire                   wr_last,    // with wr_valid: last group of the layer
    input  wire [P*WIDTH-1:0]     wr_act,
    input  wire [P*(FRAC+1)-1:0]  wr_deriv,   // unsigned Q1.FRAC
    input  wire [15:0]            label,      // output: class of the sample, with wr_valid

    // BP sums of the right layer, 2 clocks after they were asked for
    output wire                   rd_en,
    output wire                   rd_step,
    input  wire [P*SUM_WIDTH-1:0] sum_s2,

    // Negated and multiplied by 2^(LR_MAX-lr_shift)
    output wire [P*DW-1:0]        scaled_s6,
    output wire [P*WIDTH-1:0]     delta_s7,

    // Right neurons whose BP sum was clipped in the clock before
    output wire [15:0]            sat_s3
);

wire [P*WIDTH-1:0] delta_s5;

assign rd_en = up_s0;
assign rd_step = up_s0 && last_s0;

generate
    if (IS_LAST) begin : g_output
        output_delta #(
            .P(P),
            .GROUPS(GROUPS),
            .SLOTS(SLOTS),
            .WIDTH(WIDTH),
            .FRAC(FRAC)
        ) deltas (
            .clk(clk),
            .rst(rst),
            .wr_valid(wr_valid),
            .wr_last(wr_last),
            .wr_act(wr_act),
            .label(label),
            .rd_start(pass_start),
            .rd_token(up_token),
            .rd_en(rd_en),
            .rd_step(rd_step),
            .delta(delta_s5)
        );

        assign sat_s3 = 16'd0;

        // An output layer has no use for derivatives and sums
        wire unused = &{1'b0, wr_deriv, sum_s2, first_s0};
    end else begin : g_hidden
        localparam SW = $clog2(P + 1);

        wire [SW-1:0] sat;

        hidden_delta #(
            .P(P),
            .GROUPS(GROUPS),
            .SLOTS(SLOTS),
            .WIDTH(WIDTH),
            .FRAC(FRAC),
            .SUM_WIDTH(SUM_WIDTH)
        ) deltas (
            .clk(clk),
            .rst(rst),
            .wr_valid(wr_valid),
            .wr_last(wr_last),
            .wr_deriv(wr_deriv),
            .rd_start(pass_start),
            .rd_token(up_token),
            .rd_en(rd_en),
            .rd_first(first_s0),
            .rd_step(rd_step),
            .sum(sum_s2),
            .delta(delta_s5),
            .sat(sat)
        );

        assign sat_s3 = {{16-SW{1'b0}}, sat};

        // Activations and labels concern the deltas of the output layer only
        wire unused = &{1'b0, wr_act, label};
    end
endgenerate

delay_line #(
    .WIDTH(P*WIDTH),
    .DEPTH(2)
) delta_delay (
    .clk(clk),
    .rst(rst),
    .d(delta_s5),
    .q(delta_s7)
);

// --- learning rate ---

wire [4:0] lr_s5;
wire [4:0] shift_s5 = LR_MAX[4:0] - lr_s5;

delay_line #(
    .WIDTH(5),
    .DEPTH(6)
) lr_delay (
    .clk(clk),
    .rst(rst),
    .d(lr_shift),
    .q(lr_s5)
);

genvar p;

generate
    for (p = 0; p < P; p = p + 1) begin : g_scale
        wire [DW-1:0] wide = {{LR_MAX+1{delta_s5[p*WIDTH+WIDTH-1]}}, delta_s5[p*WIDTH +: WIDTH]};
        reg  [DW-1:0] scaled_reg;

        always @(posedge clk) begin
            scaled_reg <= -wide << shift_s5;
        end

        assign scaled_s6[p*DW +: DW] = scaled_reg;
    end
endgenerate

endmodule
`resetall
