// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * What an update reads: commands of its chunks, and a FIFO of two chunks for the beats of every array
 *
 * UPDATE reads gradients, masters and momenta; LEARN has its gradients given and reads masters and momenta. Beats come
 * in the order of the commands. Where there are several arrays of gradients, a chunk of each comes: sums of them wait
 * in a memory of a chunk, to which each adds its own, and with the last one they go to the FIFO.
 *
 * Latency: chunks to command 1 clock; beat to its FIFO's output 2 clocks.
 */
module update_reads #(
    // Bytes of a beat, a power of two
    parameter B = 32,
    // Words of a FIFO
    parameter DEPTH = 32
) (
    input  wire             clk,
    // Synchronous, active high: forgets everything
    input  wire             rst,

    // Chunks to read, as update_chunks; start only while ready
    input  wire             start,
    output wire             ready,
    input  wire [31:0]      first_addr,
    input  wire [31:0]      second_addr,
    input  wire [31:0]      third_addr,
    input  wire [1:0]       last_array,
    input  wire [2:0]       firsts_log2,
    input  wire [23:0]      quarters,

    // With momenta; those of the beats that come
    input  wire             momentum,
    // Gradients are given, not read: constant while anything is inside
    input  wire             given,
    input  wire             given_valid,
    output wire             given_ready,
    input  wire [8*B-1:0]   given_data,
    // All gradients have been taken at the end of this clock, unless one comes in it
    output wire             given_ends,

    // Read port, as axi_read: byte address, beats less one
    output wire             rd_cmd_valid,
    input  wire             rd_cmd_ready,
    output wire [31:0]      rd_cmd_addr,
    output wire [15:0]      rd_cmd_beats,
    input  wire             rd_valid,
    output wire             rd_ready,
    input  wire [8*B-1:0]   rd_data,
    input  wire             rd_last,
    input  wire [1:0]       rd_error,

    // Words of gradients, masters, momenta, the first in the low bits
    output wire [2:0]       m_valid,
    input  wire [2:0]       m_ready,
    output wire [3*8*B-1:0] m_data
);

localparam [1:0] GRADIENTS = 2'd0;
localparam [1:0] MASTERS = 2'd1;
localparam [1:0] MOMENTA = 2'd2;

wire [1:0] unused_array;

update_chunks #(
    .B(B),
    .QUARTER(0)
) chunks (
    .clk(clk),
    .rst(rst),
    .start(start),
    .first_addr(first_addr),
    .second_addr(second_addr),
    .third_addr(third_addr),
    .last_array(last_array),
    .firsts_log2(firsts_log2),
    .quarters(quarters),
    .m_valid(rd_cmd_valid),
    .m_ready(rd_cmd_ready),
    .m_addr(rd_cmd_addr),
    .m_beats(rd_cmd_beats[3:0]),
    .m_array(unused_array)
);

assign rd_cmd_beats[15:4] = 12'd0;
assign ready = !rd_cmd_valid;

// Array whose beats come: the first one stands for the first that is read
reg  [1:0] from_reg;
wire [1:0] from = given && from_reg == GRADIENTS ? MASTERS : from_reg;
wire [2:0] in_ready;
wire       beat = rd_valid && rd_error == 2'd0;

// Arrays of gradients less one, the one whose beats come, and the beat of its chunk that is next
reg  [6:0] firsts_reg;
reg  [6:0] nth_reg;
reg  [3:0] place_reg;
// Gradients of another array come behind these: nth_reg is not firsts_reg, which rd_ready is not to wait for
reg        more_reg;
wire       adds = from == GRADIENTS && more_reg;
wire       moved = rd_valid && rd_ready;

// Sums so far
reg  [8*B-1:0] sums_reg [0:15];
wire [8*B-1:0] sum = sums_reg[place_reg];
wire [8*B-1:0] added;

assign rd_ready = adds || in_ready[from];
assign given_ready = in_ready[GRADIENTS];

always @(posedge clk) begin
    if (moved && adds) sums_reg[place_reg] <= added;
    if (moved) place_reg <= rd_last ? 4'd0 : place_reg + 4'd1;
    if (moved && rd_last) nth_reg <= adds ? nth_reg + 7'd1 : 7'd0;
    if (moved && rd_last && !adds) from_reg <= from == (momentum ? MOMENTA : MASTERS) ? GRADIENTS : from + 2'd1;
    if (moved && rd_last) more_reg <= adds ? nth_reg + 7'd1 != firsts_reg : firsts_reg != 7'd0;
    if (start) begin
        firsts_reg <= ~(7'h7f << firsts_log2);
        more_reg <= firsts_log2 != 3'd0;
    end
    if (rst) begin
        from_reg <= GRADIENTS;
        firsts_reg <= 7'd0;
        nth_reg <= 7'd0;
        more_reg <= 1'b0;
        place_reg <= 4'd0;
    end
end

genvar a, g;

generate
    for (g = 0; g < B/4; g = g + 1) begin : g_sum
        assign added[32*g +: 32] = rd_data[32*g +: 32] + (nth_reg == 7'd0 ? 32'd0 : sum[32*g +: 32]);
    end

    for (a = 0; a < 3; a = a + 1) begin : g_in
        wire [$clog2(DEPTH+1)-1:0] level;
        wire                       taken = beat && from == a[1:0] && !adds;

        stream_fifo #(
            .WIDTH(8*B),
            .DEPTH(DEPTH)
        ) fifo (
            .clk(clk),
            .rst(rst),
            .s_valid(a == 0 && given ? given_valid : taken),
            .s_ready(in_ready[a]),
            .s_data(a != 0 ? rd_data : given ? given_data : added),
            .m_valid(m_valid[a]),
            .m_ready(m_ready[a]),
            .m_data(m_data[a*8*B +: 8*B]),
            .level(level)
        );

        if (a == 0) begin : g_given
            localparam [$clog2(DEPTH+1)-1:0] LEVEL_ONE = 1;

            assign given_ends = level == {$clog2(DEPTH+1){1'b0}} || (level == LEVEL_ONE && m_valid[0] && m_ready[0]);
        end else begin : g_read
            wire unused = &{1'b0, level};
        end
    end
endgenerate

endmodule
`resetall
