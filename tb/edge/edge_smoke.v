// SPDX-License-Identifier: Apache-2.0
`timescale 1ns / 1ps
`resetall
`default_nettype none
`include "edge_registers.vh"
/*
 * First look at edge_top in any Verilog simulator: reads what it is, loads weights of junction 1 and dumps them again
 *
 * Needs nothing but a simulator. Prints PASS and ends; at a fault it prints what was wrong and stops. What the engine
 * computes is tested by the cocotb benches.
 */
module edge_smoke;

// Weights of junction 1 with the default parameters: 16 neurons, fan-out 2
localparam WEIGHTS = 32;
localparam [1:0] OKAY = 2'd0;

reg         clk;
reg         rst;
reg  [11:0] awaddr, araddr;
reg  [31:0] wdata;
reg         awvalid, wvalid, arvalid;
wire        awready, wready, bvalid, arready, rvalid;
wire [1:0]  bresp, rresp;
wire [31:0] rdata;
reg  [31:0] in_data;
reg         in_valid, in_last;
wire        in_ready;
wire [31:0] out_data;
wire        out_valid, out_last;
reg         out_ready;
reg  [31:0] got;
integer     n;

edge_top #(
    .WIDTH(8),
    .FRAC(4),
    .SIGMOID_FILE("edge_smoke.hex")
) top (
    .clk(clk),
    .rst(rst),
    .s_axil_awaddr(awaddr),
    .s_axil_awprot(3'd0),
    .s_axil_awvalid(awvalid),
    .s_axil_awready(awready),
    .s_axil_wdata(wdata),
    .s_axil_wstrb(4'hF),
    .s_axil_wvalid(wvalid),
    .s_axil_wready(wready),
    .s_axil_bresp(bresp),
    .s_axil_bvalid(bvalid),
    .s_axil_bready(1'b1),
    .s_axil_araddr(araddr),
    .s_axil_arprot(3'd0),
    .s_axil_arvalid(arvalid),
    .s_axil_arready(arready),
    .s_axil_rdata(rdata),
    .s_axil_rresp(rresp),
    .s_axil_rvalid(rvalid),
    .s_axil_rready(1'b1),
    .s_axis_tdata(32'd0),
    .s_axis_tvalid(1'b0),
    .s_axis_tready(),
    .s_axis_tlast(1'b0),
    .s_axis_tuser(16'd0),
    .m_axis_tdata(),
    .m_axis_tvalid(),
    .m_axis_tready(1'b1),
    .m_axis_tlast(),
    .m_axis_tuser(),
    .s_axis_param_tdata(in_data),
    .s_axis_param_tvalid(in_valid),
    .s_axis_param_tready(in_ready),
    .s_axis_param_tlast(in_last),
    .m_axis_param_tdata(out_data),
    .m_axis_param_tvalid(out_valid),
    .m_axis_param_tready(out_ready),
    .m_axis_param_tlast(out_last)
);

initial clk = 1'b0;
always #5 clk = !clk;

// A weight of 8 bits, sign-extended as on the stream
function [31:0] weight(input integer place);
    reg [7:0] bits;
    begin
        bits = place * 8'd37 + 8'd5;
        weight = {{24{bits[7]}}, bits};
    end
endfunction

task check(input [31:0] seen, input [31:0] wanted);
    if (seen !== wanted) begin
        $display("FAIL: %h in place of %h", seen, wanted);
        $stop;
    end
endtask

task write(input [9:0] word, input [31:0] value);
    begin
        awaddr <= {word, 2'd0};
        wdata <= value;
        awvalid <= 1'b1;
        wvalid <= 1'b1;
        @(posedge clk);
        while (!(awready && wready)) @(posedge clk);
        awvalid <= 1'b0;
        wvalid <= 1'b0;
        while (!bvalid) @(posedge clk);
        check({30'd0, bresp}, {30'd0, OKAY});
    end
endtask

task read(input [9:0] word);
    begin
        araddr <= {word, 2'd0};
        arvalid <= 1'b1;
        @(posedge clk);
        while (!arready) @(posedge clk);
        arvalid <= 1'b0;
        while (!rvalid) @(posedge clk);
        check({30'd0, rresp}, {30'd0, OKAY});
        got = rdata;
    end
endtask

// Ends a simulation in which something never comes
initial begin
    #100000;
    $display("FAIL: no end");
    $stop;
end

initial begin
    rst = 1'b1;
    {awvalid, wvalid, arvalid, in_valid, in_last, out_ready} = 6'd0;
    repeat (2) @(posedge clk);
    rst <= 1'b0;
    @(posedge clk);
    read(`EDGE_ID);
    check(got, `EDGE_ID_VALUE);
    read(`EDGE_VERSION);
    check(got, `EDGE_VERSION_VALUE);
    read(`EDGE_JUNCTIONS);
    check(got, 32'd2);

    write(`EDGE_PARAM_SEL, {22'd0, `EDGE_KIND_WEIGHTS, 8'd1});
    write(`EDGE_CTRL, 32'd1 << `EDGE_CTRL_LOAD);
    for (n = 0; n < WEIGHTS; n = n + 1) begin
        in_data <= weight(n);
        in_last <= n == WEIGHTS - 1;
        in_valid <= 1'b1;
        @(posedge clk);
        while (!in_ready) @(posedge clk);
    end
    in_valid <= 1'b0;
    got = 32'd1 << `EDGE_STATUS_LOAD_BUSY;
    while (got[`EDGE_STATUS_LOAD_BUSY]) read(`EDGE_STATUS);
    check({31'd0, got[`EDGE_STATUS_PARAM_ERR]}, 32'd0);

    write(`EDGE_CTRL, 32'd1 << `EDGE_CTRL_DUMP);
    out_ready <= 1'b1;
    for (n = 0; n < WEIGHTS; n = n + 1) begin
        @(posedge clk);
        while (!out_valid) @(posedge clk);
        check(out_data, weight(n));
        check({31'd0, out_last}, n == WEIGHTS - 1);
    end
    $display("PASS: edge_top has kept %0d weights", WEIGHTS);
    $finish;
end

endmodule
`resetall
