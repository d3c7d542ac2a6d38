// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Several AXI4 read masters on one port
 *
 * Requests of N masters go out in turn (round robin), with the number of the master as their ID; the beats that come
 * back go to the master that their ID names, in any order and interleaved as the memory likes. The masters use one ID
 * each, so that beats of one master stay in order.
 *
 * Latency: a request that is taken in clock c is at the port in c+2 if no other is before it; one request per clock,
 * whoever makes it. s_axi_arready are registers; two requests of each master can wait. Beats pass without a register.
 */
module axi_read_mux #(
    // Masters, 1 to 4
    parameter N = 3,
    // Bits of an ID at the port, enough for N
    parameter ID_WIDTH = 2,
    // Bits of a byte address
    parameter ADDR_WIDTH = 32,
    // Bits of a beat
    parameter DATA_WIDTH = 64
) (
    input  wire                    clk,
    // Synchronous, active high
    input  wire                    rst,

    // Requests of the masters, master 0 in the low bits
    input  wire [N*ADDR_WIDTH-1:0] s_axi_araddr,
    input  wire [N*8-1:0]          s_axi_arlen,
    input  wire [N*3-1:0]          s_axi_arsize,
    input  wire [N*2-1:0]          s_axi_arburst,
    input  wire [N-1:0]            s_axi_arlock,
    input  wire [N*4-1:0]          s_axi_arcache,
    input  wire [N*3-1:0]          s_axi_arprot,
    input  wire [N-1:0]            s_axi_arvalid,
    output wire [N-1:0]            s_axi_arready,
    // Beats: the same data for all, valid for one
    output wire [DATA_WIDTH-1:0]   s_axi_rdata,
    output wire [1:0]              s_axi_rresp,
    output wire                    s_axi_rlast,
    output wire [N-1:0]            s_axi_rvalid,
    input  wire [N-1:0]            s_axi_rready,

    // The port
    output wire [ID_WIDTH-1:0]     m_axi_arid,
    output wire [ADDR_WIDTH-1:0]   m_axi_araddr,
    output wire [7:0]              m_axi_arlen,
    output wire [2:0]              m_axi_arsize,
    output wire [1:0]              m_axi_arburst,
    output wire                    m_axi_arlock,
    output wire [3:0]              m_axi_arcache,
    output wire [2:0]              m_axi_arprot,
    output wire                    m_axi_arvalid,
    input  wire                    m_axi_arready,
    input  wire [ID_WIDTH-1:0]     m_axi_rid,
    input  wire [DATA_WIDTH-1:0]   m_axi_rdata,
    input  wire [1:0]              m_axi_rresp,
    input  wire                    m_axi_rlast,
    input  wire                    m_axi_rvalid,
    output wire                    m_axi_rready
);

`REQUIRE(g_n, N >= 1 && N <= 4, ("%m: N = %0d must be 1 to 4", N))
`REQUIRE(g_id_width, ID_WIDTH >= 1 && (1 << ID_WIDTH) >= N,
         ("%m: ID_WIDTH = %0d must be at least 1 and enough for N = %0d", ID_WIDTH, N))

// Address, length and all that does not concern the mux
localparam PW = ADDR_WIDTH + 21;
localparam [N-1:0] ONE = 1;

// Requests that wait, per master: the one to go next, and the one behind it
reg  [N-1:0]    first_valid_reg;
reg  [N-1:0]    second_valid_reg, second_valid_next;
// No request is behind another: who makes them waits for it, and should not wait for what chooses among them
reg  [N-1:0]    ready_reg;
reg  [N*PW-1:0] first_reg;
reg  [N*PW-1:0] second_reg;
// Masters whose turn has passed: the one that made the last request and those below it
reg  [N-1:0]    passed_reg;

reg                m_valid_reg;
reg [ID_WIDTH-1:0] m_id_reg;
reg [PW-1:0]       m_request_reg;

// The lowest master that waits above the last one, or else the lowest of all
wire         go = !m_valid_reg || m_axi_arready;
wire [N-1:0] later = first_valid_reg & ~passed_reg;
wire [N-1:0] asking = later != {N{1'b0}} ? later : first_valid_reg;
wire [N-1:0] lowest = asking & (~asking + ONE);
wire [N-1:0] grant = lowest & {N{go}};

reg [PW-1:0]       chosen;
reg [ID_WIDTH-1:0] chosen_id;
reg [N-1:0]        chosen_passed;
integer            i;

always @* begin
    chosen = {PW{1'b0}};
    chosen_id = {ID_WIDTH{1'b0}};
    for (i = 0; i < N; i = i + 1) begin
        if (lowest[i]) begin
            chosen = first_reg[PW*i +: PW];
            chosen_id = i[ID_WIDTH-1:0];
        end
        chosen_passed[i] = (lowest >> i) != {N{1'b0}};
    end
end

genvar g;
generate
    for (g = 0; g < N; g = g + 1) begin : g_master
        wire [PW-1:0] request = {
            s_axi_arprot[3*g +: 3], s_axi_arcache[4*g +: 4], s_axi_arlock[g], s_axi_arburst[2*g +: 2],
            s_axi_arsize[3*g +: 3], s_axi_arlen[8*g +: 8], s_axi_araddr[ADDR_WIDTH*g +: ADDR_WIDTH]
        };
        wire take = s_axi_arvalid[g] && s_axi_arready[g];
        wire keep = first_valid_reg[g] && !grant[g];

        always @* second_valid_next[g] = !rst && keep && (second_valid_reg[g] || take);

        always @(posedge clk) begin
            first_valid_reg[g] <= keep || second_valid_reg[g] || take;
            second_valid_reg[g] <= second_valid_next[g];
            ready_reg[g] <= !second_valid_next[g];
            if (!keep) first_reg[PW*g +: PW] <= second_valid_reg[g] ? second_reg[PW*g +: PW] : request;
            if (take) second_reg[PW*g +: PW] <= request;
            if (rst) first_valid_reg[g] <= 1'b0;
        end

        assign s_axi_arready[g] = ready_reg[g];
        assign s_axi_rvalid[g] = m_axi_rvalid && m_axi_rid == g;
    end
endgenerate

always @(posedge clk) begin
    if (go) begin
        m_valid_reg <= first_valid_reg != {N{1'b0}};
        m_id_reg <= chosen_id;
        m_request_reg <= chosen;
    end
    if (grant != {N{1'b0}}) passed_reg <= chosen_passed;
    if (rst) begin
        m_valid_reg <= 1'b0;
        passed_reg <= {N{1'b0}};
    end
end

assign m_axi_arid = m_id_reg;
assign {m_axi_arprot, m_axi_arcache, m_axi_arlock, m_axi_arburst, m_axi_arsize, m_axi_arlen, m_axi_araddr}
    = m_request_reg;
assign m_axi_arvalid = m_valid_reg;

assign s_axi_rdata = m_axi_rdata;
assign s_axi_rresp = m_axi_rresp;
assign s_axi_rlast = m_axi_rlast;
assign m_axi_rready = (s_axi_rvalid & s_axi_rready) != {N{1'b0}};

`ifdef SIMULATION
// A beat for a master that there is not would stop the port for ever: a fault of the memory, which fails the test.
always @(posedge clk) begin
    if ($time != 0 && !rst && m_axi_rvalid && s_axi_rvalid == {N{1'b0}}) begin
        $display("%m: R beat with ID %0d", m_axi_rid);
        $finish;
    end
end
`endif

endmodule
`resetall
