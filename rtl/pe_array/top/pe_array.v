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
 * One AXI4 master; a beat of the engine is B bytes, and BUS/8 bytes at the port. Reads: ID 0 program, 1 load engine, 2 store engine; writes: ID 0. A stop resets
 * engines and grid, while the AXI ports complete the bursts that have begun.
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
    // Bits of activations, gradients of maps and MAC weights, 4 ... 8 (in memory and in the PEs they are bytes)
    parameter DATA = 8,
    // Bits of a master weight, 16 ... 32 (in memory it has 32)
    parameter MASTER = 24,
    // Bits of a beat at the port: 8*B, or that divided by 2, 4, 8 or 16
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

localparam XAW = $clog2(X_DEPTH);
localparam YAW = $clog2(Y_DEPTH);
localparam WAW = $clog2(W_DEPTH);
localparam EAW = $clog2(E_DEPTH);
localparam SW = P > 1 ? $clog2(P) : 1;
localparam GW = P > 1 ? $clog2($clog2(P) + 1) : 1;
localparam BW = $clog2(B + 1);
localparam UW = $clog2(B / 4 + 1);
localparam DW = 8*B;

// Numbers of the readers, and of the engines less one
localparam FETCH = 0;
localparam LOAD = 1;
localparam STORE = 2;

// --- registers and control ---

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
wire        core_rst = rst || engine_rst;    // of all but registers, control and AXI ports

// Beats of B bytes, before the bus
wire [7:0]      b_awlen, b_arlen;
wire [2:0]      b_awsize, b_arsize;
wire [DW-1:0]   b_wdata, b_rdata;
wire [DW/8-1:0] b_wstrb;
wire            b_wlast, b_wvalid, b_wready, b_rlast, b_rvalid, b_rready;
wire [1:0]      b_rid, b_rresp;

wire [P-1:0]  busy_pes, stall_pes;
wire [2:0]    engine_idle;      // load, compute, store, as in all that follow
wire [2:0]    engine_done;
wire [2:0]    queue_empty;
wire [2:0]    read_beats;       // fetch, load, store
wire [BW-1:0] clipped_outputs;
wire [UW-1:0] clipped_masters, clipped_momenta, clipped_weights;

wire        dispatch_error, fetch_error, load_error, compute_error, store_error;
wire [3:0]  dispatch_cause, fetch_cause, load_cause, compute_cause, store_cause;
wire [23:0] dispatch_index, fetch_index, load_index, compute_index, store_index;
wire        fetch_idle, dispatch_idle;
wire [2:0]  read_idle;
wire        write_idle;

array_regs #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .GROUPS(GROUPS)
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
    .written_beat(b_wvalid && b_wready),
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
    .dispatch_error_cause(dispatch_cause),
    .dispatch_error_index(dispatch_index),
    .fetch_error(fetch_error),
    .fetch_error_cause(fetch_cause),
    .fetch_error_index(fetch_index),
    .load_error(load_error),
    .load_error_cause(load_cause),
    .load_error_index(load_index),
    .compute_error(compute_error),
    .compute_error_cause(compute_cause),
    .compute_error_index(compute_index),
    .store_error(store_error),
    .store_error_cause(store_cause),
    .store_error_index(store_index),
    .fetch_idle(fetch_idle),
    .dispatch_idle(dispatch_idle),
    .queue_empty(queue_empty),
    .engine_idle(engine_idle),
    .ports_idle(&read_idle && write_idle)
);

// --- program ---

// Ports to the memory: fetch, load, store
wire [2:0]      rd_cmd_valid, rd_cmd_ready, rd_valid, rd_ready, rd_last;
wire [3*32-1:0] rd_cmd_addr;
wire [3*16-1:0] rd_cmd_beats;
wire [3*DW-1:0] rd_data;
wire [3*2-1:0]  rd_error;

wire            p_valid, p_ready;
wire [255:0]    p_data;
wire [23:0]     p_index;
wire [2:0]      q_valid, q_ready;
wire [255:0]    q_data;
wire [23:0]     q_index;
wire [23:0]     loads_done, computes_done, stores_done;

program_fetch #(
    .B(B)
) fetch (
    .clk(clk),
    .rst(core_rst),
    .start(run),
    .addr(program_addr),
    .length(program_length),
    .idle(fetch_idle),
    .rd_cmd_valid(rd_cmd_valid[FETCH]),
    .rd_cmd_ready(rd_cmd_ready[FETCH]),
    .rd_cmd_addr(rd_cmd_addr[32*FETCH +: 32]),
    .rd_cmd_beats(rd_cmd_beats[16*FETCH +: 16]),
    .rd_valid(rd_valid[FETCH]),
    .rd_ready(rd_ready[FETCH]),
    .rd_data(rd_data[DW*FETCH +: DW]),
    .rd_last(rd_last[FETCH]),
    .rd_error(rd_error[2*FETCH +: 2]),
    .p_valid(p_valid),
    .p_ready(p_ready),
    .p_data(p_data),
    .p_index(p_index),
    .error(fetch_error),
    .error_cause(fetch_cause),
    .error_index(fetch_index)
);

dispatcher dispatch (
    .clk(clk),
    .rst(core_rst),
    .clear(run),
    .s_valid(p_valid),
    .s_ready(p_ready),
    .s_data(p_data),
    .s_index(p_index),
    .load_valid(q_valid[0]),
    .load_ready(q_ready[0]),
    .compute_valid(q_valid[1]),
    .compute_ready(q_ready[1]),
    .store_valid(q_valid[2]),
    .store_ready(q_ready[2]),
    .q_data(q_data),
    .q_index(q_index),
    .idle(dispatch_idle),
    .error(dispatch_error),
    .error_cause(dispatch_cause),
    .error_index(dispatch_index),
    .load_done(engine_done[0]),
    .compute_done(engine_done[1]),
    .store_done(engine_done[2]),
    .loads_done(loads_done),
    .computes_done(computes_done),
    .stores_done(stores_done)
);

wire [2:0]       d_valid, d_ready;
wire [3*256-1:0] d_data;
wire [3*24-1:0]  d_index;

genvar i;
generate
    for (i = 0; i < 3; i = i + 1) begin : g_queue
        op_queue #(
            .DEPTH(QUEUE_DEPTH)
        ) queue (
            .clk(clk),
            .rst(core_rst),
            .s_valid(q_valid[i]),
            .s_ready(q_ready[i]),
            .s_data(q_data),
            .s_index(q_index),
            .loads_done(loads_done),
            .computes_done(computes_done),
            .stores_done(stores_done),
            .d_valid(d_valid[i]),
            .d_ready(d_ready[i]),
            .d_data(d_data[256*i +: 256]),
            .d_index(d_index[24*i +: 24]),
            .empty(queue_empty[i])
        );
    end
endgenerate

// --- engines ---

wire           window_valid;
wire [SW-1:0]  window_pe;
wire [2:0]     window_select;
wire [23:0]    window_data;
wire           map_cmd_valid, map_cmd_ready, map_cmd_y, map_cmd_all, map_cmd_error;
wire [12:0]    map_cmd_channels;
wire [11:0]    map_cmd_row, map_cmd_rows, map_cmd_width, map_cmd_base;
wire [5:0]     map_cmd_slot;
wire [3:0]     map_cmd_shift;
wire           map_done, map_idle, map_valid, map_ready;
wire [DW-1:0]  map_data;
wire           stream_valid, streamed;
wire [1:0]     stream_select;
wire [P-1:0]   stream_pes;
wire [11:0]    stream_addr;
wire [DW-1:0]  stream_data;

wire           set_valid, set_ready;
wire [P-1:0]   set_pes;
wire [2:0]     set_field;
wire [11:0]    set_value;
wire           cmd_valid, cmd_ready, cmd_swap;
wire [1:0]     cmd_op;
wire [EAW-1:0] cmd_ebase;
wire [WAW-1:0] cmd_wbase;
wire [6:0]     cmd_wstride;
wire [XAW-1:0] cmd_xbase;
wire [YAW-1:0] cmd_ybase, cmd_rbase;
wire           grid_done, grid_idle;
wire [GW-1:0]  tiles_log2;

wire             drain_cmd_valid, drain_cmd_ready, drain_cmd_error, drain_idle;
wire [6:0]       drain_cmd_slots;
wire [11:0]      drain_cmd_channels, drain_cmd_channels_last, drain_cmd_height, drain_cmd_width;
wire [11:0]      drain_cmd_tile_height, drain_cmd_tile_width;
wire [2:0]       drain_cmd_sy_log2, drain_cmd_sx_log2;
wire [YAW-1:0]   drain_cmd_ybase, drain_cmd_ystride;
wire             drain_valid, drain_ready, drain_last;
wire [B*ACC-1:0] drain_data;
wire [P-1:0]     grad_valid, grad_ready, grad_empty;
wire [P*32-1:0]  grad_data;

wire             wr_cmd_valid, wr_cmd_ready, wr_valid, wr_ready, wr_done;
wire [31:0]      wr_cmd_addr;
wire [15:0]      wr_cmd_beats;
wire [DW-1:0]    wr_data;
wire [1:0]       wr_error;

load_engine #(
    .P(P),
    .B(B),
    .STAGES(STAGES),
    .DEPTH(LOAD_DEPTH)
) loader (
    .clk(clk),
    .rst(core_rst),
    .d_valid(d_valid[0]),
    .d_ready(d_ready[0]),
    .d_data(d_data[256*0 +: 256]),
    .d_index(d_index[24*0 +: 24]),
    .done(engine_done[0]),
    .idle(engine_idle[0]),
    .error(load_error),
    .error_cause(load_cause),
    .error_index(load_index),
    .rd_cmd_valid(rd_cmd_valid[LOAD]),
    .rd_cmd_ready(rd_cmd_ready[LOAD]),
    .rd_cmd_addr(rd_cmd_addr[32*LOAD +: 32]),
    .rd_cmd_beats(rd_cmd_beats[16*LOAD +: 16]),
    .rd_valid(rd_valid[LOAD]),
    .rd_ready(rd_ready[LOAD]),
    .rd_data(rd_data[DW*LOAD +: DW]),
    .rd_last(rd_last[LOAD]),
    .rd_error(rd_error[2*LOAD +: 2]),
    .window_valid(window_valid),
    .window_pe(window_pe),
    .window_select(window_select),
    .window_data(window_data),
    .map_cmd_valid(map_cmd_valid),
    .map_cmd_ready(map_cmd_ready),
    .map_cmd_channels(map_cmd_channels),
    .map_cmd_row(map_cmd_row),
    .map_cmd_rows(map_cmd_rows),
    .map_cmd_width(map_cmd_width),
    .map_cmd_y(map_cmd_y),
    .map_cmd_all(map_cmd_all),
    .map_cmd_slot(map_cmd_slot),
    .map_cmd_base(map_cmd_base),
    .map_cmd_shift(map_cmd_shift),
    .map_done(map_done),
    .map_idle(map_idle),
    .map_valid(map_valid),
    .map_ready(map_ready),
    .map_data(map_data),
    .stream_valid(stream_valid),
    .stream_select(stream_select),
    .stream_pes(stream_pes),
    .stream_addr(stream_addr),
    .stream_data(stream_data),
    .streamed(streamed)
);

compute_engine #(
    .P(P),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH)
) computer (
    .clk(clk),
    .rst(core_rst),
    .d_valid(d_valid[1]),
    .d_ready(d_ready[1]),
    .d_data(d_data[256*1 +: 256]),
    .d_index(d_index[24*1 +: 24]),
    .done(engine_done[1]),
    .idle(engine_idle[1]),
    .error(compute_error),
    .error_cause(compute_cause),
    .error_index(compute_index),
    .set_valid(set_valid),
    .set_ready(set_ready),
    .set_pes(set_pes),
    .set_field(set_field),
    .set_value(set_value),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd_op(cmd_op),
    .cmd_swap(cmd_swap),
    .cmd_ebase(cmd_ebase),
    .cmd_wbase(cmd_wbase),
    .cmd_wstride(cmd_wstride),
    .cmd_xbase(cmd_xbase),
    .cmd_ybase(cmd_ybase),
    .cmd_rbase(cmd_rbase),
    .grid_done(grid_done),
    .grid_idle(grid_idle),
    .tiles_log2(tiles_log2),
    .grad_empty(grad_empty)
);

store_engine #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .YAW(YAW),
    .FRAC(FRAC),
    .DATA(DATA),
    .MASTER(MASTER)
) storer (
    .clk(clk),
    .rst(core_rst),
    .seed_load(seed_load),
    .seed(seed),
    .d_valid(d_valid[2]),
    .d_ready(d_ready[2]),
    .d_data(d_data[256*2 +: 256]),
    .d_index(d_index[24*2 +: 24]),
    .done(engine_done[2]),
    .idle(engine_idle[2]),
    .error(store_error),
    .error_cause(store_cause),
    .error_index(store_index),
    .clipped_outputs(clipped_outputs),
    .clipped_masters(clipped_masters),
    .clipped_momenta(clipped_momenta),
    .clipped_weights(clipped_weights),
    .drain_cmd_valid(drain_cmd_valid),
    .drain_cmd_ready(drain_cmd_ready),
    .drain_cmd_slots(drain_cmd_slots),
    .drain_cmd_channels(drain_cmd_channels),
    .drain_cmd_channels_last(drain_cmd_channels_last),
    .drain_cmd_height(drain_cmd_height),
    .drain_cmd_width(drain_cmd_width),
    .drain_cmd_tile_height(drain_cmd_tile_height),
    .drain_cmd_tile_width(drain_cmd_tile_width),
    .drain_cmd_sy_log2(drain_cmd_sy_log2),
    .drain_cmd_sx_log2(drain_cmd_sx_log2),
    .drain_cmd_ybase(drain_cmd_ybase),
    .drain_cmd_ystride(drain_cmd_ystride),
    .drain_cmd_error(drain_cmd_error),
    .drain_valid(drain_valid),
    .drain_ready(drain_ready),
    .drain_data(drain_data),
    .drain_last(drain_last),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data),
    .rd_cmd_valid(rd_cmd_valid[STORE]),
    .rd_cmd_ready(rd_cmd_ready[STORE]),
    .rd_cmd_addr(rd_cmd_addr[32*STORE +: 32]),
    .rd_cmd_beats(rd_cmd_beats[16*STORE +: 16]),
    .rd_valid(rd_valid[STORE]),
    .rd_ready(rd_ready[STORE]),
    .rd_data(rd_data[DW*STORE +: DW]),
    .rd_last(rd_last[STORE]),
    .rd_error(rd_error[2*STORE +: 2]),
    .wr_cmd_valid(wr_cmd_valid),
    .wr_cmd_ready(wr_cmd_ready),
    .wr_cmd_addr(wr_cmd_addr),
    .wr_cmd_beats(wr_cmd_beats),
    .wr_valid(wr_valid),
    .wr_ready(wr_ready),
    .wr_data(wr_data),
    .wr_done(wr_done),
    .wr_error(wr_error)
);

pe_grid #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .X_DEPTH(X_DEPTH),
    .Y_DEPTH(Y_DEPTH),
    .W_DEPTH(W_DEPTH),
    .E_DEPTH(E_DEPTH),
    .T_DEPTH(T_DEPTH),
    .STAGES(STAGES),
    .MAP_DEPTH(MAP_DEPTH),
    .GRAD_DEPTH(GRAD_DEPTH)
) grid (
    .clk(clk),
    .rst(core_rst),
    .window_valid(window_valid),
    .window_pe(window_pe),
    .window_select(window_select),
    .window_data(window_data),
    .map_cmd_valid(map_cmd_valid),
    .map_cmd_ready(map_cmd_ready),
    .map_cmd_channels(map_cmd_channels),
    .map_cmd_row(map_cmd_row),
    .map_cmd_rows(map_cmd_rows),
    .map_cmd_width(map_cmd_width),
    .map_cmd_y(map_cmd_y),
    .map_cmd_all(map_cmd_all),
    .map_cmd_slot(map_cmd_slot),
    .map_cmd_base(map_cmd_base),
    .map_cmd_shift(map_cmd_shift),
    .map_cmd_error(map_cmd_error),
    .map_done(map_done),
    .map_idle(map_idle),
    .map_valid(map_valid),
    .map_ready(map_ready),
    .map_data(map_data),
    .stream_valid(stream_valid),
    .stream_select(stream_select),
    .stream_pes(stream_pes),
    .stream_addr(stream_addr),
    .stream_data(stream_data),
    .streamed(streamed),
    .set_valid(set_valid),
    .set_ready(set_ready),
    .set_pes(set_pes),
    .set_field(set_field),
    .set_value(set_value),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd_op(cmd_op),
    .cmd_swap(cmd_swap),
    .cmd_ebase(cmd_ebase),
    .cmd_wbase(cmd_wbase),
    .cmd_wstride(cmd_wstride),
    .cmd_xbase(cmd_xbase),
    .cmd_ybase(cmd_ybase),
    .cmd_rbase(cmd_rbase),
    .done(grid_done),
    .idle(grid_idle),
    .drain_cmd_valid(drain_cmd_valid),
    .drain_cmd_ready(drain_cmd_ready),
    .drain_cmd_slots(drain_cmd_slots),
    .drain_cmd_channels(drain_cmd_channels),
    .drain_cmd_channels_last(drain_cmd_channels_last),
    .drain_cmd_height(drain_cmd_height),
    .drain_cmd_width(drain_cmd_width),
    .drain_cmd_tile_height(drain_cmd_tile_height),
    .drain_cmd_tile_width(drain_cmd_tile_width),
    .drain_cmd_sy_log2(drain_cmd_sy_log2),
    .drain_cmd_sx_log2(drain_cmd_sx_log2),
    .drain_cmd_ybase(drain_cmd_ybase),
    .drain_cmd_ystride(drain_cmd_ystride),
    .drain_cmd_error(drain_cmd_error),
    .drain_idle(drain_idle),
    .drain_valid(drain_valid),
    .drain_ready(drain_ready),
    .drain_data(drain_data),
    .drain_last(drain_last),
    .tiles_log2(tiles_log2),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data),
    .grad_empty(grad_empty),
    .busy_pes(busy_pes),
    .stall_pes(stall_pes)
);

// --- memory ---

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

assign read_beats = rd_valid & rd_ready & ~{rd_error[5:4] != 2'd0, rd_error[3:2] != 2'd0, rd_error[1:0] != 2'd0};

generate
    for (i = 0; i < 3; i = i + 1) begin : g_read
        axi_read #(
            .ADDR_WIDTH(32),
            .DATA_WIDTH(DW),
            .FIFO_DEPTH(i == FETCH ? 32 : READ_FIFO),
            .OUTSTANDING(i == FETCH ? 2 : OUTSTANDING)
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
            .m_valid(rd_valid[i]),
            .m_ready(rd_ready[i]),
            .m_data(rd_data[DW*i +: DW]),
            .m_last(rd_last[i]),
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

wire unused = &{1'b0, m_axi_bid, aw_id, ar_id, map_cmd_error, drain_idle};

endmodule
`resetall
