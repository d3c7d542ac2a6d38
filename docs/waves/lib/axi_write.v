// A write of 3 beats: command, beats in, the burst on the bus, and the pulse when it is answered after 3 clocks.
// signals: clk cmd_valid cmd_ready =cmd_addr =cmd_beats s_valid s_ready =s_data | m_axi_awvalid =m_axi_awaddr =m_axi_awlen m_axi_wvalid =m_axi_wdata m_axi_wlast m_axi_bvalid | done
module axi_write_wave;
`include "wave.vh"

integer     clock = 0;
integer     beat = 0;
reg         cmd = 1'b0;
reg         sending = 1'b0;
reg [2:0]   later = 3'd0;
wire        cmd_ready, s_ready, awvalid, wvalid, wlast, done;
wire [31:0] awaddr;
wire [7:0]  awlen;
wire [63:0] wdata;
wire        s_valid = sending && beat < 3;

axi_write port (
    .clk(clk), .rst(rst), .window_base(32'd0), .window_end(33'd65536), .cancel(1'b0), .idle(),
    .cmd_valid(cmd), .cmd_ready(cmd_ready), .cmd_addr(32'd512), .cmd_beats(16'd2),
    .s_valid(s_valid), .s_ready(s_ready), .s_data(64'd10 + beat), .done(done), .done_error(),
    .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awvalid(awvalid), .m_axi_awready(1'b1),
    .m_axi_wdata(wdata), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(1'b1),
    .m_axi_bid(1'b0), .m_axi_bresp(2'd0), .m_axi_bvalid(later[2]));

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(cmd)
        `BIT(cmd_ready)
        `NUMBER(cmd, 512)
        `NUMBER(cmd, 2)
        `BIT(s_valid)
        `BIT(s_ready)
        `NUMBER(s_valid, 10 + beat)
        `BIT(awvalid)
        `NUMBER(awvalid, awaddr)
        `NUMBER(awvalid, awlen)
        `BIT(wvalid)
        `NUMBER(wvalid, wdata)
        `BIT(wvalid && wlast)
        `BIT(later[2])
        `BIT(done)
        $display("");
    end
    clock   <= clock + 1;
    shown   <= clock >= 4;
    cmd     <= clock == 5;
    sending <= clock >= 5;
    if (s_valid && s_ready) beat <= beat + 1;
    later <= {later[1:0], wvalid && wlast};
    if (clock == 21) $finish;
end
endmodule
