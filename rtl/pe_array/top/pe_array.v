// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * PE array: training of sparse networks from programs in memory
 *
 * AXI4-Lite registers start a program; its descriptors are fetched, handed to the load, compute and store engine, and
 * executed on the grid of PEs. Registers, descriptors, errors and stops: docs/pe_array/program.md.
 *
 * array_regs and array_control have registers and run control, program_unit fetches and hands out descriptors,
 * array_core executes them, memory_unit has the AXI4 master. A beat of the engines is B bytes, and BUS/8 bytes at the
 * port. Reads: ID 0 program, 1 load engine, 2 store engine; writes: ID 0.
 *
 * Latency: no register of its own. Answers of registers come as axil_slave says; from `run` to the first m_axi_arvalid
 * there are 2 clocks in program_unit and 5 in memory_unit.
 *
 * Handshakes: AXI4-Lite and AXI4. A stop resets program unit and core, while the memory unit completes the bursts that
 * have begun.
 */
module pe_array #(
    // PEs, a power of two, 1 ... 64
    parameter P = 32,
    // Images of a batch and bytes of a beat of the engine, a power of two, 8 ... 64
    parameter B = 32,
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32,
    // Words of the memories of a PE, powers of two, see pe.v
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    parameter T_DEPTH = 64,
    // Groups of neighbouring PEs with counters of their own, a power of two, at most P
    parameter GROUPS = P < 4 ? P : 4,
    // Fraction bits of the logits, 0 ... 7
    parameter FRAC = 4,
    // 1: deltas with softmax too; 0: with sigmoid alone
    parameter SOFTMAX = 1,
    // Bits of activations, gradients of maps and MAC weights, 4 ... 8 (in memory and in the PEs they are bytes)
    parameter DATA = 8,
    // Bits of a master weight, 16 ... 32 (in memory it has 32)
    parameter MASTER = 24,
    // 1: there are multipliers of outputs; 0: all are 1.0
    parameter SCALE = 1,
    // Bits of a beat at the port: 16*B (a wide port, at most 512), 8*B, or that divided by 2, 4, 8 or 16
    parameter BUS = 8*B,
    // Registers of the broadcast of loads, at least 1; words that can wait at a PE; gradients that can wait there
    parameter STAGES = 2,
    parameter MAP_DEPTH = 16,
    parameter GRAD_DEPTH = 16,
    // Descriptors in the queue of an engine, at least 3, and taken and not done by the load engine, at least 2
    parameter QUEUE_DEPTH = 8,
    parameter LOAD_DEPTH = 32,
    // Of the AXI ports of load and store engine: beats in the FIFO, at least 32, and bursts on their way, 1 ... 64
    parameter READ_FIFO = 128,
    parameter WRITE_FIFO = 64,
    parameter OUTSTANDING = 8
) (
    input  wire           clk,
    input  wire           rst,             // synchronous, active high

    // Registers
    input  wire [11:0]    s_axil_awaddr,
    input  wire [2:0]     s_axil_awprot,
    input  wire           s_axil_awvalid,
    output wire           s_axil_awready,
    input  wire [31:0]    s_axil_wdata,
    input  wire [3:0]     s_axil_wstrb,
    input  wire           s_axil_wvalid,
    output wire           s_axil_wready,
    output wire [1:0]     s_axil_bresp,
    output wire           s_axil_bvalid,
    input  wire           s_axil_bready,
    input  wire [11:0]    s_axil_araddr,
    input  wire [2:0]     s_axil_arprot,
    input  wire           s_axil_arvalid,
    output wire           s_axil_arready,
    output wire [31:0]    s_axil_rdata,
    output wire [1:0]     s_axil_rresp,
    output wire           s_axil_rvalid,
    input  wire           s_axil_rready,

    // Memory
    output wire [1:0]     m_axi_awid,      // always 0
    output wire [31:0]    m_axi_awaddr,
    output wire [7:0]     m_axi_awlen,
    output wire [2:0]     m_axi_awsize,
    output wire [1:0]     m_axi_awburst,
    output wire           m_axi_awlock,
    output wire [3:0]     m_axi_awcache,
    output wire [2:0]     m_axi_awprot,
    output wire           m_axi_awvalid,
    input  wire           m_axi_awready,
    output wire [BUS-1:0] m_axi_wdata,
    output wire [BUS/8-1:0] m_axi_wstrb,
    output wire           m_axi_wlast,
    output wire           m_axi_wvalid,
    input  wire           m_axi_wready,
    input  wire [1:0]     m_axi_bid,       // ignored
    input  wire [1:0]     m_axi_bresp,
    input  wire           m_axi_bvalid,
    output wire           m_axi_bready,
    output wire [1:0]     m_axi_arid,
    output wire [31:0]    m_axi_araddr,
    output wire [7:0]     m_axi_arlen,
    output wire [2:0]     m_axi_arsize,
    output wire [1:0]     m_axi_arburst,
    output wire           m_axi_arlock,
    output wire [3:0]     m_axi_arcache,
    output wire [2:0]     m_axi_arprot,
    output wire           m_axi_arvalid,
    input  wire           m_axi_arready,
    input  wire [1:0]     m_axi_rid,
    input  wire [BUS-1:0] m_axi_rdata,
    input  wire [1:0]     m_axi_rresp,
    input  wire           m_axi_rlast,
    input  wire           m_axi_rvalid,
    output wire           m_axi_rready
);

`REQUIRE(g_b, B == 8 || B == 16 || B == 32 || B == 64, ("%m: B = %0d must be 8, 16, 32 or 64", B))
`REQUIRE(g_bus, BUS == 8*B || 2*BUS == 8*B || 4*BUS == 8*B || 8*BUS == 8*B || 16*BUS == 8*B || (BUS == 16*B && B <= 32),
         ("%m: BUS = %0d must be 16*B (at most 512), 8*B, or that divided by 2, 4, 8 or 16", BUS))

localparam BW = $clog2(B + 1);
// B-byte words of a beat of the port
localparam WIDE = BUS > 8*B ? 2 : 1;
localparam UW = $clog2(WIDE*B / 4 + 1);

// Settings and state of a run
wire        start, stop, seed_enable;
wire [31:0] program_addr;
wire [23:0] program_length;
wire [31:0] read_base, write_base;
wire [32:0] read_end, write_end;
wire [15:0] seed;
wire        busy, ended, error;
wire [3:0]  error_cause;
wire [1:0]  error_engine;
wire [23:0] error_index;
wire        run, seed_load, engine_rst, cancel;
wire        core_rst = rst || engine_rst;

// Idle, done and errors of the parts; vectors over engines: load, compute, store
wire        fetch_idle, dispatch_idle, ports_idle;
wire [2:0]  engine_idle;
wire [2:0]  engine_done;
wire [2:0]  queue_empty;
wire        dispatch_error, fetch_error, load_error, compute_error, store_error;
wire [3:0]  dispatch_error_cause, fetch_error_cause, load_error_cause, compute_error_cause, store_error_cause;
wire [23:0] dispatch_error_index, fetch_error_index, load_error_index, compute_error_index, store_error_index;

// What is counted
wire [P-1:0]  busy_pes, stall_pes;
wire [2:0]    read_beats;
wire          written_beat;
wire [BW-1:0] clipped_outputs;
wire [UW-1:0] clipped_masters, clipped_momenta, clipped_weights;

// Descriptors to the engines
wire [2:0]       d_valid, d_ready;
wire [3*256-1:0] d_data;
wire [3*24-1:0]  d_index;

// Readers (program, load engine, store engine) and writer
wire [2:0]       rd_cmd_valid, rd_cmd_ready, rd_valid, rd_ready, rd_last;
wire [3*32-1:0]  rd_cmd_addr;
wire [3*16-1:0]  rd_cmd_beats;
wire [(1+2*WIDE)*8*B-1:0] rd_data;
wire             rd_pair, rd_both;
wire [3*2-1:0]   rd_error;
wire             rd_half, wr_half;
wire             wr_cmd_valid, wr_cmd_ready, wr_valid, wr_ready, wr_done;
wire [31:0]      wr_cmd_addr;
wire [15:0]      wr_cmd_beats;
wire [WIDE*8*B-1:0] wr_data;
wire [1:0]       wr_error;

array_regs #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .GROUPS(GROUPS),
    .WIDE(WIDE)
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
    .start(start),
    .stop(stop),
    .program_addr(program_addr),
    .program_length(program_length),
    .read_base(read_base),
    .read_end(read_end),
    .write_base(write_base),
    .write_end(write_end),
    .seed_enable(seed_enable),
    .seed(seed),
    .busy(busy),
    .ended(ended),
    .error(error),
    .error_cause(error_cause),
    .error_engine(error_engine),
    .error_index(error_index),
    .busy_pes(busy_pes),
    .stall_pes(stall_pes),
    .engine_busy(~engine_idle),
    .read_beats(read_beats),
    .read_both(rd_both),
    .written_beat(written_beat),
    .done(engine_done),
    .clipped_outputs(clipped_outputs),
    .clipped_masters(clipped_masters),
    .clipped_momenta(clipped_momenta),
    .clipped_weights(clipped_weights)
);

array_control control (
    .clk(clk),
    .rst(rst),
    .start(start),
    .stop(stop),
    .seed_enable(seed_enable),
    .busy(busy),
    .ended(ended),
    .error(error),
    .error_cause(error_cause),
    .error_engine(error_engine),
    .error_index(error_index),
    .run(run),
    .seed_load(seed_load),
    .engine_rst(engine_rst),
    .cancel(cancel),
    .dispatch_error(dispatch_error),
    .dispatch_error_cause(dispatch_error_cause),
    .dispatch_error_index(dispatch_error_index),
    .fetch_error(fetch_error),
    .fetch_error_cause(fetch_error_cause),
    .fetch_error_index(fetch_error_index),
    .load_error(load_error),
    .load_error_cause(load_error_cause),
    .load_error_index(load_error_index),
    .compute_error(compute_error),
    .compute_error_cause(compute_error_cause),
    .compute_error_index(compute_error_index),
    .store_error(store_error),
    .store_error_cause(store_error_cause),
    .store_error_index(store_error_index),
    .fetch_idle(fetch_idle),
    .dispatch_idle(dispatch_idle),
    .queue_empty(queue_empty),
    .engine_idle(engine_idle),
    .ports_idle(ports_idle)
);

program_unit #(
    .B(B),
    .QUEUE_DEPTH(QUEUE_DEPTH)
) prog (
    .clk(clk),
    .rst(core_rst),
    .start(run),
    .addr(program_addr),
    .length(program_length),
    .fetch_idle(fetch_idle),
    .dispatch_idle(dispatch_idle),
    .queue_empty(queue_empty),
    .rd_cmd_valid(rd_cmd_valid[0]),
    .rd_cmd_ready(rd_cmd_ready[0]),
    .rd_cmd_addr(rd_cmd_addr[0 +: 32]),
    .rd_cmd_beats(rd_cmd_beats[0 +: 16]),
    .rd_valid(rd_valid[0]),
    .rd_ready(rd_ready[0]),
    .rd_data(rd_data[0 +: 8*B]),
    .rd_last(rd_last[0]),
    .rd_error(rd_error[0 +: 2]),
    .d_valid(d_valid),
    .d_ready(d_ready),
    .d_data(d_data),
    .d_index(d_index),
    .done(engine_done),
    .fetch_error(fetch_error),
    .fetch_error_cause(fetch_error_cause),
    .fetch_error_index(fetch_error_index),
    .dispatch_error(dispatch_error),
    .dispatch_error_cause(dispatch_error_cause),
    .dispatch_error_index(dispatch_error_index)
);

array_core #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .FRAC(FRAC),
    .SOFTMAX(SOFTMAX),
    .DATA(DATA),
    .MASTER(MASTER),
    .SCALE(SCALE),
    .STAGES(STAGES),
    .MAP_DEPTH(MAP_DEPTH),
    .GRAD_DEPTH(GRAD_DEPTH),
    .LOAD_DEPTH(LOAD_DEPTH),
    .WIDE(WIDE)
) core (
    .clk(clk),
    .rst(core_rst),
    .seed_load(seed_load),
    .seed(seed),
    .d_valid(d_valid),
    .d_ready(d_ready),
    .d_data(d_data),
    .d_index(d_index),
    .done(engine_done),
    .idle(engine_idle),
    .load_error(load_error),
    .load_error_cause(load_error_cause),
    .load_error_index(load_error_index),
    .compute_error(compute_error),
    .compute_error_cause(compute_error_cause),
    .compute_error_index(compute_error_index),
    .store_error(store_error),
    .store_error_cause(store_error_cause),
    .store_error_index(store_error_index),
    .rd_cmd_valid(rd_cmd_valid[2:1]),
    .rd_cmd_ready(rd_cmd_ready[2:1]),
    .rd_cmd_addr(rd_cmd_addr[32 +: 2*32]),
    .rd_cmd_beats(rd_cmd_beats[16 +: 2*16]),
    .rd_valid(rd_valid[2:1]),
    .rd_ready(rd_ready[2:1]),
    .rd_data(rd_data[8*B +: 2*WIDE*8*B]),
    .rd_pair(rd_pair),
    .rd_both(rd_both),
    .rd_half(rd_half),
    .rd_last(rd_last[2:1]),
    .rd_error(rd_error[2 +: 2*2]),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_cmd_beats),
    .wr_half(wr_half),
    .wr_valid(wr_valid),
    .wr_ready(wr_ready),
    .wr_data(wr_data),
    .wr_done(wr_done),
    .wr_error(wr_error),
    .busy_pes(busy_pes),
    .stall_pes(stall_pes),
    .clipped_outputs(clipped_outputs),
    .clipped_masters(clipped_masters),
    .clipped_momenta(clipped_momenta),
    .clipped_weights(clipped_weights)
);

memory_unit #(
    .B(B),
    .BUS(BUS),
    .READ_FIFO(READ_FIFO),
    .WRITE_FIFO(WRITE_FIFO),
    .OUTSTANDING(OUTSTANDING)
) memory (
    .clk(clk),
    .rst(rst),
    .read_base(read_base),
    .read_end(read_end),
    .write_base(write_base),
    .write_end(write_end),
    .cancel(cancel),
    .idle(ports_idle),
    .rd_cmd_valid(rd_cmd_valid),
    .rd_cmd_ready(rd_cmd_ready),
    .rd_cmd_addr(rd_cmd_addr),
    .rd_cmd_beats(rd_cmd_beats),
    .rd_half(rd_half),
    .rd_valid(rd_valid),
    .rd_ready(rd_ready),
    .rd_data(rd_data),
    .rd_pair(rd_pair),
    .rd_both(rd_both),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .read_beats(read_beats),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_cmd_beats),
    .wr_half(wr_half),
    .wr_valid(wr_valid),
    .wr_ready(wr_ready),
    .wr_data(wr_data),
    .wr_done(wr_done),
    .wr_error(wr_error),
    .written_beat(written_beat),
    .m_axi_awid(m_axi_awid),
    .m_axi_awaddr(m_axi_awaddr),
    .m_axi_awlen(m_axi_awlen),
    .m_axi_awsize(m_axi_awsize),
    .m_axi_awburst(m_axi_awburst),
    .m_axi_awlock(m_axi_awlock),
    .m_axi_awcache(m_axi_awcache),
    .m_axi_awprot(m_axi_awprot),
    .m_axi_awvalid(m_axi_awvalid),
    .m_axi_awready(m_axi_awready),
    .m_axi_wdata(m_axi_wdata),
    .m_axi_wstrb(m_axi_wstrb),
    .m_axi_wlast(m_axi_wlast),
    .m_axi_wvalid(m_axi_wvalid),
    .m_axi_wready(m_axi_wready),
    .m_axi_bid(m_axi_bid),
    .m_axi_bresp(m_axi_bresp),
    .m_axi_bvalid(m_axi_bvalid),
    .m_axi_bready(m_axi_bready),
    .m_axi_arid(m_axi_arid),
    .m_axi_araddr(m_axi_araddr),
    .m_axi_arlen(m_axi_arlen),
    .m_axi_arsize(m_axi_arsize),
    .m_axi_arburst(m_axi_arburst),
    .m_axi_arlock(m_axi_arlock),
    .m_axi_arcache(m_axi_arcache),
    .m_axi_arprot(m_axi_arprot),
    .m_axi_arvalid(m_axi_arvalid),
    .m_axi_arready(m_axi_arready),
    .m_axi_rid(m_axi_rid),
    .m_axi_rdata(m_axi_rdata),
    .m_axi_rresp(m_axi_rresp),
    .m_axi_rlast(m_axi_rlast),
    .m_axi_rvalid(m_axi_rvalid),
    .m_axi_rready(m_axi_rready)
);

endmodule
`resetall
