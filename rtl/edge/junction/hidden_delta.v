// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Deltas of a hidden layer: BP sums, rounded, times the derivatives kept since feedforward
 *
 * Derivatives are written in natural order as feedforward makes them. A pass asks for its groups with
 * rd_* (see natural_bank); the sums of the same groups arrive on `sum` 2 clocks after `rd_en`.
 *
 * Latency: 5 clocks from `rd_en` to `delta`. `sat` follows the sums, 3 clocks after `rd_en`.
 */
module hidden_delta #(
    // Neurons per group
    parameter P = 2,
    // Groups per frame
    parameter GROUPS = 8,
    // Frames of derivatives held
    parameter SLOTS = 4,
    // Width of deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Width of a BP sum in bits, signed, 2*FRAC fraction bits
    parameter SUM_WIDTH = 26,
    // Width of the saturation count (derived)
    parameter SAT_WIDTH = $clog2(P + 1)
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   wr_valid,
    input  wire                   wr_last,
    input  wire [P*(FRAC+1)-1:0]  wr_deriv,   // unsigned Q1.FRAC

    input  wire                   rd_start,
    input  wire                   rd_token,
    input  wire                   rd_en,
    input  wire                   rd_first,   // with rd_en: first clock of this group
    input  wire                   rd_step,
    input  wire [P*SUM_WIDTH-1:0] sum,

    output wire [P*WIDTH-1:0]     delta,
    output wire [SAT_WIDTH-1:0]   sat         // neurons whose sum was clipped, counted once per pass
);

localparam DW = FRAC + 1;
localparam [31:0] HALF_WORD = (32'd1 << FRAC) >> 1;
localparam signed [WIDTH+DW-1:0] HALF = HALF_WORD[WIDTH+DW-1:0];

wire [P*DW-1:0] deriv_s1;
wire [P*DW-1:0] deriv_s3;
wire            count;
reg  [P-1:0]    clipped_reg;

natural_bank #(
    .WIDTH(P*DW),
    .GROUPS(GROUPS),
    .SLOTS(SLOTS)
) derivatives (
    .clk(clk),
    .rst(rst),
    .wr_valid(wr_valid),
    .wr_last(wr_last),
    .wr_data(wr_deriv),
    .rd_start(rd_start),
    .rd_token(rd_token),
    .rd_en(rd_en),
    .rd_step(rd_step),
    .rd_data(deriv_s1)
);

delay_line #(
    .WIDTH(P*DW),
    .DEPTH(2)
) deriv_delay (
    .clk(clk),
    .rst(rst),
    .d(deriv_s1),
    .q(deriv_s3)
);

delay_line #(
    .WIDTH(1),
    .DEPTH(2),
    .RESET(1)
) count_delay (
    .clk(clk),
    .rst(rst),
    .d(rd_en && rd_first),
    .q(count)
);

genvar p;

generate
    for (p = 0; p < P; p = p + 1) begin : g_neuron
        wire        [WIDTH-1:0]    t;
        reg  signed [WIDTH-1:0]    t_reg;
        wire signed [DW:0]         d = {1'b0, deriv_s3[p*DW +: DW]};
        reg  signed [WIDTH+DW-1:0] prod_reg;
        wire signed [WIDTH+DW-1:0] up = prod_reg + HALF;
        reg         [WIDTH-1:0]    delta_reg;
        wire                       hi, lo;
        wire                       unused = &{1'b0, up};

        round_sat #(
            .IN_WIDTH(SUM_WIDTH),
            .SHIFT(FRAC),
            .OUT_WIDTH(WIDTH)
        ) round (
            .x(sum[p*SUM_WIDTH +: SUM_WIDTH]),
            .r({1'b1, {FRAC-1{1'b0}}}),
            .y(t),
            .sat_hi(hi),
            .sat_lo(lo)
        );

        always @(posedge clk) begin
            t_reg <= t;
            prod_reg <= t_reg * d;
            delta_reg <= up[FRAC +: WIDTH];
        end

        assign delta[p*WIDTH +: WIDTH] = delta_reg;
        always @(posedge clk) clipped_reg[p] <= count && (hi || lo) && !rst;
    end
endgenerate

popcount #(
    .N(P)
) sat_count (
    .x(clipped_reg),
    .count(sat)
);

endmodule
`resetall
