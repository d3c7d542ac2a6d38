// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * AXI4 port of a narrower data bus
 *
 * A beat at the master's side becomes R = S_WIDTH/M_WIDTH beats at the bus, the lowest bytes first; R = 1 is wires.
 * Requests have whole beats at addresses that are multiples of a beat, at most 256/R of them, and burst type INCR. The
 * response to a read beat is the first error among its parts, or else that of the last one.
 *
 * IDs 0 ... IDS-1; beats of different IDs may come interleaved.
 *
 * Latency: requests and responses to writes pass without a register, and so does the last part of a read beat, with
 * which the whole beat is given on; a written beat has its first part at the bus one clock after it was taken. Full
 * rate: R clocks per beat, without gaps.
 */
module axi_narrow #(
    // Bits of a beat of the master
    parameter S_WIDTH = 64,
    // Bits of a beat of the bus, a power of two, S_WIDTH/16 to S_WIDTH, at least 8
    parameter M_WIDTH = 32,
    // IDs of reads, 1 to 4
    parameter IDS = 3
) (
    input  wire                 clk,
    // Synchronous, active high: forgets beats of which not all parts have come or gone
    input  wire                 rst,

    // Master's side: length and size of requests (addresses and all else go past this module)
    input  wire [7:0]           s_axi_awlen,
    input  wire [2:0]           s_axi_awsize,
    input  wire [S_WIDTH-1:0]   s_axi_wdata,
    input  wire [S_WIDTH/8-1:0] s_axi_wstrb,
    input  wire                 s_axi_wlast,
    input  wire                 s_axi_wvalid,
    output wire                 s_axi_wready,
    input  wire [7:0]           s_axi_arlen,
    input  wire [2:0]           s_axi_arsize,
    output wire [1:0]           s_axi_rid,
    output wire [S_WIDTH-1:0]   s_axi_rdata,
    output wire [1:0]           s_axi_rresp,
    output wire                 s_axi_rlast,
    output wire                 s_axi_rvalid,
    input  wire                 s_axi_rready,

    // Bus
    output wire [7:0]           m_axi_awlen,
    output wire [2:0]           m_axi_awsize,
    output wire [M_WIDTH-1:0]   m_axi_wdata,
    output wire [M_WIDTH/8-1:0] m_axi_wstrb,
    output wire                 m_axi_wlast,
    output wire                 m_axi_wvalid,
    input  wire                 m_axi_wready,
    output wire [7:0]           m_axi_arlen,
    output wire [2:0]           m_axi_arsize,
    input  wire [1:0]           m_axi_rid,
    input  wire [M_WIDTH-1:0]   m_axi_rdata,
    input  wire [1:0]           m_axi_rresp,
    input  wire                 m_axi_rlast,
    input  wire                 m_axi_rvalid,
    output wire                 m_axi_rready
);

localparam R = S_WIDTH / M_WIDTH;
localparam LOG = $clog2(R);

`REQUIRE(g_width, R >= 1 && R <= 16 && M_WIDTH * (1 << LOG) == S_WIDTH && M_WIDTH >= 8,
         ("%m: M_WIDTH = %0d must be S_WIDTH = %0d divided by 1, 2, 4, 8 or 16, at least 8", M_WIDTH, S_WIDTH))
`REQUIRE(g_ids, IDS >= 1 && IDS <= 4, ("%m: IDS = %0d must be 1 to 4", IDS))

generate
    if (R == 1) begin : g_equal
        wire unused = &{1'b0, clk, rst};

        assign m_axi_awlen = s_axi_awlen;
        assign m_axi_awsize = s_axi_awsize;
        assign m_axi_wdata = s_axi_wdata;
        assign m_axi_wstrb = s_axi_wstrb;
        assign m_axi_wlast = s_axi_wlast;
        assign m_axi_wvalid = s_axi_wvalid;
        assign s_axi_wready = m_axi_wready;
        assign m_axi_arlen = s_axi_arlen;
        assign m_axi_arsize = s_axi_arsize;
        assign s_axi_rid = m_axi_rid;
        assign s_axi_rdata = m_axi_rdata;
        assign s_axi_rresp = m_axi_rresp;
        assign s_axi_rlast = m_axi_rlast;
        assign s_axi_rvalid = m_axi_rvalid;
        assign m_axi_rready = s_axi_rready;
    end else begin : g_narrow
        localparam [31:0] SIZE = $clog2(M_WIDTH / 8);
        localparam PW = S_WIDTH - M_WIDTH;

        wire unused = &{1'b0, s_axi_awsize, s_axi_arsize, s_axi_awlen, s_axi_arlen};

        assign m_axi_awlen = {s_axi_awlen[7-LOG:0], {LOG{1'b1}}};
        assign m_axi_awsize = SIZE[2:0];
        assign m_axi_arlen = {s_axi_arlen[7-LOG:0], {LOG{1'b1}}};
        assign m_axi_arsize = SIZE[2:0];

        // Writes: what is left of a beat
        reg                 w_valid_reg;
        reg                 w_last_reg;
        reg [S_WIDTH-1:0]   w_data_reg;
        reg [S_WIDTH/8-1:0] w_strb_reg;
        reg [LOG-1:0]       w_part_reg;

        wire w_final = &w_part_reg;

        assign s_axi_wready = !w_valid_reg || (w_final && m_axi_wready);
        assign m_axi_wvalid = w_valid_reg;
        assign m_axi_wdata = w_data_reg[M_WIDTH-1:0];
        assign m_axi_wstrb = w_strb_reg[M_WIDTH/8-1:0];
        assign m_axi_wlast = w_last_reg && w_final;

        always @(posedge clk) begin
            if (s_axi_wready) begin
                w_valid_reg <= s_axi_wvalid;
                w_last_reg <= s_axi_wlast;
                w_data_reg <= s_axi_wdata;
                w_strb_reg <= s_axi_wstrb;
                w_part_reg <= {LOG{1'b0}};
            end else if (m_axi_wready) begin
                w_data_reg <= w_data_reg >> M_WIDTH;
                w_strb_reg <= w_strb_reg >> (M_WIDTH / 8);
                w_part_reg <= w_part_reg + 1'b1;
            end
            if (rst) w_valid_reg <= 1'b0;
        end

        // Reads: the parts that have come, per ID; of the one whose part is at the bus
        reg  [PW-1:0]      own;
        reg  [1:0]         own_resp;
        reg                own_final;
        wire [S_WIDTH-1:0] joined = {m_axi_rdata, own};

        wire [IDS*PW-1:0] gathered;
        wire [IDS*2-1:0]  worst;
        wire [IDS-1:0]    complete;
        genvar            g;

        for (g = 0; g < IDS; g = g + 1) begin : g_id
            reg [PW-1:0]  parts_reg;
            reg [LOG-1:0] count_reg;
            reg [1:0]     resp_reg;

            wire mine = m_axi_rid == g && m_axi_rvalid && m_axi_rready;

            assign gathered[g*PW +: PW] = parts_reg;
            assign worst[g*2 +: 2] = resp_reg;
            assign complete[g] = &count_reg;

            always @(posedge clk) begin
                if (mine) begin
                    parts_reg <= joined[S_WIDTH-1:M_WIDTH];
                    count_reg <= count_reg + 1'b1;
                    resp_reg <= complete[g] ? 2'd0 : s_axi_rresp;
                end
                if (rst) begin
                    count_reg <= {LOG{1'b0}};
                    resp_reg <= 2'd0;
                end
            end
        end

        integer i;

        always @* begin
            own = {PW{1'b0}};
            own_resp = 2'd0;
            own_final = 1'b0;
            for (i = 0; i < IDS; i = i + 1) begin
                if (m_axi_rid == i[1:0]) begin
                    own = gathered[i*PW +: PW];
                    own_resp = worst[i*2 +: 2];
                    own_final = complete[i];
                end
            end
        end

        assign s_axi_rid = m_axi_rid;
        assign s_axi_rdata = joined;
        assign s_axi_rresp = own_resp[1] ? own_resp : m_axi_rresp;
        assign s_axi_rlast = m_axi_rlast;
        assign s_axi_rvalid = m_axi_rvalid && own_final;
        assign m_axi_rready = !own_final || s_axi_rready;
    end
endgenerate

endmodule
`resetall
