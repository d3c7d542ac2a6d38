// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * Plays whole runs of edge_top from and to files, so that its user sleeps meanwhile (simulation only)
 *
 * The user sets cmd_op, cmd_addr and cmd_data and toggles cmd_req. When the command is done, cmd_ack equals
 * cmd_req, and cmd_answer and cmd_resp (the AXI response) hold the answer:
 *
 *   0 WRITE    register cmd_addr = cmd_data
 *   1 READ     register cmd_addr
 *   2 WAIT     READ again and again until its bits cmd_data are 0
 *   3 SAMPLES  start to send the cmd_data frames of samples.bin; done at once
 *   4 COLLECT  start to write cmd_data predictions to predictions.bin; done at once
 *   5 ALARM    wake the user when the cmd_data-th prediction has come, too; done at once
 *   6 LOAD     send the next cmd_data words of params_in.bin as one frame; done when they have been taken
 *   7 DUMP     append the words of one frame to params_out.bin; done when it is complete
 *
 * cmd_addr of LOAD and DUMP: bit 0 opens the file anew first, bit 1 closes it at the end.
 * `wake` toggles whenever a command is done, at the alarm, and when predictions.bin is complete.
 *
 * Files: samples.bin holds a record per beat, its label and its lanes, the highest first, all big-endian;
 * params_in.bin big-endian words of 32 bits. predictions.bin holds a record per frame, output activations in
 * natural order, filled up to a multiple of 4 bytes, and 4 bytes of tuser; params_out.bin words of 32 bits; both
 * little-endian. Streams run at one beat per clock.
 *
 * There are at least two outputs, so at least two beats per prediction.
 *
 * It makes its own clock, which costs a simulator less than one from outside; with EXTERNAL_CLOCK defined it has a
 * clock input instead.
 */
module train_harness #
(
    // all of edge_top
    parameter JUNCTIONS = 2,
    parameter [16*(JUNCTIONS+1)-1:0] LAYERS = {16'd4, 16'd8, 16'd16},
    parameter [16*JUNCTIONS-1:0] FAN_OUT = {16'd2, 16'd2},
    parameter [16*JUNCTIONS-1:0] LANES = {16'd4, 16'd8},
    parameter [4*JUNCTIONS-1:0] ACTIVATIONS = 0,
    parameter WIDTH = 12,
    parameter FRAC = 8,
    parameter LR_MAX = 8,
    parameter CLASSES = 4,
    parameter SWEEP_SEEDS = 1,
    parameter DITHER = 0,
    parameter IN_LANES = 4,
    parameter SIGMOID_FILE = "sigmoid.hex"
)
(
`ifdef EXTERNAL_CLOCK
    input  wire        clk,
`endif
    input  wire        rst,

    input  wire        cmd_req,
    input  wire [2:0]  cmd_op,
    input  wire [11:0] cmd_addr,
    input  wire [31:0] cmd_data,
    output wire        cmd_ack,
    output wire [31:0] cmd_answer,
    output wire [1:0]  cmd_resp,

    output wire        wake,
    output wire [31:0] now,          // clocks since reset
    output wire [31:0] predictions,  // since COLLECT
    output wire [31:0] correct       // of these, class equal to label
);

`include "edge_schedule.vh"

`ifndef EXTERNAL_CLOCK
reg clk;

initial clk = 1'b0;
always #5 clk = !clk;
`endif

localparam LB = 8*((WIDTH + 7)/8);
localparam OUT_LANES = sch_p(JUNCTIONS);
localparam IN_BEATS = sch_n(0)/IN_LANES;
localparam OUT_BEATS = sch_g(JUNCTIONS);
localparam BEAT = OUT_LANES*LB;
localparam FRAME = 32*((OUT_BEATS*BEAT + 31)/32);

localparam [2:0] OP_WRITE = 3'd0;
localparam [2:0] OP_READ = 3'd1;
localparam [2:0] OP_WAIT = 3'd2;
localparam [2:0] OP_SAMPLES = 3'd3;
localparam [2:0] OP_COLLECT = 3'd4;
localparam [2:0] OP_ALARM = 3'd5;
localparam [2:0] OP_LOAD = 3'd6;
localparam [2:0] OP_DUMP = 3'd7;

reg         ack_reg;
reg         wake_reg;
reg         busy_reg;
reg  [31:0] answer_reg;
reg  [1:0]  resp_reg;
reg  [31:0] now_reg;

wire        go = cmd_req != ack_reg && !busy_reg;
wire        progress;
wire        done;

assign cmd_ack = ack_reg;
assign cmd_answer = answer_reg;
assign cmd_resp = resp_reg;
assign wake = wake_reg;
assign now = now_reg;

/*
 * AXI4-Lite
 */
reg         awvalid_reg, wvalid_reg, arvalid_reg;
wire        awready, wready, bvalid, arready, rvalid;
wire [1:0]  bresp, rresp;
wire [31:0] rdata;
wire        reads = cmd_op == OP_READ || cmd_op == OP_WAIT;
wire        again = rvalid && cmd_op == OP_WAIT && (rdata & cmd_data) != 32'd0;
wire        answered = bvalid || (rvalid && !again);

always @(posedge clk) begin
    awvalid_reg <= (go && cmd_op == OP_WRITE) || (awvalid_reg && !awready);
    wvalid_reg <= (go && cmd_op == OP_WRITE) || (wvalid_reg && !wready);
    arvalid_reg <= (go && reads) || again || (arvalid_reg && !arready);
    if (answered) begin
        answer_reg <= rdata;
        resp_reg <= bvalid ? bresp : rresp;
    end
    if (rst) begin
        awvalid_reg <= 1'b0;
        wvalid_reg <= 1'b0;
        arvalid_reg <= 1'b0;
    end
end

/*
 * Samples
 */
localparam RECORD = 16 + IN_LANES*LB;

wire [RECORD-1:0] s_record;
wire              s_valid, s_ready, s_last;
wire              unused_done;

file_source #(
    .WIDTH(RECORD),
    .FILE("samples.bin")
) samples (
    .clk(clk),
    .rst(rst),
    .go(go && cmd_op == OP_SAMPLES),
    .first(1'b1),
    .last(1'b1),
    .frames(cmd_data),
    .beats(IN_BEATS),
    .m_valid(s_valid),
    .m_ready(s_ready),
    .m_data(s_record),
    .m_last(s_last),
    .done(unused_done)
);

/*
 * Predictions
 */
reg  [31:0]       left_reg;       // predictions to come
reg  [31:0]       count_reg;
reg  [31:0]       correct_reg;
reg  [31:0]       alarm_reg;
wire [BEAT-1:0]   m_data;
wire              m_valid, m_last;
wire [31:0]       m_user;
wire              m_ready = left_reg != 32'd0;
wire              predicted = m_valid && m_ready && m_last;
wire              collect = go && cmd_op == OP_COLLECT;
wire [OUT_BEATS*BEAT-1:0] m_frame;

reg  [(OUT_BEATS-1)*BEAT-1:0] before_reg;  // beats of the frame that are here, the newest on top

assign m_frame = {m_data, before_reg};

always @(posedge clk) begin
    if (m_valid) begin
        before_reg <= m_frame[OUT_BEATS*BEAT-1:BEAT];
    end
end

file_sink #(
    .WIDTH(32 + FRAME),
    .FILE("predictions.bin")
) predictions_file (
    .clk(clk),
    .open(collect),
    .valid(predicted),
    .data({m_user, {FRAME-OUT_BEATS*BEAT{1'b0}}, m_frame}),
    .close(left_reg == 32'd1)
);

assign predictions = count_reg;
assign correct = correct_reg;
assign progress = predicted && (left_reg == 32'd1 || count_reg + 32'd1 == alarm_reg);

always @(posedge clk) begin
    if (go && cmd_op == OP_ALARM) begin
        alarm_reg <= cmd_data;
    end
    if (collect) begin
        left_reg <= cmd_data;
        count_reg <= 32'd0;
        correct_reg <= 32'd0;
    end else if (predicted) begin
        left_reg <= left_reg - 32'd1;
        count_reg <= count_reg + 32'd1;
        correct_reg <= correct_reg + {31'd0, m_user[31:16] == m_user[15:0]};
    end
    if (rst) begin
        left_reg <= 32'd0;
        alarm_reg <= 32'd0;
    end
end

/*
 * Parameters
 */
wire        p_valid, p_ready, p_last, p_done;
wire [31:0] p_data;
wire        d_valid, d_last;
wire [31:0] d_data;
wire        dumping = busy_reg && cmd_op == OP_DUMP;

file_source #(
    .WIDTH(32),
    .FILE("params_in.bin")
) params_in (
    .clk(clk),
    .rst(rst),
    .go(go && cmd_op == OP_LOAD),
    .first(cmd_addr[0]),
    .last(cmd_addr[1]),
    .frames(32'd1),
    .beats(cmd_data),
    .m_valid(p_valid),
    .m_ready(p_ready),
    .m_data(p_data),
    .m_last(p_last),
    .done(p_done)
);

file_sink #(
    .WIDTH(32),
    .FILE("params_out.bin")
) params_out (
    .clk(clk),
    .open(go && cmd_op == OP_DUMP && cmd_addr[0]),
    .valid(dumping && d_valid),
    .data(d_data),
    .close(d_last && cmd_addr[1])
);

/*
 * Commands
 */
wire quick = cmd_op == OP_SAMPLES || cmd_op == OP_COLLECT || cmd_op == OP_ALARM;

assign done = (go && quick) || (busy_reg && (answered
        || p_done || (dumping && d_valid && d_last)));

always @(posedge clk) begin
    now_reg <= now_reg + 32'd1;
    busy_reg <= (busy_reg || go) && !done;
    if (done) begin
        ack_reg <= cmd_req;
    end
    if (done || progress) begin
        wake_reg <= !wake_reg;
    end
    if (rst) begin
        now_reg <= 32'd0;
        busy_reg <= 1'b0;
        ack_reg <= 1'b0;
        wake_reg <= 1'b0;
    end
end

edge_top #(
    .JUNCTIONS(JUNCTIONS),
    .LAYERS(LAYERS),
    .FAN_OUT(FAN_OUT),
    .LANES(LANES),
    .ACTIVATIONS(ACTIVATIONS),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .LR_MAX(LR_MAX),
    .CLASSES(CLASSES),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER),
    .IN_LANES(IN_LANES),
    .SIGMOID_FILE(SIGMOID_FILE)
) top (
    .clk(clk),
    .rst(rst),
    .s_axil_awaddr(cmd_addr),
    .s_axil_awprot(3'd0),
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
    .s_axil_arprot(3'd0),
    .s_axil_arvalid(arvalid_reg),
    .s_axil_arready(arready),
    .s_axil_rdata(rdata),
    .s_axil_rresp(rresp),
    .s_axil_rvalid(rvalid),
    .s_axil_rready(1'b1),
    .s_axis_tdata(s_record[IN_LANES*LB-1:0]),
    .s_axis_tvalid(s_valid),
    .s_axis_tready(s_ready),
    .s_axis_tlast(s_last),
    .s_axis_tuser(s_record[RECORD-1:IN_LANES*LB]),
    .m_axis_tdata(m_data),
    .m_axis_tvalid(m_valid),
    .m_axis_tready(m_ready),
    .m_axis_tlast(m_last),
    .m_axis_tuser(m_user),
    .s_axis_param_tdata(p_data),
    .s_axis_param_tvalid(p_valid),
    .s_axis_param_tready(p_ready),
    .s_axis_param_tlast(p_last),
    .m_axis_param_tdata(d_data),
    .m_axis_param_tvalid(d_valid),
    .m_axis_param_tready(dumping),
    .m_axis_param_tlast(d_last)
);

endmodule

`resetall
