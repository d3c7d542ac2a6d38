// A read of 4 beats: command, request, beats and the stream that comes out. The memory answers after 4 clocks.
// signals: clk cmd_valid cmd_ready =cmd_addr =cmd_beats | m_axi_arvalid =m_axi_araddr =m_axi_arlen m_axi_rvalid =m_axi_rdata m_axi_rlast | m_valid =m_data m_last
module axi_read_wave;
`include "wave.vh"

integer     clock = 0;
integer     beat = 0;
reg         cmd = 1'b0;
reg [3:0]   later = 4'd0;
wire        cmd_ready, arvalid, m_valid, m_last;
wire [31:0] araddr;
wire [7:0]  arlen;
wire [63:0] m_data;
wire        rvalid = later[3] || (beat != 0 && beat < 4);

axi_read port (
    .clk(clk), .rst(rst), .window_base(32'd0), .window_end(33'd65536), .cancel(1'b0), .idle(),
    .cmd_valid(cmd), .cmd_ready(cmd_ready), .cmd_addr(32'd256), .cmd_beats(16'd3),
    .m_valid(m_valid), .m_ready(1'b1), .m_data(m_data), .m_last(m_last), .m_error(),
    .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arvalid(arvalid), .m_axi_arready(1'b1),
    .m_axi_rid(1'b0), .m_axi_rdata(64'd10 + beat), .m_axi_rresp(2'd0), .m_axi_rlast(beat == 3),
    .m_axi_rvalid(rvalid));

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(cmd)
        `BIT(cmd_ready)
        `NUMBER(cmd, 256)
        `NUMBER(cmd, 3)
        `BIT(arvalid)
        `NUMBER(arvalid, araddr)
        `NUMBER(arvalid, arlen)
        `BIT(rvalid)
        `NUMBER(rvalid, 10 + beat)
        `BIT(rvalid && beat == 3)
        `BIT(m_valid)
        `NUMBER(m_valid, m_data)
        `BIT(m_valid && m_last)
        $display("");
    end
    clock <= clock + 1;
    shown <= clock >= 4;
    cmd   <= clock == 5;
    later <= {later[2:0], arvalid};
    if (rvalid) beat <= beat + 1;
    if (clock == 21) $finish;
end
endmodule
