// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Clash-free left addresses from seed vectors
 *
 * In clock t of sweep f, left memory m is read at address (seed[f][m] + t) mod D, and lane l is fed by
 * memory perm[f][l]: every memory is read exactly once per clock and every left neuron once per sweep.
 * Seeds and permutations are loaded at run time (see row_bank).
 *
 * Latency: 2 clocks from `en` to `addr` and `perm`. A new (sweep, t) pair is taken every clock.
 */
module interleaver #(
    // Left memories and lanes (z)
    parameter Z = 8,
    // Words in a left memory, clocks per sweep
    parameter D = 4,
    // Sweeps per pass
    parameter FAN_OUT = 2,
    // 0: one seed vector for all sweeps; 1: one per sweep
    parameter SWEEP_SEEDS = 1,
    // 1: one permutation of memories onto lanes per sweep; 0: lane l is fed by memory l
    parameter DITHER = 0,
    // Width of a left address (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of a sweep number (derived)
    parameter FW = FAN_OUT > 1 ? $clog2(FAN_OUT) : 1,
    // Width of a memory number (derived)
    parameter ZW = Z > 1 ? $clog2(Z) : 1
) (
    input  wire            clk,

    input  wire            en,         // sweep and t are valid
    input  wire [FW-1:0]   sweep,      // 0 to FAN_OUT-1
    input  wire [AW-1:0]   t,          // 0 to D-1
    output wire [Z*AW-1:0] addr,       // address of each left memory, 2 clocks later
    output wire [Z*ZW-1:0] perm,       // memory that feeds each lane, 2 clocks later

    input  wire            cfg_seeds,  // the cfg_* ports act on the seed vectors
    input  wire            cfg_perms,  // the cfg_* ports act on the permutations
    input  wire            cfg_shift,
    input  wire [31:0]     cfg_word,
    input  wire            cfg_write,
    input  wire            cfg_read,
    input  wire [15:0]     cfg_addr,
    output wire [31:0]     cfg_out     // word of the selected bank, zero-extended
);

localparam ROWS = SWEEP_SEEDS ? FAN_OUT : 1;
localparam RW = ROWS > 1 ? $clog2(ROWS) : 1;

wire [Z*AW-1:0] seeds;
wire [AW-1:0]   seed_out;
wire [ZW-1:0]   perm_out;
wire [RW-1:0]   row;

generate
    if (SWEEP_SEEDS) begin : g_row
        assign row = sweep;
    end else begin : g_row
        assign row = {RW{1'b0}};
    end
endgenerate

row_bank #(
    .LANES(Z),
    .WIDTH(AW),
    .DEPTH(ROWS)
) seed_bank (
    .clk(clk),
    .rd_en(en),
    .rd_addr(row),
    .rd_data(seeds),
    .wr_en(1'b0),
    .wr_addr({RW{1'b0}}),
    .wr_data({Z*AW{1'b0}}),
    .cfg_shift(cfg_shift && cfg_seeds),
    .cfg_word(cfg_word[AW-1:0]),
    .cfg_write(cfg_write && cfg_seeds),
    .cfg_read(cfg_read && cfg_seeds),
    .cfg_addr(cfg_addr[RW-1:0]),
    .cfg_out(seed_out)
);

reg [AW-1:0] t_reg;

always @(posedge clk) begin
    t_reg <= t;
end

genvar m;

generate
    for (m = 0; m < Z; m = m + 1) begin : g_mem
        reg  [AW-1:0] addr_reg;
        wire [AW:0]   sum = {1'b0, seeds[m*AW +: AW]} + {1'b0, t_reg};
        wire [AW:0]   wrapped = sum - D[AW:0];
        wire          unused = wrapped[AW];

        always @(posedge clk) begin
            addr_reg <= ({{31-AW{1'b0}}, sum} >= D) ? wrapped[AW-1:0] : sum[AW-1:0];
        end

        assign addr[m*AW +: AW] = addr_reg;
    end

    if (DITHER) begin : g_perm
        wire [Z*ZW-1:0] perm_row;
        reg  [Z*ZW-1:0] perm_reg;

        row_bank #(
            .LANES(Z),
            .WIDTH(ZW),
            .DEPTH(FAN_OUT)
        ) perm_bank (
            .clk(clk),
            .rd_en(en),
            .rd_addr(sweep),
            .rd_data(perm_row),
            .wr_en(1'b0),
            .wr_addr({FW{1'b0}}),
            .wr_data({Z*ZW{1'b0}}),
            .cfg_shift(cfg_shift && cfg_perms),
            .cfg_word(cfg_word[ZW-1:0]),
            .cfg_write(cfg_write && cfg_perms),
            .cfg_read(cfg_read && cfg_perms),
            .cfg_addr(cfg_addr[FW-1:0]),
            .cfg_out(perm_out)
        );

        always @(posedge clk) begin
            perm_reg <= perm_row;
        end

        assign perm = perm_reg;
    end else begin : g_perm
        assign perm = {Z*ZW{1'b0}};
        assign perm_out = {ZW{1'b0}};
    end
endgenerate

// A single seed vector needs no sweep; words and addresses are wider than the banks
wire unused = &{1'b0, sweep, cfg_word, cfg_addr};

assign cfg_out = cfg_perms ? {{32-ZW{1'b0}}, perm_out} : {{32-AW{1'b0}}, seed_out};

endmodule
`resetall
