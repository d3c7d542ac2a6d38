// START: the write of CTRL, the pulse in the engine, and the run that begins.
// signals: clk s_axil_awvalid s_axil_awready =s_axil_awaddr s_axil_wvalid s_axil_wready =s_axil_wdata s_axil_bvalid | start busy pass_start
module start;
`include "wave.vh"

integer     clock = 0;
reg         valid = 1'b0;
wire        awready, wready, bvalid, begin_run, busy, pass_start;
wire [31:0] nsamples;

axil_regs registers (
    .clk(clk), .rst(rst),
    .s_axil_awaddr(12'h008), .s_axil_awprot(3'd0), .s_axil_awvalid(valid), .s_axil_awready(awready),
    .s_axil_wdata(32'd1), .s_axil_wstrb(4'hF), .s_axil_wvalid(valid), .s_axil_wready(wready),
    .s_axil_bresp(), .s_axil_bvalid(bvalid), .s_axil_bready(1'b1),
    .s_axil_araddr(12'd0), .s_axil_arprot(3'd0), .s_axil_arvalid(1'b0), .s_axil_rready(1'b1),
    .start(begin_run), .nsamples(nsamples),
    .run_busy(busy), .load_busy(1'b0), .dump_busy(1'b0), .run_done(1'b0), .stall(1'b0), .admit(1'b0),
    .predicted(1'b0), .correct(1'b0), .drop_short(1'b0), .drop_long(1'b0), .drop_label(1'b0), .param_err(1'b0),
    .bad_section(1'b0), .busy_ff(2'd0), .busy_bp(2'd0), .busy_up(2'd0), .sat_ff(32'd0), .sat_bp(32'd0),
    .sat_up(32'd0));

sequencer #(.CP(4), .U(6)) sequence_of_passes (
    .clk(clk), .rst(rst), .start(begin_run), .stop(1'b0), .mode(2'd0), .nsamples(nsamples), .lr_shift(5'd4),
    .busy(busy), .frame_valid(1'b1), .out_room(1'b1), .pass_start(pass_start));

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(valid)
        `BIT(awready)
        if (valid) $write(" 008"); else $write(" -");
        `BIT(valid)
        `BIT(wready)
        if (valid) $write(" START"); else $write(" -");
        `BIT(bvalid)
        `BIT(begin_run)
        `BIT(busy)
        `BIT(pass_start)
        $display("");
    end
    clock <= clock + 1;
    shown <= clock >= 4;
    valid <= clock == 5;
    if (clock == 16) $finish;
end
endmodule
