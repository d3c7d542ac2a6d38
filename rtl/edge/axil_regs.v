// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"

/*
 * AXI4-Lite registers: commands, settings, status and counters
 *
 * The map is in docs/edge/registers.md. A refused access (SLVERR) changes nothing.
 *
 * MODE, NSAMPLES and RNG_SEED of a run are those at its START; LR_SHIFT is passed on at once.
 * Reading CYCLES or STALLS lo latches its hi half, so that lo followed by hi is one 48-bit value.
 * The answer to a write with SOFT_RESET comes when the reset pulse is over; the write's other bits are ignored.
 * An event in the clock of a CLEAR is counted as before it.
 */
module axil_regs #
(
    // junctions, at most 56 (the address space holds no more)
    parameter JUNCTIONS = 2,
    // neurons of layers 0 … JUNCTIONS, 16 bits each, layer 0 in the low bits
    parameter [16*(JUNCTIONS+1)-1:0] LAYERS = {16'd8, 16'd16, 16'd32},
    // fan-out of junctions 1 … JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] FAN_OUT = {16'd4, 16'd2},
    // degree of parallelism z of junctions 1 … JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] LANES = {16'd8, 16'd8},
    // activation of layers 1 to JUNCTIONS, 4 bits each, codes of edge_registers.vh
    parameter [4*JUNCTIONS-1:0] ACTIVATIONS = {4*JUNCTIONS{1'b0}},
    // width and fraction bits of words
    parameter WIDTH = 12,
    parameter FRAC = 8,
    // largest learning-rate shift
    parameter LR_MAX = 8,
    // labels are 0 … CLASSES-1
    parameter CLASSES = 8,
    // activations per input beat
    parameter IN_LANES = 4,
    // 1: a seed vector per sweep
    parameter SWEEP_SEEDS = 1,
    // 1: permutations per sweep
    parameter DITHER = 1,
    // length of the soft reset pulse in clocks
    parameter SOFT_RESET_CLOCKS = 16,
    // what an event adds to its counter: 1, or in tests a number that soon reaches the high bits
    parameter COUNT_STEP = 1
)
(
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

    // commands and settings
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

    // levels
    input  wire                    run_busy,
    input  wire                    load_busy,
    input  wire                    dump_busy,
    // pulses
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
    // per junction, junction 1 in the low bits: busy in this clock, saturations in this clock
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

localparam [31:0] ID = 32'h45444C31;
localparam [31:0] VERSION = 32'h00010000;

// word addresses
localparam [9:0] A_ID = 10'h000;
localparam [9:0] A_VERSION = 10'h001;
localparam [9:0] A_CTRL = 10'h002;
localparam [9:0] A_STATUS = 10'h003;
localparam [9:0] A_MODE = 10'h004;
localparam [9:0] A_LR_SHIFT = 10'h005;
localparam [9:0] A_NSAMPLES = 10'h006;
localparam [9:0] A_RNG_SEED = 10'h007;
localparam [9:0] A_PARAM_SEL = 10'h008;
localparam [9:0] A_DROPPED = 10'h009;
localparam [9:0] A_CYCLES_LO = 10'h010;
localparam [9:0] A_CYCLES_HI = 10'h011;
localparam [9:0] A_STALLS_LO = 10'h012;
localparam [9:0] A_STALLS_HI = 10'h013;
localparam [9:0] A_SAMPLES = 10'h014;
localparam [9:0] A_CORRECT = 10'h015;
localparam [9:0] A_PREDICTIONS = 10'h016;
localparam [9:0] A_JUNCTIONS = 10'h020;
localparam [9:0] A_WIDTH = 10'h021;
localparam [9:0] A_FRAC = 10'h022;
localparam [9:0] A_LR_MAX = 10'h023;
localparam [9:0] A_CLASSES = 10'h024;
localparam [9:0] A_IN_LANES = 10'h025;
localparam [9:0] A_OUT_LANES = 10'h026;
localparam [9:0] A_PASS_CLOCKS = 10'h027;
localparam [9:0] A_PIPELINE = 10'h028;
localparam [9:0] A_FLAGS = 10'h029;

// bits of CTRL
localparam C_START = 0;
localparam C_STOP = 1;
localparam C_SOFT_RESET = 2;
localparam C_LOAD = 3;
localparam C_DUMP = 4;
localparam C_CLEAR = 5;

// the five channels, as pulses
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
        A_CTRL, A_NSAMPLES, A_RNG_SEED, A_PARAM_SEL: write_ok = 1'b1;
        A_MODE: write_ok = write_data[1:0] != 2'd3;
        A_LR_SHIFT: write_ok = write_data <= LR_MAX;
        default: write_ok = 1'b0;
    endcase
end

/*
 * Commands
 */
localparam RW = $clog2(SOFT_RESET_CLOCKS + 1);
localparam [31:0] RESET_WORD = SOFT_RESET_CLOCKS;

reg          start_reg;
reg          stop_reg;
reg          load_reg;
reg          dump_reg;
reg [RW-1:0] reset_reg;  // clocks of the soft reset that are left

wire         ctrl = write && write_addr == A_CTRL;
wire         reset_cmd = ctrl && write_data[C_SOFT_RESET];
wire         act = ctrl && !reset_cmd;
wire         clear = soft_rst || (act && write_data[C_CLEAR]);
wire         running = start_reg || run_busy;
wire         loading = load_reg || load_busy;
wire         dumping = dump_reg || dump_busy;
wire         idle = !running && !loading && !dumping;
wire [2:0]   wish = {write_data[C_DUMP], write_data[C_LOAD], write_data[C_START]};
wire         one_wish = wish == 3'b001 || wish == 3'b010 || wish == 3'b100;
wire         go = act && idle && one_wish;
wire         refuse = act && wish != 3'b000 && !(idle && one_wish);

assign soft_rst = reset_reg != {RW{1'b0}};
assign start = start_reg;
assign stop = stop_reg;
assign load = load_reg;
assign dump = dump_reg;

always @(posedge clk) begin
    start_reg <= go && wish[0];
    load_reg <= go && wish[1];
    dump_reg <= go && wish[2];
    stop_reg <= running && (stop_reg || (act && write_data[C_STOP]));
    if (reset_cmd) begin
        reset_reg <= RESET_WORD[RW-1:0];
    end else if (soft_rst) begin
        reset_reg <= reset_reg - 1'b1;
    end
    if (rst) begin
        start_reg <= 1'b0;
        load_reg <= 1'b0;
        dump_reg <= 1'b0;
        stop_reg <= 1'b0;
        reset_reg <= {RW{1'b0}};
    end
end

/*
 * Settings
 */
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
            A_MODE: {stochastic_reg, mode_reg} <= {write_data[8], write_data[1:0]};
            A_LR_SHIFT: lr_shift_reg <= write_data[4:0];
            A_NSAMPLES: nsamples_reg <= write_data;
            A_RNG_SEED: rng_seed_reg <= write_data[15:0];
            A_PARAM_SEL: {sel_kind_reg, sel_junction_reg} <= write_data[9:0];
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

/*
 * Status flags
 */
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

wire [31:0] status = {19'd0, flags_reg, 4'd0, done_reg || run_done, dumping, loading, running};

/*
 * Counters
 */
localparam STEP_WIDTH = $clog2(COUNT_STEP + 1);
localparam [31:0] STEP_WORD = COUNT_STEP;
localparam [STEP_WIDTH-1:0] STEP = STEP_WORD[STEP_WIDTH-1:0];

wire [31:0] dropped, samples, corrects, predictions;
wire [47:0] cycles, stalls;

event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) dropped_counter (
    .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{drop_short || drop_long || drop_label}} & STEP), .count(dropped));

event_counter #(.WIDTH(48), .STEP_WIDTH(STEP_WIDTH)) cycle_counter (
    .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{run_busy}} & STEP), .count(cycles));

event_counter #(.WIDTH(48), .STEP_WIDTH(STEP_WIDTH)) stall_counter (
    .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{stall}} & STEP), .count(stalls));

event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) sample_counter (
    .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{admit}} & STEP), .count(samples));

event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) correct_counter (
    .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{correct}} & STEP), .count(corrects));

event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) prediction_counter (
    .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{predicted}} & STEP), .count(predictions));

// block of a junction: 12 words, the first in the low bits
localparam WORDS = 12;
wire [JUNCTIONS*WORDS*32-1:0] blocks;

genvar i;
generate
    for (i = 0; i < JUNCTIONS; i = i + 1) begin : g_junction
        localparam [31:0] N_LEFT = sch_n(i);
        localparam [31:0] N_RIGHT = sch_n(i+1);
        localparam [31:0] FO = sch_fo(i+1);
        localparam [31:0] Z = sch_z(i+1);
        localparam [31:0] FFO = sch_ffo(i+1);
        localparam [31:0] UPO = sch_upo(i+1);

        wire [6*32-1:0] counts;

        event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) busy_ff_counter (
            .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{busy_ff[i]}} & STEP), .count(counts[0 +: 32]));

        event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) busy_bp_counter (
            .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{busy_bp[i]}} & STEP), .count(counts[32 +: 32]));

        event_counter #(.WIDTH(32), .STEP_WIDTH(STEP_WIDTH)) busy_up_counter (
            .clk(clk), .rst(rst), .clear(clear), .step({STEP_WIDTH{busy_up[i]}} & STEP), .count(counts[64 +: 32]));

        event_counter #(.WIDTH(32), .STEP_WIDTH(16)) sat_ff_counter (
            .clk(clk), .rst(rst), .clear(clear), .step(sat_ff[16*i +: 16]), .count(counts[96 +: 32]));

        event_counter #(.WIDTH(32), .STEP_WIDTH(16)) sat_bp_counter (
            .clk(clk), .rst(rst), .clear(clear), .step(sat_bp[16*i +: 16]), .count(counts[128 +: 32]));

        event_counter #(.WIDTH(32), .STEP_WIDTH(16)) sat_up_counter (
            .clk(clk), .rst(rst), .clear(clear), .step(sat_up[16*i +: 16]), .count(counts[160 +: 32]));

        assign blocks[i*WORDS*32 +: WORDS*32] =
            {counts, UPO[15:0], FFO[15:0], 28'd0, ACTIVATIONS[4*i +: 4], Z, FO, N_RIGHT, N_LEFT};
    end
endgenerate

/*
 * Read channel
 */
localparam [31:0] OUT_LANES_WORD = sch_p(JUNCTIONS);
localparam [31:0] PASS_CLOCKS_WORD = sch_cp(0);
localparam [31:0] PIPELINE_WORD = sch_upo(1);

reg  [15:0] cycles_hi_reg;
reg  [15:0] stalls_hi_reg;

wire [5:0]  page = read_addr[9:4];  // junction i is page 7+i
wire        in_block = page >= 6'd8 && {26'd0, page} < 8 + JUNCTIONS && {28'd0, read_addr[3:0]} < WORDS;
wire [31:0] block_word = {26'd0, page - 6'd8}*WORDS + {28'd0, read_addr[3:0]};

always @* begin
    read_ok = 1'b1;
    case (read_addr)
        A_ID: read_data = ID;
        A_VERSION: read_data = VERSION;
        A_CTRL: read_data = 32'd0;
        A_STATUS: read_data = status;
        A_MODE: read_data = {23'd0, stochastic_reg, 6'd0, mode_reg};
        A_LR_SHIFT: read_data = {27'd0, lr_shift_reg};
        A_NSAMPLES: read_data = nsamples_reg;
        A_RNG_SEED: read_data = {16'd0, rng_seed_reg};
        A_PARAM_SEL: read_data = {22'd0, sel_kind_reg, sel_junction_reg};
        A_DROPPED: read_data = dropped;
        A_CYCLES_LO: read_data = cycles[31:0];
        A_CYCLES_HI: read_data = {16'd0, cycles_hi_reg};
        A_STALLS_LO: read_data = stalls[31:0];
        A_STALLS_HI: read_data = {16'd0, stalls_hi_reg};
        A_SAMPLES: read_data = samples;
        A_CORRECT: read_data = corrects;
        A_PREDICTIONS: read_data = predictions;
        A_JUNCTIONS: read_data = JUNCTIONS;
        A_WIDTH: read_data = WIDTH;
        A_FRAC: read_data = FRAC;
        A_LR_MAX: read_data = LR_MAX;
        A_CLASSES: read_data = CLASSES;
        A_IN_LANES: read_data = IN_LANES;
        A_OUT_LANES: read_data = OUT_LANES_WORD;
        A_PASS_CLOCKS: read_data = PASS_CLOCKS_WORD;
        A_PIPELINE: read_data = PIPELINE_WORD;
        A_FLAGS: read_data = {30'd0, DITHER != 0, SWEEP_SEEDS != 0};
        default: begin
            read_ok = in_block;
            read_data = blocks[block_word*32 +: 32];
        end
    endcase
end

always @(posedge clk) begin
    if (read && read_addr == A_CYCLES_LO) begin
        cycles_hi_reg <= cycles[47:32];
    end
    if (read && read_addr == A_STALLS_LO) begin
        stalls_hi_reg <= stalls[47:32];
    end
    if (rst) begin
        cycles_hi_reg <= 16'd0;
        stalls_hi_reg <= 16'd0;
    end
end

endmodule

`resetall
