// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Memory unit: three readers and a writer behind one AXI4 master port
 *
 * Reader 0 is that of the program, 1 of the load engine, 2 of the store engine; reader n uses ID n, writes ID 0.
 * Commands and beats of B bytes become bursts inside the windows (axi_read, axi_write), the readers take turns
 * (axi_read_mux), and a beat becomes parts of BUS bits (axi_narrow). Vectors over readers have reader 0 in the low
 * bits.
 *
 * With BUS = 16*B the port is wide: commands of the store engine have beats of 16*B bits, or of 8*B where rd_half or
 * wr_half say so, as all of the other readers have. Such are read in pairs (axi_read), of which reader 1 can take both
 * words at once; they are written one by one, in one half of the bus.
 *
 * Latency: read command taken to m_axi_arvalid 5 clocks, m_axi_rvalid to rd_valid 2 clocks; final beat of a burst taken
 * to m_axi_awvalid 2 clocks; its answer to wr_done 1 clock. A beat takes 8*B/BUS clocks of the bus in each direction.
 *
 * Handshakes: valid and ready. A stream of a reader ends with rd_last; rd_error in place of the last beat says why
 * there is none. Every write command is answered by wr_done. `cancel` drops what has not begun, and what was begun is
 * completed: all streams may fall.
 */
module memory_unit #(
    // Bytes of a beat of the engines, a power of two, 8 ... 64
    parameter B = 32,
    // Bits of a beat at the port: 16*B, 8*B, or that divided by 2, 4, 8 or 16
    parameter BUS = 8*B,
    // Beats in the FIFO of a reader of an engine, and in that of the writer, at least 32
    parameter READ_FIFO = 128,
    parameter WRITE_FIFO = 64,
    // Bursts on their way, of a reader of an engine and of the writer, 1 ... 64
    parameter OUTSTANDING = 8,
    // B-byte words of a beat of the bus (derived)
    parameter WIDE = BUS > 8*B ? 2 : 1
) (
    input  wire                clk,
    input  wire                rst,            // synchronous, active high: forgets everything

    input  wire [31:0]         read_base,      // window of reads: first byte, and byte behind the last
    input  wire [32:0]         read_end,
    input  wire [31:0]         write_base,     // window of writes, the same
    input  wire [32:0]         write_end,
    input  wire                cancel,         // drop what has not begun
    output wire                idle,           // no reader and no writer has anything to do

    input  wire [2:0]          rd_cmd_valid,   // read commands
    output wire [2:0]          rd_cmd_ready,
    input  wire [3*32-1:0]     rd_cmd_addr,    // bytes, a multiple of a beat
    input  wire [3*16-1:0]     rd_cmd_beats,   // beats less one
    input  wire                rd_half,        // reader 2: beats of B bytes, in the low bits (if the port is wide)
    output wire [2:0]          rd_valid,       // beats that were read
    input  wire [2:0]          rd_ready,
    output wire [(1+2*WIDE)*8*B-1:0] rd_data,  // of readers 1 and 2 a wide beat; beats of B bytes in its low bits
    output wire                rd_pair,        // reader 1: the next beat of B bytes is there too, in the high bits
    input  wire                rd_both,        // reader 1: both are taken (with rd_ready)
    output wire [2:0]          rd_last,        // final item of a command (with rd_pair the second one)
    output wire [3*2-1:0]      rd_error,       // not 0: no beat, but 1 refused, 2 SLVERR, 3 DECERR
    output wire [2:0]          read_beats,     // a beat, or two at once, is taken from the reader, for the counters

    input  wire                wr_cmd_valid,   // write commands
    output wire                wr_cmd_ready,
    input  wire [31:0]         wr_cmd_addr,
    input  wire [15:0]         wr_cmd_beats,
    input  wire                wr_half,        // beats of B bytes, in the low bits (if the port is wide)
    input  wire                wr_valid,       // their beats
    output wire                wr_ready,
    input  wire [WIDE*8*B-1:0] wr_data,
    output wire                wr_done,        // pulse: the next command is done
    output wire [1:0]          wr_error,       // with wr_done: 0, 1 refused, 2 SLVERR, 3 DECERR
    output wire                written_beat,   // a beat leaves for the bus, for the counters

    output wire [1:0]          m_axi_awid,     // always 0
    output wire [31:0]         m_axi_awaddr,
    output wire [7:0]          m_axi_awlen,
    output wire [2:0]          m_axi_awsize,
    output wire [1:0]          m_axi_awburst,
    output wire                m_axi_awlock,
    output wire [3:0]          m_axi_awcache,
    output wire [2:0]          m_axi_awprot,
    output wire                m_axi_awvalid,
    input  wire                m_axi_awready,
    output wire [BUS-1:0]      m_axi_wdata,
    output wire [BUS/8-1:0]    m_axi_wstrb,
    output wire                m_axi_wlast,
    output wire                m_axi_wvalid,
    input  wire                m_axi_wready,
    input  wire [1:0]          m_axi_bid,      // ignored
    input  wire [1:0]          m_axi_bresp,
    input  wire                m_axi_bvalid,
    output wire                m_axi_bready,
    output wire [1:0]          m_axi_arid,
    output wire [31:0]         m_axi_araddr,
    output wire [7:0]          m_axi_arlen,
    output wire [2:0]          m_axi_arsize,
    output wire [1:0]          m_axi_arburst,
    output wire                m_axi_arlock,
    output wire [3:0]          m_axi_arcache,
    output wire [2:0]          m_axi_arprot,
    output wire                m_axi_arvalid,
    input  wire                m_axi_arready,
    input  wire [1:0]          m_axi_rid,
    input  wire [BUS-1:0]      m_axi_rdata,
    input  wire [1:0]          m_axi_rresp,
    input  wire                m_axi_rlast,
    input  wire                m_axi_rvalid,
    output wire                m_axi_rready
);

localparam DW = WIDE*8*B;

// Requests and beats of the readers
wire [3*32-1:0] ar_addr;
wire [3*8-1:0]  ar_len;
wire [3*3-1:0]  ar_size;
wire [3*2-1:0]  ar_burst;
wire [2:0]      ar_lock;
wire [3*4-1:0]  ar_cache;
wire [3*3-1:0]  ar_prot;
wire [2:0]      ar_id, ar_valid, ar_ready;
wire [DW-1:0]   r_data;
wire [1:0]      r_resp;
wire            r_last;
wire [2:0]      r_valid, r_ready;
wire            aw_id;

// Beats before the bus
wire [7:0]      b_awlen, b_arlen;
wire [2:0]      b_awsize, b_arsize;
wire [DW-1:0]   b_wdata, b_rdata;
wire [DW/8-1:0] b_wstrb;
wire            b_wlast, b_wvalid, b_wready, b_rlast, b_rvalid, b_rready;
wire [1:0]      b_rid, b_rresp;

wire [2:0]      read_idle, pair, last;
wire            write_idle;

assign idle = &read_idle && write_idle;
assign rd_pair = pair[1];
assign rd_last = last & {!pair[2], 1'b1, !pair[0]};
assign written_beat = b_wvalid && b_wready;
assign read_beats = rd_valid & rd_ready & ~{rd_error[5:4] != 2'd0, rd_error[3:2] != 2'd0, rd_error[1:0] != 2'd0};

genvar i;

generate
    for (i = 0; i < 3; i = i + 1) begin : g_read
        // Bits of its beats
        localparam OWN = i == 0 ? 8*B : DW;
        localparam PLACE = i == 0 ? 0 : 8*B + (i - 1)*DW;

        axi_read #(
            .ADDR_WIDTH(32),
            .DATA_WIDTH(DW),
            .HALF(WIDE - 1),
            .M_WIDTH(OWN),
            .FIFO_DEPTH(i == 0 ? 32 : READ_FIFO),
            .OUTSTANDING(i == 0 ? 2 : OUTSTANDING)
        ) port (
            .clk(clk),
            .rst(rst),
            .window_base(read_base),
            .window_end(read_end),
            .cancel(cancel),
            .idle(read_idle[i]),
            .cmd_valid(rd_cmd_valid[i]),
            .cmd_ready(rd_cmd_ready[i]),
            .cmd_addr(rd_cmd_addr[32*i +: 32]),
            .cmd_beats(rd_cmd_beats[16*i +: 16]),
            .cmd_half(i != 2 || rd_half),
            .m_valid(rd_valid[i]),
            .m_ready(rd_ready[i]),
            .m_data(rd_data[PLACE +: OWN]),
            .m_pair(pair[i]),
            .m_both(i == 1 && rd_both),
            .m_last(last[i]),
            .m_error(rd_error[2*i +: 2]),
            .m_axi_arid(ar_id[i]),
            .m_axi_araddr(ar_addr[32*i +: 32]),
            .m_axi_arlen(ar_len[8*i +: 8]),
            .m_axi_arsize(ar_size[3*i +: 3]),
            .m_axi_arburst(ar_burst[2*i +: 2]),
            .m_axi_arlock(ar_lock[i]),
            .m_axi_arcache(ar_cache[4*i +: 4]),
            .m_axi_arprot(ar_prot[3*i +: 3]),
            .m_axi_arvalid(ar_valid[i]),
            .m_axi_arready(ar_ready[i]),
            .m_axi_rid(1'b0),
            .m_axi_rdata(r_data),
            .m_axi_rresp(r_resp),
            .m_axi_rlast(r_last),
            .m_axi_rvalid(r_valid[i]),
            .m_axi_rready(r_ready[i])
        );
    end
endgenerate

axi_read_mux #(
    .N(3),
    .ID_WIDTH(2),
    .ADDR_WIDTH(32),
    .DATA_WIDTH(DW)
) readers (
    .clk(clk),
    .rst(rst),
    .s_axi_araddr(ar_addr),
    .s_axi_arlen(ar_len),
    .s_axi_arsize(ar_size),
    .s_axi_arburst(ar_burst),
    .s_axi_arlock(ar_lock),
    .s_axi_arcache(ar_cache),
    .s_axi_arprot(ar_prot),
    .s_axi_arvalid(ar_valid),
    .s_axi_arready(ar_ready),
    .s_axi_rdata(r_data),
    .s_axi_rresp(r_resp),
    .s_axi_rlast(r_last),
    .s_axi_rvalid(r_valid),
    .s_axi_rready(r_ready),
    .m_axi_arid(m_axi_arid),
    .m_axi_araddr(m_axi_araddr),
    .m_axi_arlen(b_arlen),
    .m_axi_arsize(b_arsize),
    .m_axi_arburst(m_axi_arburst),
    .m_axi_arlock(m_axi_arlock),
    .m_axi_arcache(m_axi_arcache),
    .m_axi_arprot(m_axi_arprot),
    .m_axi_arvalid(m_axi_arvalid),
    .m_axi_arready(m_axi_arready),
    .m_axi_rid(b_rid),
    .m_axi_rdata(b_rdata),
    .m_axi_rresp(b_rresp),
    .m_axi_rlast(b_rlast),
    .m_axi_rvalid(b_rvalid),
    .m_axi_rready(b_rready)
);

axi_write #(
    .ADDR_WIDTH(32),
    .DATA_WIDTH(DW),
    .HALF(WIDE - 1),
    .FIFO_DEPTH(WRITE_FIFO),
    .OUTSTANDING(OUTSTANDING)
) writer (
    .clk(clk),
    .rst(rst),
    .window_base(write_base),
    .window_end(write_end),
    .cancel(cancel),
    .idle(write_idle),
    .cmd_valid(wr_cmd_valid),
    .cmd_ready(wr_cmd_ready),
    .cmd_addr(wr_cmd_addr),
    .cmd_beats(wr_cmd_beats),
    .cmd_half(wr_half),
    .s_valid(wr_valid),
    .s_ready(wr_ready),
    .s_data(wr_data),
    .done(wr_done),
    .done_error(wr_error),
    .m_axi_awid(aw_id),
    .m_axi_awaddr(m_axi_awaddr),
    .m_axi_awlen(b_awlen),
    .m_axi_awsize(b_awsize),
    .m_axi_awburst(m_axi_awburst),
    .m_axi_awlock(m_axi_awlock),
    .m_axi_awcache(m_axi_awcache),
    .m_axi_awprot(m_axi_awprot),
    .m_axi_awvalid(m_axi_awvalid),
    .m_axi_awready(m_axi_awready),
    .m_axi_wdata(b_wdata),
    .m_axi_wstrb(b_wstrb),
    .m_axi_wlast(b_wlast),
    .m_axi_wvalid(b_wvalid),
    .m_axi_wready(b_wready),
    .m_axi_bid(1'b0),
    .m_axi_bresp(m_axi_bresp),
    .m_axi_bvalid(m_axi_bvalid),
    .m_axi_bready(m_axi_bready)
);

axi_narrow #(
    .S_WIDTH(DW),
    .M_WIDTH(BUS),
    .IDS(3)
) bus (
    .clk(clk),
    .rst(rst),
    .s_axi_awlen(b_awlen),
    .s_axi_awsize(b_awsize),
    .s_axi_wdata(b_wdata),
    .s_axi_wstrb(b_wstrb),
    .s_axi_wlast(b_wlast),
    .s_axi_wvalid(b_wvalid),
    .s_axi_wready(b_wready),
    .s_axi_arlen(b_arlen),
    .s_axi_arsize(b_arsize),
    .s_axi_rid(b_rid),
    .s_axi_rdata(b_rdata),
    .s_axi_rresp(b_rresp),
    .s_axi_rlast(b_rlast),
    .s_axi_rvalid(b_rvalid),
    .s_axi_rready(b_rready),
    .m_axi_awlen(m_axi_awlen),
    .m_axi_awsize(m_axi_awsize),
    .m_axi_wdata(m_axi_wdata),
    .m_axi_wstrb(m_axi_wstrb),
    .m_axi_wlast(m_axi_wlast),
    .m_axi_wvalid(m_axi_wvalid),
    .m_axi_wready(m_axi_wready),
    .m_axi_arlen(m_axi_arlen),
    .m_axi_arsize(m_axi_arsize),
    .m_axi_rid(m_axi_rid),
    .m_axi_rdata(m_axi_rdata),
    .m_axi_rresp(m_axi_rresp),
    .m_axi_rlast(m_axi_rlast),
    .m_axi_rvalid(m_axi_rvalid),
    .m_axi_rready(m_axi_rready)
);

assign m_axi_awid = 2'd0;

wire unused = &{1'b0, m_axi_bid, aw_id, ar_id, pair};

endmodule
`resetall
