// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Sums of the partial gradients of each slot
 *
 * Slot r is the S = 2^group_log2 PEs r*S ... r*S+S-1. A FIFO per PE, then a tree of adders in which every node waits
 * for its two children; port r gives what the tree has at level group_log2. So PEs may be ahead of each other by
 * as much as the FIFOs hold, and slots never wait for other slots.
 *
 * Latency: 2 + group_log2 clocks from the clock in which the last partial gradient is taken to m_valid, one sum per
 * clock and slot, valid/ready on every port.
 */
module gradient_sum #(
    // PEs, a power of two, 1 ... 64
    parameter P = 32,
    // Partial gradients in a PE's FIFO, besides the one at its output, at least 2
    parameter DEPTH = 16,
    // Bits of group_log2 (derived)
    parameter GW = P > 1 ? $clog2($clog2(P) + 1) : 1
) (
    input  wire            clk,
    // Synchronous, active high: forgets everything
    input  wire            rst,

    // log2 of S, at most log2 of P; changes only while slot_empty is all ones and no s_valid is high
    input  wire [GW-1:0]   group_log2,

    // Partial gradients, signed 32 bits, a port per PE
    input  wire [P-1:0]    s_valid,
    output wire [P-1:0]    s_ready,
    input  wire [P*32-1:0] s_data,

    // Sums modulo 2^32, a port per slot; ports from P/S on are never valid
    output wire [P-1:0]    m_valid,
    input  wire [P-1:0]    m_ready,
    output wire [P*32-1:0] m_data,

    // Nothing of the slot is inside (ports from P/S on: 1)
    output wire [P-1:0]    slot_empty
);

`REQUIRE(g_depth, DEPTH >= 2, ("%m: DEPTH = %0d must be at least 2", DEPTH))
`REQUIRE(g_p, P >= 1 && P <= 64 && (P & (P - 1)) == 0, ("%m: P = %0d must be a power of two, 1 to 64", P))

localparam LEVELS = P > 1 ? $clog2(P) : 0;

// The level that the ports have, and the levels that add: a bit per level, for handshakes of all ports depend on them.
// They are a clock behind group_log2, which changes while nothing is inside
reg [LEVELS:0] output_reg;
reg [LEVELS:0] adds_reg;
integer        i;

always @(posedge clk) begin
    for (i = 0; i <= LEVELS; i = i + 1) begin
        output_reg[i] <= group_log2 == i[GW-1:0];
        adds_reg[i] <= group_log2 >= i[GW-1:0];
    end
end

// Nodes are numbered as in a heap: 1 is the root, 2n and 2n+1 are the children of n, P+p is the FIFO of PE p.
// Node r of level l is (P >> l) + r.
wire [2*P-1:0]    node_valid;
wire [2*P-1:0]    node_empty;
wire [2*P*32-1:0] node_data;

assign node_valid[0] = 1'b0;
assign node_empty[0] = 1'b1;
assign node_data[31:0] = 32'd0;

genvar n, r;

generate
    for (n = 1; n < 2*P; n = n + 1) begin : g_node
        // Level, and number within it
        localparam integer LEVEL = LEVELS + 1 - $clog2(n + 1);
        localparam integer NUMBER = n - (P >> LEVEL);

        wire empty;
        wire ready;

        assign node_empty[n] = empty;

        if (n == 1) begin : g_root
            assign ready = output_reg[LEVEL] && m_ready[NUMBER];
        end else begin : g_below
            assign ready = output_reg[LEVEL] ? m_ready[NUMBER] : g_node[n/2].g_add.take;
        end

        if (n >= P) begin : g_leaf
            wire [$clog2(DEPTH + 2)-1:0] level;

            stream_fifo #(
                .WIDTH(32),
                .DEPTH(DEPTH + 1)
            ) fifo (
                .clk(clk),
                .rst(rst),
                .s_valid(s_valid[NUMBER]),
                .s_ready(s_ready[NUMBER]),
                .s_data(s_data[NUMBER*32 +: 32]),
                .m_valid(node_valid[n]),
                .m_ready(ready),
                .m_data(node_data[n*32 +: 32]),
                .level(level)
            );

            assign empty = level == 0;
        end else begin : g_add
            wire take;

            gradient_node node (
                .clk(clk),
                .rst(rst),
                .on(adds_reg[LEVEL]),
                .a_valid(node_valid[2*n]),
                .b_valid(node_valid[2*n+1]),
                .a_data(node_data[2*n*32 +: 32]),
                .b_data(node_data[(2*n+1)*32 +: 32]),
                .take(take),
                .m_valid(node_valid[n]),
                .m_ready(ready),
                .m_data(node_data[n*32 +: 32])
            );

            assign empty = !node_valid[n] && g_node[2*n].empty && g_node[2*n+1].empty;
        end
    end

    for (r = 0; r < P; r = r + 1) begin : g_port
        reg        valid;
        reg [31:0] data;
        reg        empty;
        integer    level;

        always @* begin
            valid = 1'b0;
            data = 32'd0;
            empty = 1'b1;
            for (level = 0; level <= LEVELS; level = level + 1) begin
                if (output_reg[level] && r < P >> level) begin
                    valid = node_valid[(P >> level) + r];
                    empty = node_empty[(P >> level) + r];
                end
                if (group_log2 == level[GW-1:0] && r < P >> level)
                    data = node_data[((P >> level) + r)*32 +: 32];
            end
        end

        assign m_valid[r] = valid;
        assign m_data[r*32 +: 32] = data;
        assign slot_empty[r] = empty;
    end
endgenerate

// (the lowest level has nothing to add)
wire unused = &{1'b0, adds_reg[0]};

endmodule
`resetall
