// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Backpropagation: weights times right deltas, accumulated per left neuron
 *
 * Products are brought from lanes to memories and added up over the FAN_OUT sweeps of a pass, in one
 * accumulator per left neuron (Z memories of D). The first sweep starts from zero, the last one puts
 * the finished sums out. A sum that is read in the clock in which it is written is forwarded, so sweeps of
 * any length, and seed vectors of any kind, lose nothing.
 *
 * Latency: 3 clocks from `valid` to `out_valid` in the last sweep (docs/edge/junction.md: s7 to
 * s10). Takes Z edges every clock, no handshake.
 */
module bp_unit #(
    // Edges per clock, left memories
    parameter Z = 8,
    // Words in a left memory
    parameter D = 4,
    // Sweeps per pass
    parameter FAN_OUT = 2,
    // Right neurons whose edges are handled in one clock
    parameter P = 2,
    // Width of weights and deltas in bits, signed
    parameter WIDTH = 12,
    // 1: lanes are fed by permuted memories
    parameter DITHER = 0,
    // Width of a left address (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of a memory number (derived)
    parameter ZW = Z > 1 ? $clog2(Z) : 1,
    // Width of a sum in bits, signed, 2*FRAC fraction bits (derived)
    parameter ACC = 2 * WIDTH + $clog2(FAN_OUT)
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               valid,        // Z edges in this clock
    input  wire               sweep_first,  // they belong to the first sweep
    input  wire               sweep_last,   // they belong to the last sweep
    input  wire [Z*WIDTH-1:0] w,            // weights
    input  wire [P*WIDTH-1:0] delta,        // right deltas

    input  wire [Z*AW-1:0]    addr,         // left address of each memory, 1 clock after `valid`
    input  wire [Z*ZW-1:0]    perm,         // memory that feeds each lane, 1 clock after `valid`

    output wire               out_valid,    // finished sums, one of each memory
    output wire [Z*AW-1:0]    out_addr,     // their addresses
    output wire [Z*ACC-1:0]   out_sum
);

localparam PROD = 2 * WIDTH;

// s8, s9, s10
reg [2:0] valid_reg;
reg [1:0] first_reg;
reg [2:0] last_reg;

always @(posedge clk) begin
    valid_reg <= {valid_reg[1:0], valid};
    first_reg <= {first_reg[0], sweep_first};
    last_reg <= {last_reg[1:0], sweep_last};
    if (rst) begin
        valid_reg <= 3'd0;
    end
end

wire [Z*PROD-1:0] lane_prod;
wire [Z*PROD-1:0] mem_prod;

permute #(
    .LANES(Z),
    .WIDTH(PROD),
    .SCATTER(1),
    .ENABLE(DITHER)
) to_memories (
    .clk(clk),
    .perm(perm),
    .x(lane_prod),
    .y(mem_prod)
);

genvar m;

generate
    for (m = 0; m < Z; m = m + 1) begin : g_mem
        // s8: product, in lane order
        wire signed [WIDTH-1:0] wl = w[m*WIDTH +: WIDTH];
        wire signed [WIDTH-1:0] dl = delta[(m/(Z/P))*WIDTH +: WIDTH];
        reg  signed [PROD-1:0]  prod_reg;

        always @(posedge clk) begin
            prod_reg <= wl * dl;
        end

        assign lane_prod[m*PROD +: PROD] = prod_reg;

        // s9: accumulator and product, in memory order
        reg  [AW-1:0]   addr_reg;
        reg  [AW-1:0]   addr_d_reg;
        reg  [ACC-1:0]  sum_reg;
        wire [ACC-1:0]  stored;
        wire            forward = valid_reg[2] && addr_d_reg == addr_reg;
        wire [ACC-1:0]  base = first_reg[1] ? {ACC{1'b0}} : forward ? sum_reg : stored;
        wire [PROD-1:0] prod = mem_prod[m*PROD +: PROD];
        wire [ACC-1:0]  term;
        wire [ACC-1:0]  sum = base + term;

        if (ACC > PROD) begin : g_term
            assign term = {{ACC-PROD{prod[PROD-1]}}, prod};
        end else begin : g_term
            assign term = prod;
        end

        ram_sdp #(
            .WIDTH(ACC),
            .DEPTH(1 << AW)
        ) acc_ram (
            .clk(clk),
            .we(valid_reg[1]),
            .waddr(addr_reg),
            .wdata(sum),
            .re(valid_reg[0]),
            .raddr(addr[m*AW +: AW]),
            .rdata(stored)
        );

        always @(posedge clk) begin
            addr_reg <= addr[m*AW +: AW];
            addr_d_reg <= addr_reg;
            sum_reg <= sum;
        end

        assign out_addr[m*AW +: AW] = addr_d_reg;
        assign out_sum[m*ACC +: ACC] = sum_reg;
    end
endgenerate

assign out_valid = valid_reg[2] && last_reg[2];

endmodule
`resetall
