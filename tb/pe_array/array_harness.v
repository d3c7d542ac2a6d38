// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * pe_array with a memory, so that its user sleeps while a program runs (simulation only)
 *
 * The user sets cmd_op, cmd_addr and cmd_data and toggles cmd_req. When the command is done, cmd_ack equals cmd_req,
 * and cmd_answer and cmd_resp (the AXI response) hold the answer:
 *
 *   0 WRITE  register cmd_addr = cmd_data
 *   1 READ   register cmd_addr
 *   2 WAIT   READ again and again until its bits cmd_data are 0
 *   3 LOAD   the memory from memory_in.bin
 *   4 DUMP   the memory to memory_out.bin
 *
 * Inputs that the array ignores have any value. The other inputs are those of axi_memory.v and do not change while a
 * program runs.
 */
module array_harness #(
    // All of pe_array
    parameter P = 4,
    parameter B = 8,
    parameter ACC = 32,
    parameter X_DEPTH = 128,
    parameter Y_DEPTH = 64,
    parameter W_DEPTH = 64,
    parameter E_DEPTH = 16,
    parameter T_DEPTH = 128,
    parameter GROUPS = P < 4 ? P : 4,
    parameter FRAC = 4,
    parameter SOFTMAX = 1,
    parameter DATA = 8,
    parameter MASTER = 24,
    parameter SCALE = 1,
    parameter BUS = 8*B,
    parameter STAGES = 2,
    parameter MAP_DEPTH = 16,
    parameter GRAD_DEPTH = 16,
    parameter QUEUE_DEPTH = 8,
    parameter LOAD_DEPTH = 32,
    parameter READ_FIFO = 128,
    parameter WRITE_FIFO = 64,
    parameter OUTSTANDING = 8,
    // Of axi_memory
    parameter WORDS = 16384,
    parameter LATENCY = 10,
    parameter BEATS = 1,
    parameter PER = 1
) (
    input  wire        clk,
    input  wire        rst,

    input  wire        cmd_req,
    input  wire [2:0]  cmd_op,
    input  wire [11:0] cmd_addr,
    input  wire [31:0] cmd_data,
    output wire        cmd_ack,
    output wire [31:0] cmd_answer,
    output wire [1:0]  cmd_resp,

    input  wire [31:0] memory_base,
    input  wire [7:0]  later,
    input  wire        stalls,
    input  wire [15:0] stall_seed,
    input  wire [31:0] error_first,
    input  wire [31:0] error_last,
    input  wire [1:0]  error_resp,
    input  wire        error_read,
    input  wire        error_write
);

localparam [2:0] OP_WRITE = 3'd0;
localparam [2:0] OP_READ = 3'd1;
localparam [2:0] OP_WAIT = 3'd2;
localparam [2:0] OP_LOAD = 3'd3;
localparam [2:0] OP_DUMP = 3'd4;
localparam [31:0] SIZE_WORD = $clog2(BUS/8);

// --- commands ---

reg         ack_reg;
reg         busy_reg;
reg  [31:0] answer_reg;
reg  [1:0]  resp_reg;
reg         awvalid_reg, wvalid_reg, arvalid_reg;
wire        awready, wready, bvalid, arready, rvalid;
wire [1:0]  bresp, rresp;
wire [31:0] rdata;

wire go = cmd_req != ack_reg && !busy_reg;
wire quick = cmd_op == OP_LOAD || cmd_op == OP_DUMP;
wire reads = cmd_op == OP_READ || cmd_op == OP_WAIT;
wire again = rvalid && cmd_op == OP_WAIT && (rdata & cmd_data) != 32'd0;
wire answered = bvalid || (rvalid && !again);
wire done = go && quick || busy_reg && answered;

always @(posedge clk) begin
    awvalid_reg <= (go && cmd_op == OP_WRITE) || (awvalid_reg && !awready);
    wvalid_reg <= (go && cmd_op == OP_WRITE) || (wvalid_reg && !wready);
    arvalid_reg <= (go && reads) || again || (arvalid_reg && !arready);
    busy_reg <= (busy_reg || go) && !done;
    if (done) ack_reg <= cmd_req;
    if (answered) begin
        answer_reg <= rdata;
        resp_reg <= bvalid ? bresp : rresp;
    end
    if (rst) begin
        awvalid_reg <= 1'b0;
        wvalid_reg <= 1'b0;
        arvalid_reg <= 1'b0;
        busy_reg <= 1'b0;
        ack_reg <= 1'b0;
    end
end

assign cmd_ack = ack_reg;
assign cmd_answer = answer_reg;
assign cmd_resp = resp_reg;

// --- array and memory ---

wire [31:0]    m_awaddr, m_araddr;
wire [7:0]     m_awlen, m_arlen;
wire           m_awvalid, m_awready, m_wlast, m_wvalid, m_wready, m_bvalid, m_bready;
wire [BUS-1:0] m_wdata, m_rdata;
wire [BUS/8-1:0] m_wstrb;
wire [1:0]     m_awid, m_bresp, m_arid, m_rid, m_rresp;
wire           m_arvalid, m_arready, m_rlast, m_rvalid, m_rready;
wire [2:0]     m_awsize, m_awprot, m_arsize, m_arprot;
wire [1:0]     m_awburst, m_arburst;
wire           m_awlock, m_arlock;
wire [3:0]     m_awcache, m_arcache;

pe_array #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .GROUPS(GROUPS),
    .FRAC(FRAC),
    .SOFTMAX(SOFTMAX),
    .DATA(DATA),
    .MASTER(MASTER),
    .SCALE(SCALE),
    .BUS(BUS),
    .STAGES(STAGES),
    .MAP_DEPTH(MAP_DEPTH),
    .GRAD_DEPTH(GRAD_DEPTH),
    .QUEUE_DEPTH(QUEUE_DEPTH),
    .LOAD_DEPTH(LOAD_DEPTH),
    .READ_FIFO(READ_FIFO),
    .WRITE_FIFO(WRITE_FIFO),
    .OUTSTANDING(OUTSTANDING)
) array (
    .clk(clk),
    .rst(rst),
    .s_axil_awaddr(cmd_addr),
    .s_axil_awprot(cmd_data[2:0]),
    .s_axil_awvalid(awvalid_reg),
    .s_axil_awready(awready),
    .s_axil_wdata(cmd_data),
    .s_axil_wstrb(4'hF),
    .s_axil_wvalid(wvalid_reg),
    .s_axil_wready(wready),
    .s_axil_bresp(bresp),
    .s_axil_bvalid(bvalid),
    .s_axil_bready(1'b1),
    .s_axil_araddr(cmd_addr),
    .s_axil_arprot(cmd_addr[4:2]),
    .s_axil_arvalid(arvalid_reg),
    .s_axil_arready(arready),
    .s_axil_rdata(rdata),
    .s_axil_rresp(rresp),
    .s_axil_rvalid(rvalid),
    .s_axil_rready(1'b1),
    .m_axi_awid(m_awid),
    .m_axi_awaddr(m_awaddr),
    .m_axi_awlen(m_awlen),
    .m_axi_awsize(m_awsize),
    .m_axi_awburst(m_awburst),
    .m_axi_awlock(m_awlock),
    .m_axi_awcache(m_awcache),
    .m_axi_awprot(m_awprot),
    .m_axi_awvalid(m_awvalid),
    .m_axi_awready(m_awready),
    .m_axi_wdata(m_wdata),
    .m_axi_wstrb(m_wstrb),
    .m_axi_wlast(m_wlast),
    .m_axi_wvalid(m_wvalid),
    .m_axi_wready(m_wready),
    .m_axi_bid(m_rdata[1:0]),
    .m_axi_bresp(m_bresp),
    .m_axi_bvalid(m_bvalid),
    .m_axi_bready(m_bready),
    .m_axi_arid(m_arid),
    .m_axi_araddr(m_araddr),
    .m_axi_arlen(m_arlen),
    .m_axi_arsize(m_arsize),
    .m_axi_arburst(m_arburst),
    .m_axi_arlock(m_arlock),
    .m_axi_arcache(m_arcache),
    .m_axi_arprot(m_arprot),
    .m_axi_arvalid(m_arvalid),
    .m_axi_arready(m_arready),
    .m_axi_rid(m_rid),
    .m_axi_rdata(m_rdata),
    .m_axi_rresp(m_rresp),
    .m_axi_rlast(m_rlast),
    .m_axi_rvalid(m_rvalid),
    .m_axi_rready(m_rready)
);

axi_memory #(
    .DATA_WIDTH(BUS),
    .WORDS(WORDS * 8*B / BUS),
    .LATENCY(LATENCY),
    .BEATS(BEATS),
    .PER(PER)
) memory (
    .clk(clk),
    .rst(rst),
    .load(go && cmd_op == OP_LOAD),
    .dump(go && cmd_op == OP_DUMP),
    .base(memory_base),
    .later(later),
    .stalls(stalls),
    .stall_seed(stall_seed),
    .error_first(error_first),
    .error_last(error_last),
    .error_resp(error_resp),
    .error_read(error_read),
    .error_write(error_write),
    .s_axi_awaddr(m_awaddr),
    .s_axi_awlen(m_awlen),
    .s_axi_awsize(m_awsize),
    .s_axi_awvalid(m_awvalid),
    .s_axi_awready(m_awready),
    .s_axi_wdata(m_wdata),
    .s_axi_wstrb(m_wstrb),
    .s_axi_wlast(m_wlast),
    .s_axi_wvalid(m_wvalid),
    .s_axi_wready(m_wready),
    .s_axi_bresp(m_bresp),
    .s_axi_bvalid(m_bvalid),
    .s_axi_bready(m_bready),
    .s_axi_arid(m_arid),
    .s_axi_araddr(m_araddr),
    .s_axi_arlen(m_arlen),
    .s_axi_arvalid(m_arvalid),
    .s_axi_arready(m_arready),
    .s_axi_rid(m_rid),
    .s_axi_rdata(m_rdata),
    .s_axi_rresp(m_rresp),
    .s_axi_rlast(m_rlast),
    .s_axi_rvalid(m_rvalid),
    .s_axi_rready(m_rready)
);

// What never changes: whole beats, of writes with a wide port half ones too, bursts that increment, no lock, ID 0 for
// writes
wire aw_sized = m_awsize == SIZE_WORD[2:0] || (BUS > 8*B && m_awsize == SIZE_WORD[2:0] - 3'd1);
wire ar_sized = m_arsize == SIZE_WORD[2:0];

always @(posedge clk) begin
    if ($time != 0 && !rst && m_awvalid && {aw_sized, m_awburst, m_awlock, m_awcache, m_awprot, m_awid}
            != {1'b1, 2'd1, 1'b0, 4'd3, 3'd0, 2'd0}) begin
        $display("ERROR: AW with size %0d, burst %0d", m_awsize, m_awburst);
        $finish;
    end
    if ($time != 0 && !rst && m_arvalid && {ar_sized, m_arburst, m_arlock, m_arcache, m_arprot}
            != {1'b1, 2'd1, 1'b0, 4'd3, 3'd0}) begin
        $display("ERROR: AR with size %0d, burst %0d", m_arsize, m_arburst);
        $finish;
    end
end

endmodule

`resetall
