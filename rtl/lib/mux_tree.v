// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Registered multiplexer tree
 *
 * m_data is lane s_select of s_data, four lanes to one per clock. valid and side travel with the word. rst clears valid
 * alone.
 *
 * Latency: ceil(clog2(N) / 2) clocks, one word per clock; with N = 1 it is a wire.
 */
module mux_tree #(
    // Lanes, a power of two, at least 1
    parameter N = 32,
    // Bits of a lane
    parameter WIDTH = 32,
    // Bits that travel along, at least 1
    parameter SIDE = 1
) (
    input  wire                                   clk,
    input  wire                                   rst,      // synchronous, active high
    input  wire                                   s_valid,
    input  wire [(N > 1 ? $clog2(N) : 1)-1:0]     s_select, // lane; not looked at with N = 1
    input  wire [N*WIDTH-1:0]                     s_data,   // lanes, lane 0 in the low bits
    input  wire [SIDE-1:0]                        s_side,
    output wire                                   m_valid,
    output wire [WIDTH-1:0]                       m_data,
    output wire [SIDE-1:0]                        m_side
);

`REQUIRE(g_n, N >= 1 && (N & (N - 1)) == 0, ("%m: N = %0d must be a power of two, at least 1", N))
`REQUIRE(g_width, WIDTH >= 1, ("%m: WIDTH = %0d must be at least 1", WIDTH))
`REQUIRE(g_side, SIDE >= 1, ("%m: SIDE = %0d must be at least 1", SIDE))

// Legal stand-ins where parameters are not, so that every simulator gets as far as the message
localparam LANES = N > 0 ? N : 1;
localparam LANE = WIDTH > 0 ? WIDTH : 1;
localparam SW = LANES > 1 ? $clog2(LANES) : 1;
localparam LEVELS = ($clog2(LANES) + 1) / 2;

genvar level, k;

generate
    for (level = 0; level <= LEVELS; level = level + 1) begin : g_level
        // Lanes that are left, and the bits of the select that choose between them
        localparam LEFT = (LANES >> (2*level)) > 0 ? LANES >> (2*level) : 1;
        wire [LEFT*LANE-1:0] data;
        wire                 valid;
        wire [SIDE-1:0]      side;
        wire [SW-1:0]        select;
        if (level == 0) begin : g_input
            assign data = s_data;
            assign valid = s_valid;
            assign side = s_side;
            assign select = s_select;
        end else begin : g_register
            localparam BEFORE = LANES >> (2*(level - 1));
            reg [LEFT*LANE-1:0] data_reg;
            reg                 valid_reg;
            reg [SIDE-1:0]      side_reg;
            reg [SW-1:0]        select_reg;
            always @(posedge clk) begin
                valid_reg <= g_level[level-1].valid && !rst;
                side_reg <= g_level[level-1].side;
                select_reg <= g_level[level-1].select >> (SW > 2 ? 2 : 0);
            end
            for (k = 0; k < LEFT; k = k + 1) begin : g_node
                if (BEFORE >= 4) begin : g_four
                    always @(posedge clk) begin
                        case (g_level[level-1].select[1:0])
                            2'd0: data_reg[k*LANE +: LANE] <= g_level[level-1].data[4*k*LANE +: LANE];
                            2'd1: data_reg[k*LANE +: LANE] <= g_level[level-1].data[(4*k+1)*LANE +: LANE];
                            2'd2: data_reg[k*LANE +: LANE] <= g_level[level-1].data[(4*k+2)*LANE +: LANE];
                            default: data_reg[k*LANE +: LANE] <= g_level[level-1].data[(4*k+3)*LANE +: LANE];
                        endcase
                    end
                end else begin : g_two
                    always @(posedge clk)
                        data_reg[k*LANE +: LANE] <=
                            g_level[level-1].select[0] ? g_level[level-1].data[LANE +: LANE]
                                                       : g_level[level-1].data[0 +: LANE];
                end
            end
            assign data = data_reg;
            assign valid = valid_reg;
            assign side = side_reg;
            assign select = select_reg;
        end
    end
    if (LEVELS == 0) begin : g_wire
        wire unused_clk = clk;
        wire unused_rst = rst;
    end
endgenerate

// The last level has nothing left to choose
wire unused_select = ^g_level[LEVELS].select;

assign m_valid = g_level[LEVELS].valid;
assign m_data = g_level[LEVELS].data;
assign m_side = g_level[LEVELS].side;

endmodule
`resetall
