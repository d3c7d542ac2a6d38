// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "edge_registers.vh"
/*
 * AXI4-Lite registers: commands, settings, status and counters
 *
 * The map is in docs/edge/registers.md. A refused access (SLVERR) changes nothing.
 *
 * MODE, NSAMPLES and RNG_SEED of a run are those at its START; LR_SHIFT is passed on at once.
 * Reading CYCLES or STALLS lo latches its hi half, so that lo followed by hi is one 48-bit value.
 * The answer to a write with SOFT_RESET comes when the reset pulse is over; the write's other bits are ignored.
 * An event in the clock of a CLEAR is counted as before it.
 *
 * Latency: answers come as axil_slave says.
 */
module axil_regs #(
    // Junctions, at most 56 (the address space holds no more)
    parameter JUNCTIONS = 2,
    // Neurons of layers 0 to JUNCTIONS, 16 bits each, layer 0 in the low bits
    parameter [16*(JUNCTIONS+1)-1:0] LAYERS = {16'd4, 16'd8, 16'd16},
    // Fan-out of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] FAN_OUT = {16'd2, 16'd2},
    // Degree of parallelism z of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] LANES = {16'd4, 16'd8},
    // Activation of layers 1 to JUNCTIONS, 4 bits each, codes of edge_registers.vh
    parameter [4*JUNCTIONS-1:0] ACTIVATIONS = 0,
    // Width and fraction bits of words
    parameter WIDTH = 12,
    parameter FRAC = 8,
    // Largest learning-rate shift
    parameter LR_MAX = 8,
    // Labels are 0 to CLASSES-1
    parameter CLASSES = 4,
    // Activations per input beat
    parameter IN_LANES = 4,
    // 1: a seed vector per sweep
    parameter SWEEP_SEEDS = 1,
    // 1: permutations per sweep
    parameter DITHER = 0,
    // Length of the soft reset pulse in clocks
    parameter SOFT_RESET_CLOCKS = 16,
    // What an event adds to its counter: 1, or in tests a number that soon reaches the high bits
    parameter COUNT_STEP = 1
) (
    input  wire                    clk,
    input  wire                    rst,            // hard reset

    input  wire [11:0]             s_axil_awaddr,
    input  wire [2:0]              s_axil_awprot,  // ignored
    input  wire                    s_axil_awvalid,
    output wire                    s_axil_awready,
    input  wire [31:0]             s_axil_wdata,
    input  wire [3:0]              s_axil_wstrb,
    input  wire                    s_axil_wvalid,
    output wire                    s_axil_wready,
    output wire [1:0]              s_axil_bresp,
    output wire                    s_axil_bvalid,
    input  wire                    s_axil_bready,
    input  wire [11:0]             s_axil_araddr,
    input  wire [2:0]              s_axil_arprot,  // ignored
    input  wire                    s_axil_arvalid,
    output wire                    s_axil_arready,
    output wire [31:0]             s_axil_rdata,
    output wire [1:0]              s_axil_rresp,
    output wire                    s_axil_rvalid,
    input  wire                    s_axil_rready,

    // Commands and settings
    output wire                    soft_rst,
    output wire                    start,          // pulse
    output wire                    stop,           // level, until the run ends
    output wire                    load,           // pulses
    output wire                    dump,
    output wire [1:0]              mode,
    output wire                    stochastic,
    output wire [4:0]              lr_shift,
    output wire [31:0]             nsamples,
    output wire [15:0]             rng_seed,
    output wire [7:0]              sel_junction,
    output wire [1:0]              sel_kind,

    // Levels
    input  wire                    run_busy,
    input  wire                    load_busy,
    input  wire                    dump_busy,
    // Pulses
    input  wire                    run_done,
    input  wire                    stall,
    input  wire                    admit,
    input  wire                    predicted,
    input  wire                    correct,
    input  wire                    drop_short,
    input  wire                    drop_long,
    input  wire                    drop_label,
    input  wire                    param_err,
    input  wire                    bad_section,
    // Per junction, junction 1 in the low bits: busy in this clock, saturations in this clock
    input  wire [JUNCTIONS-1:0]    busy_ff,
    input  wire [JUNCTIONS-1:0]    busy_bp,
    input  wire [JUNCTIONS-1:0]    busy_up,
    input  wire [16*JUNCTIONS-1:0] sat_ff,
    input  wire [16*JUNCTIONS-1:0] sat_bp,
    input  wire [16*JUNCTIONS-1:0] sat_up
);

`include "edge_schedule.vh"

`REQUIRE(g_junctions, JUNCTIONS <= 56,
         ("%m: JUNCTIONS = %0d must be at most 56, the register map holds no more", JUNCTIONS))

// The five channels, as pulses
wire        write;
wire [9:0]  write_addr;
wire [31:0] write_data;
reg         write_ok;
wire        read;
wire [9:0]  read_addr;
reg  [31:0] read_data;
reg         read_ok;

axil_slave #(
    .ADDR_WIDTH(12)
) slave (
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
    .write(write),
    .write_addr(write_addr),
    .write_data(write_data),
    .write_ok(write_ok),
    .write_hold(soft_rst),
    .read(read),
    .read_addr(read_addr),
    .read_data(read_data),
    .read_ok(read_ok)
);

always @* begin
    case (write_addr)
        `EDGE_CTRL, `EDGE_NSAMPLES, `EDGE_RNG_SEED, `EDGE_PARAM_SEL: write_ok = 1'b1;
        `EDGE_MODE: write_ok = write_data[`EDGE_MODE_KIND] <= `EDGE_MODE_INFERENCE;
        `EDGE_LR_SHIFT: write_ok = write_data <= LR_MAX;
        default: write_ok = 1'b0;
    endcase
end

// --- commands ---

localparam RW = $clog2(SOFT_RESET_CLOCKS + 1);
localparam [31:0] RESET_WORD = SOFT_RESET_CLOCKS;

reg          start_reg;
reg          stop_reg;
reg          load_reg;
reg          dump_reg;
reg [RW-1:0] reset_reg;  // clocks of the soft reset that are left
reg          soft_rst_reg;  // there are some: it goes far, and a register gets there sooner

wire         ctrl = write && write_addr == `EDGE_CTRL;
wire         reset_cmd = ctrl && write_data[`EDGE_CTRL_SOFT_RESET];
wire         act = ctrl && !reset_cmd;
wire         clear = soft_rst || (act && write_data[`EDGE_CTRL_CLEAR]);
wire         running = start_reg || run_busy;
wire         loading = load_reg || load_busy;
wire         dumping = dump_reg || dump_busy;
wire         idle = !running && !loading && !dumping;
wire [2:0]   wish = {write_data[`EDGE_CTRL_DUMP], write_data[`EDGE_CTRL_LOAD], write_data[`EDGE_CTRL_START]};
wire         one_wish = wish == 3'b001 || wish == 3'b010 || wish == 3'b100;
wire         go = act && idle && one_wish;
wire         refuse = act && wish != 3'b000 && !(idle && one_wish);

assign soft_rst = soft_rst_reg;
assign start = start_reg;
assign stop = stop_reg;
assign load = load_reg;
assign dump = dump_reg;

always @(posedge clk) begin
    start_reg <= go && wish[0];
    load_reg <= go && wish[1];
    dump_reg <= go && wish[2];
    stop_reg <= running && (stop_reg || (act && write_data[`EDGE_CTRL_STOP]));
    if (reset_cmd) begin
        reset_reg <= RESET_WORD[RW-1:0];
        soft_rst_reg <= 1'b1;
    end else if (soft_rst) begin
        reset_reg <= reset_reg - 1'b1;
        soft_rst_reg <= {{32-RW{1'b0}}, reset_reg} != 1;
    end
    if (rst) begin
        start_reg <= 1'b0;
        load_reg <= 1'b0;
        dump_reg <= 1'b0;
        stop_reg <= 1'b0;
        soft_rst_reg <= 1'b0;
    end
end

// --- settings ---

reg [1:0]  mode_reg, run_mode_reg;
reg        stochastic_reg, run_stochastic_reg;
reg [31:0] nsamples_reg, run_nsamples_reg;
reg [15:0] rng_seed_reg, run_rng_seed_reg;
reg [4:0]  lr_shift_reg;
reg [7:0]  sel_junction_reg;
reg [1:0]  sel_kind_reg;

assign mode = run_mode_reg;
assign stochastic = run_stochastic_reg;
assign nsamples = run_nsamples_reg;
assign rng_seed = run_rng_seed_reg;
assign lr_shift = lr_shift_reg;
assign sel_junction = sel_junction_reg;
assign sel_kind = sel_kind_reg;

always @(posedge clk) begin
    if (write && write_ok) begin
        case (write_addr)
            `EDGE_MODE: {stochastic_reg, mode_reg} <= {write_data[`EDGE_MODE_STOCHASTIC], write_data[`EDGE_MODE_KIND]};
            `EDGE_LR_SHIFT: lr_shift_reg <= write_data[`EDGE_LR_SHIFT_SHIFT];
            `EDGE_NSAMPLES: nsamples_reg <= write_data;
            `EDGE_RNG_SEED: rng_seed_reg <= write_data[`EDGE_RNG_SEED_SEED];
            `EDGE_PARAM_SEL: begin
                sel_junction_reg <= write_data[`EDGE_PARAM_SEL_JUNCTION];
                sel_kind_reg <= write_data[`EDGE_PARAM_SEL_KIND];
            end
            default: ;
        endcase
    end
    if (go && wish[0]) begin
        run_mode_reg <= mode_reg;
        run_stochastic_reg <= stochastic_reg;
        run_nsamples_reg <= nsamples_reg;
        run_rng_seed_reg <= rng_seed_reg;
    end
    if (rst) begin
        mode_reg <= 2'd0;
        stochastic_reg <= 1'b0;
        lr_shift_reg <= 5'd0;
        nsamples_reg <= 32'd0;
        rng_seed_reg <= 16'd0;
        sel_junction_reg <= 8'd0;
        sel_kind_reg <= 2'd0;
    end
end

// --- status flags ---

reg       done_reg;
reg [4:0] flags_reg;

always @(posedge clk) begin
    done_reg <= !clear && !(go && wish[0]) && (done_reg || run_done);
    flags_reg <= clear ? {refuse, 4'd0}
        : flags_reg | {refuse || bad_section, param_err, drop_label, drop_long, drop_short};
    if (rst) begin
        done_reg <= 1'b0;
        flags_reg <= 5'd0;
    end
end

reg [31:0] status;

always @* begin
    status = 32'd0;
    status[`EDGE_STATUS_RUN_BUSY] = running;
    status[`EDGE_STATUS_LOAD_BUSY] = loading;
    status[`EDGE_STATUS_DUMP_BUSY] = dumping;
    status[`EDGE_STATUS_DONE] = done_reg || run_done;
    status[`EDGE_STATUS_FRAME_SHORT] = flags_reg[0];
    status[`EDGE_STATUS_FRAME_LONG] = flags_reg[1];
    status[`EDGE_STATUS_BAD_LABEL] = flags_reg[2];
    status[`EDGE_STATUS_PARAM_ERR] = flags_reg[3];
    status[`EDGE_STATUS_BAD_CMD] = flags_reg[4];
end

// --- counters ---

wire [31:0]               dropped;
wire [31:0]               samples;
wire [31:0]               corrects;
wire [31:0]               predictions;
wire [47:0]               cycles;
wire [47:0]               stalls;
wire [6*32*JUNCTIONS-1:0] counts;

edge_counters #(
    .JUNCTIONS(JUNCTIONS),
    .COUNT_STEP(COUNT_STEP)
) counters (
    .clk(clk),
    .rst(rst),
    .clear(clear),
    .drop(drop_short || drop_long || drop_label),
    .run_busy(run_busy),
    .stall(stall),
    .admit(admit),
    .predicted(predicted),
    .correct(correct),
    .busy_ff(busy_ff),
    .busy_bp(busy_bp),
    .busy_up(busy_up),
    .sat_ff(sat_ff),
    .sat_bp(sat_bp),
    .sat_up(sat_up),
    .cycles(cycles),
    .stalls(stalls),
    .samples(samples),
    .corrects(corrects),
    .predictions(predictions),
    .dropped(dropped),
    .junctions(counts)
);

// Registers of a junction, the first in the low bits; as many words each as the map has for them, 0 behind the last
localparam WORDS = `EDGE_JUNCTION_SAT_UP + 1;
localparam STRIDE = `EDGE_JUNCTION_WORDS;
wire [JUNCTIONS*STRIDE*32-1:0] blocks;

genvar i;

generate
    for (i = 0; i < JUNCTIONS; i = i + 1) begin : g_junction
        localparam [31:0] N_LEFT = sch_n(i);
        localparam [31:0] N_RIGHT = sch_n(i+1);
        localparam [31:0] FO = sch_fo(i+1);
        localparam [31:0] Z = sch_z(i+1);
        localparam [31:0] FFO = sch_ffo(i+1);
        localparam [31:0] UPO = sch_upo(i+1);

        assign blocks[(i*STRIDE + `EDGE_JUNCTION_N_LEFT)*32 +: 32] = N_LEFT;
        assign blocks[(i*STRIDE + `EDGE_JUNCTION_N_RIGHT)*32 +: 32] = N_RIGHT;
        assign blocks[(i*STRIDE + `EDGE_JUNCTION_FAN_OUT)*32 +: 32] = FO;
        assign blocks[(i*STRIDE + `EDGE_JUNCTION_Z)*32 +: 32] = Z;
        assign blocks[(i*STRIDE + `EDGE_JUNCTION_ACTIVATION)*32 +: 32] = {28'd0, ACTIVATIONS[4*i +: 4]};
        assign blocks[(i*STRIDE + `EDGE_JUNCTION_OFFSETS)*32 +: 32] = {UPO[15:0], FFO[15:0]};
        assign blocks[(i*STRIDE + `EDGE_JUNCTION_BUSY_FF)*32 +: 6*32] = counts[6*32*i +: 6*32];
        assign blocks[(i*STRIDE + WORDS)*32 +: (STRIDE - WORDS)*32] = {(STRIDE - WORDS)*32{1'b0}};
    end
endgenerate

// --- read channel ---

localparam [31:0] OUT_LANES_WORD = sch_p(JUNCTIONS);
localparam [31:0] PASS_CLOCKS_WORD = sch_cp(0);
localparam [31:0] PIPELINE_WORD = sch_upo(1);

reg  [15:0] cycles_hi_reg;
reg  [15:0] stalls_hi_reg;

// Register of a junction: its word in the blocks
wire [9:0]  place = read_addr - `EDGE_JUNCTION_BASE;
wire [31:0] block_word = {22'd0, place};
wire        in_block = read_addr >= `EDGE_JUNCTION_BASE && block_word < JUNCTIONS*STRIDE && block_word % STRIDE < WORDS;

always @* begin
    read_ok = 1'b1;
    case (read_addr)
        `EDGE_ID: read_data = `EDGE_ID_VALUE;
        `EDGE_VERSION: read_data = `EDGE_VERSION_VALUE;
        `EDGE_CTRL: read_data = 32'd0;
        `EDGE_STATUS: read_data = status;
        `EDGE_MODE: read_data = {23'd0, stochastic_reg, 6'd0, mode_reg};
        `EDGE_LR_SHIFT: read_data = {27'd0, lr_shift_reg};
        `EDGE_NSAMPLES: read_data = nsamples_reg;
        `EDGE_RNG_SEED: read_data = {16'd0, rng_seed_reg};
        `EDGE_PARAM_SEL: read_data = {22'd0, sel_kind_reg, sel_junction_reg};
        `EDGE_DROPPED: read_data = dropped;
        `EDGE_CYCLES_LO: read_data = cycles[31:0];
        `EDGE_CYCLES_HI: read_data = {16'd0, cycles_hi_reg};
        `EDGE_STALLS_LO: read_data = stalls[31:0];
        `EDGE_STALLS_HI: read_data = {16'd0, stalls_hi_reg};
        `EDGE_SAMPLES: read_data = samples;
        `EDGE_CORRECT: read_data = corrects;
        `EDGE_PREDICTIONS: read_data = predictions;
        `EDGE_JUNCTIONS: read_data = JUNCTIONS;
        `EDGE_WIDTH: read_data = WIDTH;
        `EDGE_FRAC: read_data = FRAC;
        `EDGE_LR_MAX: read_data = LR_MAX;
        `EDGE_CLASSES: read_data = CLASSES;
        `EDGE_IN_LANES: read_data = IN_LANES;
        `EDGE_OUT_LANES: read_data = OUT_LANES_WORD;
        `EDGE_PASS_CLOCKS: read_data = PASS_CLOCKS_WORD;
        `EDGE_PIPELINE: read_data = PIPELINE_WORD;
        `EDGE_FLAGS: read_data = {30'd0, DITHER != 0, SWEEP_SEEDS != 0};
        default: begin
            read_ok = in_block;
            read_data = blocks[block_word*32 +: 32];
        end
    endcase
end

always @(posedge clk) begin
    if (read && read_addr == `EDGE_CYCLES_LO) begin
        cycles_hi_reg <= cycles[47:32];
    end
    if (read && read_addr == `EDGE_STALLS_LO) begin
        stalls_hi_reg <= stalls[47:32];
    end
    if (rst) begin
        cycles_hi_reg <= 16'd0;
        stalls_hi_reg <= 16'd0;
    end
end

endmodule
`resetall
