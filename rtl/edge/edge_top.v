// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Edge-processing engine with AXI interfaces
 *
 * AXI4-Lite for control and counters, AXI4-Stream for labelled samples in, predictions out, parameters in and
 * out. Interfaces, registers and what a soft reset does: docs/edge/top.md, registers.md.
 *
 * Latency: that of its parts; docs/edge/schedule.md has the clocks of a pass.
 */
module edge_top #(
    // Number of junctions, 1 to 56
    parameter JUNCTIONS = 2,
    // Neurons of layers 0 to JUNCTIONS, 16 bits each, layer 0 in the low bits
    parameter [16*(JUNCTIONS+1)-1:0] LAYERS = {16'd4, 16'd8, 16'd16},
    // Fan-out of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] FAN_OUT = {16'd2, 16'd2},
    // Edges per clock (z) of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] LANES = {16'd4, 16'd8},
    // Activation of layers 1 to JUNCTIONS, 4 bits each, codes of edge_registers.vh; the last one must be sigmoid
    parameter [4*JUNCTIONS-1:0] ACTIVATIONS = 0,
    // Width of weights, biases, activations and deltas in bits, signed, format Q(WIDTH-FRAC-1).FRAC
    parameter WIDTH = 12,
    // Fraction bits
    parameter FRAC = 8,
    // Largest learning-rate shift
    parameter LR_MAX = 8,
    // Labels are 0 to CLASSES-1; the first CLASSES outputs stand for them
    parameter CLASSES = 4,
    // 1: one seed vector per sweep; 0: one for all sweeps
    parameter SWEEP_SEEDS = 1,
    // 1: one permutation of memories onto lanes per sweep
    parameter DITHER = 0,
    // Activations per beat of the sample stream
    parameter IN_LANES = 4,
    // Hex file of the sigmoid table
    parameter SIGMOID_FILE = "sigmoid.hex",
    // Edges per clock over fan-in of the last junction, rounded down (derived)
    parameter OUT_RATIO = {16'd0, LANES[16*(JUNCTIONS-1) +: 16]} * {16'd0, LAYERS[16*JUNCTIONS +: 16]}
        / ({16'd0, LAYERS[16*(JUNCTIONS-1) +: 16]} * {16'd0, FAN_OUT[16*(JUNCTIONS-1) +: 16]}),
    // Activations per beat of the prediction stream (derived: P of the last junction)
    parameter OUT_LANES = OUT_RATIO > 1 ? OUT_RATIO : 1,
    // Width of a lane of both streams in bits (derived)
    parameter LB = 8*((WIDTH + 7)/8)
) (
    input  wire                   clk,
    input  wire                   rst,

    // Registers
    input  wire [11:0]            s_axil_awaddr,
    input  wire [2:0]             s_axil_awprot,
    input  wire                   s_axil_awvalid,
    output wire                   s_axil_awready,
    input  wire [31:0]            s_axil_wdata,
    input  wire [3:0]             s_axil_wstrb,
    input  wire                   s_axil_wvalid,
    output wire                   s_axil_wready,
    output wire [1:0]             s_axil_bresp,
    output wire                   s_axil_bvalid,
    input  wire                   s_axil_bready,
    input  wire [11:0]            s_axil_araddr,
    input  wire [2:0]             s_axil_arprot,
    input  wire                   s_axil_arvalid,
    output wire                   s_axil_arready,
    output wire [31:0]            s_axil_rdata,
    output wire [1:0]             s_axil_rresp,
    output wire                   s_axil_rvalid,
    input  wire                   s_axil_rready,

    // Samples in
    input  wire [IN_LANES*LB-1:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    input  wire                   s_axis_tlast,
    input  wire [15:0]            s_axis_tuser,

    // Predictions out
    output wire [OUT_LANES*LB-1:0] m_axis_tdata,
    output wire                   m_axis_tvalid,
    input  wire                   m_axis_tready,
    output wire                   m_axis_tlast,
    output wire [31:0]            m_axis_tuser,

    // Parameters in
    input  wire [31:0]            s_axis_param_tdata,
    input  wire                   s_axis_param_tvalid,
    output wire                   s_axis_param_tready,
    input  wire                   s_axis_param_tlast,

    // Parameters out
    output wire [31:0]            m_axis_param_tdata,
    output wire                   m_axis_param_tvalid,
    input  wire                   m_axis_param_tready,
    output wire                   m_axis_param_tlast
);

`include "edge_schedule.vh"

`REQUIRE(g_classes, CLASSES >= 1 && CLASSES <= sch_n(JUNCTIONS),
         ("%m: CLASSES = %0d must be 1 to the %0d outputs", CLASSES, sch_n(JUNCTIONS)))

// --- registers ---

wire                   soft_rst;
wire                   start, stop, load, dump;
wire [1:0]             mode;
wire                   stochastic;
wire [4:0]             lr_shift;
wire [31:0]            nsamples;
wire [15:0]            rng_seed;
wire [7:0]             sel_junction;
wire [1:0]             sel_kind;
wire                   run_busy, run_done, stall, admit;
wire                   load_busy, dump_busy, param_err, bad_section;
wire                   predicted, correct;
wire                   drop_short, drop_long, drop_label;
wire [JUNCTIONS-1:0]   busy_ff, busy_bp, busy_up;
wire [16*JUNCTIONS-1:0] sat_ff, sat_bp, sat_up;

axil_regs #(
    .JUNCTIONS(JUNCTIONS),
    .LAYERS(LAYERS),
    .FAN_OUT(FAN_OUT),
    .LANES(LANES),
    .ACTIVATIONS(ACTIVATIONS),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .LR_MAX(LR_MAX),
    .CLASSES(CLASSES),
    .IN_LANES(IN_LANES),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER)
) regs (
    .clk(clk),
    .rst(rst),
    .s_axil_awaddr(s_axil_awaddr),
    .s_axil_awprot(s_axil_awprot),
    .s_axil_awvalid(s_axil_awvalid),
    .s_axil_awready(s_axil_awready),
    .s_axil_wdata(s_axil_wdata),
    .s_axil_wstrb(s_axil_wstrb),
    .s_axil_wvalid(s_axil_wvalid),
    .s_axil_wready(s_axil_wready),
    .s_axil_bresp(s_axil_bresp),
    .s_axil_bvalid(s_axil_bvalid),
    .s_axil_bready(s_axil_bready),
    .s_axil_araddr(s_axil_araddr),
    .s_axil_arprot(s_axil_arprot),
    .s_axil_arvalid(s_axil_arvalid),
    .s_axil_arready(s_axil_arready),
    .s_axil_rdata(s_axil_rdata),
    .s_axil_rresp(s_axil_rresp),
    .s_axil_rvalid(s_axil_rvalid),
    .s_axil_rready(s_axil_rready),
    .soft_rst(soft_rst),
    .start(start),
    .stop(stop),
    .load(load),
    .dump(dump),
    .mode(mode),
    .stochastic(stochastic),
    .lr_shift(lr_shift),
    .nsamples(nsamples),
    .rng_seed(rng_seed),
    .sel_junction(sel_junction),
    .sel_kind(sel_kind),
    .run_busy(run_busy),
    .load_busy(load_busy),
    .dump_busy(dump_busy),
    .run_done(run_done),
    .stall(stall),
    .admit(admit),
    .predicted(predicted),
    .correct(correct),
    .drop_short(drop_short),
    .drop_long(drop_long),
    .drop_label(drop_label),
    .param_err(param_err),
    .bad_section(bad_section),
    .busy_ff(busy_ff),
    .busy_bp(busy_bp),
    .busy_up(busy_up),
    .sat_ff(sat_ff),
    .sat_bp(sat_bp),
    .sat_up(sat_up)
);

// --- parameters ---

wire [7:0]  cfg_junction;
wire [1:0]  cfg_kind;
wire        cfg_shift;
wire [31:0] cfg_word;
wire        cfg_write;
wire        cfg_read;
wire [15:0] cfg_addr;
wire [31:0] cfg_out;

param_port #(
    .JUNCTIONS(JUNCTIONS),
    .LAYERS(LAYERS),
    .FAN_OUT(FAN_OUT),
    .LANES(LANES),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER)
) params (
    .clk(clk),
    .rst(rst),
    .soft_rst(soft_rst),
    .load(load),
    .dump(dump),
    .sel_junction(sel_junction),
    .sel_kind(sel_kind),
    .load_busy(load_busy),
    .dump_busy(dump_busy),
    .bad_cmd(bad_section),
    .param_err(param_err),
    .s_axis_param_tdata(s_axis_param_tdata),
    .s_axis_param_tvalid(s_axis_param_tvalid),
    .s_axis_param_tready(s_axis_param_tready),
    .s_axis_param_tlast(s_axis_param_tlast),
    .m_axis_param_tdata(m_axis_param_tdata),
    .m_axis_param_tvalid(m_axis_param_tvalid),
    .m_axis_param_tready(m_axis_param_tready),
    .m_axis_param_tlast(m_axis_param_tlast),
    .cfg_junction(cfg_junction),
    .cfg_kind(cfg_kind),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_out)
);

// --- samples in ---

wire                      act_valid;
wire [IN_LANES*WIDTH-1:0] act_data;
wire                      act_commit;
wire                      act_abort;
wire [15:0]               label;
wire                      frame_valid;
wire                      frame_take;
wire                      frame_free;

sample_loader #(
    .WIDTH(WIDTH),
    .IN_LANES(IN_LANES),
    .BEATS(sch_n(0) / IN_LANES),
    .CLASSES(CLASSES),
    .SLOTS(sch_ff_slots(1))
) loader (
    .clk(clk),
    .rst(rst),
    .soft_rst(soft_rst),
    .s_axis_tdata(s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .s_axis_tlast(s_axis_tlast),
    .s_axis_tuser(s_axis_tuser),
    .act_valid(act_valid),
    .act_data(act_data),
    .act_commit(act_commit),
    .act_abort(act_abort),
    .label(label),
    .frame_valid(frame_valid),
    .frame_take(frame_take),
    .frame_free(frame_free),
    .drop_short(drop_short),
    .drop_long(drop_long),
    .drop_label(drop_label)
);

// --- engine ---

wire                       out_room;
wire                       out_valid;
wire [OUT_LANES*WIDTH-1:0] out_data;
wire                       out_last;
wire [15:0]                out_label;

edge_engine #(
    .JUNCTIONS(JUNCTIONS),
    .LAYERS(LAYERS),
    .FAN_OUT(FAN_OUT),
    .LANES(LANES),
    .ACTIVATIONS(ACTIVATIONS),
    .WIDTH(WIDTH),
    .FRAC(FRAC),
    .LR_MAX(LR_MAX),
    .SWEEP_SEEDS(SWEEP_SEEDS),
    .DITHER(DITHER),
    .IN_LANES(IN_LANES),
    .SIGMOID_FILE(SIGMOID_FILE),
    .OUT_LANES(OUT_LANES)
) engine (
    .clk(clk),
    .rst(rst || soft_rst),
    .start(start),
    .stop(stop),
    .mode(mode),
    .stochastic(stochastic),
    .lr_shift(lr_shift),
    .nsamples(nsamples),
    .rng_seed(rng_seed),
    .busy(run_busy),
    .done(run_done),
    .stall(stall),
    .admit(admit),
    .act_valid(act_valid),
    .act_data(act_data),
    .act_commit(act_commit),
    .act_abort(act_abort),
    .label(label),
    .frame_valid(frame_valid),
    .frame_take(frame_take),
    .frame_free(frame_free),
    .out_room(out_room),
    .out_valid(out_valid),
    .out_data(out_data),
    .out_last(out_last),
    .out_label(out_label),
    .cfg_junction(cfg_junction),
    .cfg_kind(cfg_kind),
    .cfg_shift(cfg_shift),
    .cfg_word(cfg_word),
    .cfg_write(cfg_write),
    .cfg_read(cfg_read),
    .cfg_addr(cfg_addr),
    .cfg_out(cfg_out),
    .busy_ff(busy_ff),
    .busy_bp(busy_bp),
    .busy_up(busy_up),
    .sat_ff(sat_ff),
    .sat_bp(sat_bp),
    .sat_up(sat_up)
);

// --- predictions out ---

// A frame is on its way for so many passes from its admission to its last beat: a consumer that is always
// ready causes no stall.
localparam OUT_FRAMES = sch_ffo(JUNCTIONS)
    + sch_passes(sch_c(JUNCTIONS) + sch_t(JUNCTIONS) + sch_g(JUNCTIONS) + $clog2(OUT_LANES) + `EDGE_SPAN_OUT);

prediction_unit #(
    .WIDTH(WIDTH),
    .LANES(OUT_LANES),
    .GROUPS(sch_g(JUNCTIONS)),
    .CLASSES(CLASSES),
    .FRAMES(OUT_FRAMES)
) predictions (
    .clk(clk),
    .rst(rst),
    .soft_rst(soft_rst),
    .admit(admit),
    .out_room(out_room),
    .out_valid(out_valid),
    .out_data(out_data),
    .out_last(out_last),
    .out_label(out_label),
    .m_axis_tdata(m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready),
    .m_axis_tlast(m_axis_tlast),
    .m_axis_tuser(m_axis_tuser),
    .predicted(predicted),
    .correct(correct)
);

endmodule
`resetall
