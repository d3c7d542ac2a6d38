// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "array_registers.vh"
/*
 * AXI4-Lite registers of the PE array: start and stop, settings, status, counters
 *
 * The map is in docs/pe_array/registers.md. A refused access (SLVERR) changes nothing; refused are a start and a new
 * setting while a program runs, and lengths that are not 1 to 2^24-1.
 *
 * Latency: start and stop pulse 1 clock after their write. Counters are cleared with start; an event in the clock of
 * start is lost, one in the clock of a snapshot is counted behind it. PEs at work and waiting are counted one clock
 * later than the rest, because they are added up first.
 */
module array_regs #(
    // PEs, images and bits of an accumulator, see pe_grid.v
    parameter P = 32,
    parameter B = 32,
    parameter ACC = 32,
    // Words of the memories of a PE, powers of two
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    parameter T_DEPTH = 64,
    // Groups of neighbouring PEs that are counted for themselves, a power of two, at most P
    parameter GROUPS = P < 4 ? P : 4,
    // B-byte words of a beat of gradients and weights, 1 or 2
    parameter WIDE = 1,
    // What an event adds to its counter: 1, or in tests a number that soon reaches the high bits
    parameter [63:0] COUNT_STEP = 64'd1,
    // Bits of a number of clipped outputs and of clipped weights (derived)
    parameter BW = $clog2(B + 1),
    parameter UW = $clog2(WIDE*B / 4 + 1)
) (
    input  wire          clk,
    input  wire          rst,             // synchronous, active high

    input  wire [11:0]   s_axil_awaddr,
    input  wire [2:0]    s_axil_awprot,   // ignored
    input  wire          s_axil_awvalid,
    output wire          s_axil_awready,
    input  wire [31:0]   s_axil_wdata,
    input  wire [3:0]    s_axil_wstrb,
    input  wire          s_axil_wvalid,
    output wire          s_axil_wready,
    output wire [1:0]    s_axil_bresp,
    output wire          s_axil_bvalid,
    input  wire          s_axil_bready,
    input  wire [11:0]   s_axil_araddr,
    input  wire [2:0]    s_axil_arprot,   // ignored
    input  wire          s_axil_arvalid,
    output wire          s_axil_arready,
    output wire [31:0]   s_axil_rdata,
    output wire [1:0]    s_axil_rresp,
    output wire          s_axil_rvalid,
    input  wire          s_axil_rready,

    // Commands and settings; settings do not change while busy
    output wire          start,           // pulse
    output wire          stop,            // pulse
    output wire [31:0]   program_addr,    // bytes
    output wire [23:0]   program_length,  // descriptors
    output wire [31:0]   read_base,       // windows: first byte, and byte behind the last
    output wire [32:0]   read_end,
    output wire [31:0]   write_base,
    output wire [32:0]   write_end,
    output wire          seed_enable,     // load the random words at start
    output wire [15:0]   seed,

    // Status, see array_control
    input  wire          busy,
    input  wire          ended,
    input  wire          error,
    input  wire [3:0]    error_cause,
    input  wire [1:0]    error_engine,
    input  wire [23:0]   error_index,

    // Events of a clock
    input  wire [P-1:0]  busy_pes,        // PEs that issue an entry, and in which one waits
    input  wire [P-1:0]  stall_pes,
    input  wire [2:0]    engine_busy,     // load, compute, store: not idle
    input  wire [2:0]    read_beats,      // fetch, load, store: a beat was read
    input  wire          read_both,       // of the load engine two
    input  wire          written_beat,
    input  wire [2:0]    done,            // load, compute, store: an operation is done
    input  wire [BW-1:0] clipped_outputs, // values clipped: by requantise,
    input  wire [UW-1:0] clipped_masters, // and of the update masters, momenta and MAC weights
    input  wire [UW-1:0] clipped_momenta,
    input  wire [UW-1:0] clipped_weights
);

`REQUIRE(g_groups, GROUPS >= 1 && GROUPS <= P && (GROUPS & (GROUPS - 1)) == 0,
         ("%m: GROUPS = %0d must be a power of two, at most P = %0d", GROUPS, P))

localparam COMMON = (`ARRAY_GROUP_BASE - `ARRAY_COUNTER_BASE)/2;    // counters of the whole array
localparam COUNTERS = COMMON + 2*GROUPS;
localparam [31:0] WORDS = 2*COUNTERS;

localparam [31:0] P_WORD = P;
localparam [31:0] B_WORD = B;
localparam [31:0] ACC_WORD = ACC;
localparam [31:0] GROUPS_WORD = GROUPS;
localparam [31:0] X_WORD = $clog2(X_DEPTH);
localparam [31:0] Y_WORD = $clog2(Y_DEPTH);
localparam [31:0] W_WORD = $clog2(W_DEPTH);
localparam [31:0] E_WORD = $clog2(E_DEPTH);
localparam [31:0] T_WORD = $clog2(T_DEPTH);

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
    .write_hold(1'b0),
    .read(read),
    .read_addr(read_addr),
    .read_data(read_data),
    .read_ok(read_ok)
);

// --- commands and settings ---

localparam [31:0] LENGTH_RESET = `ARRAY_LENGTH_RESET;

reg        start_reg;
reg        stop_reg;
reg [31:0] program_reg;
reg [23:0] length_reg;
reg [31:0] read_base_reg;
reg [31:0] read_last_reg;
reg [31:0] write_base_reg;
reg [31:0] write_last_reg;
reg        seed_enable_reg;
reg [15:0] seed_reg;

wire running = start_reg || busy;
wire settable = write && !running;
wire starts = write_data[`ARRAY_CONTROL_START];
wire control = write && write_addr == `ARRAY_CONTROL && (!starts || !running);
wire snapshot = write && write_addr == `ARRAY_SNAPSHOT;

wire [23:0] new_length = write_data[`ARRAY_LENGTH_DESCRIPTORS];
// (nothing but the field's bits, and not 0)
wire        length_ok = write_data == {8'd0, new_length} && new_length != 24'd0;

always @* begin
    case (write_addr)
        `ARRAY_CONTROL: write_ok = !starts || !running;
        `ARRAY_PROGRAM, `ARRAY_READ_BASE, `ARRAY_READ_LAST, `ARRAY_WRITE_BASE, `ARRAY_WRITE_LAST,
        `ARRAY_SEED: write_ok = !running;
        `ARRAY_LENGTH: write_ok = !running && length_ok;
        `ARRAY_SNAPSHOT: write_ok = 1'b1;
        default: write_ok = 1'b0;
    endcase
end

always @(posedge clk) begin
    start_reg <= control && starts;
    stop_reg <= control && write_data[`ARRAY_CONTROL_STOP];
    // (no register but the length waits for what is written)
    if (settable) begin
        case (write_addr)
            `ARRAY_PROGRAM: program_reg <= write_data;
            `ARRAY_LENGTH: if (length_ok) length_reg <= new_length;
            `ARRAY_READ_BASE: read_base_reg <= write_data;
            `ARRAY_READ_LAST: read_last_reg <= write_data;
            `ARRAY_WRITE_BASE: write_base_reg <= write_data;
            `ARRAY_WRITE_LAST: write_last_reg <= write_data;
            `ARRAY_SEED: begin
                seed_enable_reg <= write_data[`ARRAY_SEED_ENABLE];
                seed_reg <= write_data[`ARRAY_SEED_WORD];
            end
            default: ;
        endcase
    end
    if (rst) begin
        start_reg <= 1'b0;
        stop_reg <= 1'b0;
        program_reg <= 32'd0;
        length_reg <= LENGTH_RESET[23:0];
        read_base_reg <= 32'd0;
        read_last_reg <= 32'd0;
        write_base_reg <= 32'd0;
        write_last_reg <= 32'd0;
        seed_enable_reg <= 1'b0;
        seed_reg <= 16'd0;
    end
end

assign start = start_reg;
assign stop = stop_reg;
assign program_addr = program_reg;
assign program_length = length_reg;
assign read_base = read_base_reg;
assign read_end = {1'b0, read_last_reg} + 33'd1;
assign write_base = write_base_reg;
assign write_end = {1'b0, write_last_reg} + 33'd1;
assign seed_enable = seed_enable_reg;
assign seed = seed_reg;

// --- counters ---

localparam SW = 8;  // bits of the events of a clock, one more than there can be

// PEs at work and waiting in the clock before: of every group, and of all
localparam N = P / GROUPS;
localparam CW = $clog2(N + 1);

reg [2*GROUPS*SW-1:0] group_reg;  // group 0 at work, group 0 waiting, group 1 at work, ...
reg [SW-1:0]          busy_total, stall_total;
integer               k;

genvar i;
generate
    for (i = 0; i < GROUPS; i = i + 1) begin : g_group
        wire [CW-1:0] group_busy, group_stall;

        popcount #(
            .N(N)
        ) count_busy (
            .x(busy_pes[N*i +: N]),
            .count(group_busy)
        );

        popcount #(
            .N(N)
        ) count_stall (
            .x(stall_pes[N*i +: N]),
            .count(group_stall)
        );

        always @(posedge clk) begin
            group_reg[2*SW*i +: 2*SW] <= {{(SW-CW){1'b0}}, group_stall, {(SW-CW){1'b0}}, group_busy};
            if (rst) group_reg[2*SW*i +: 2*SW] <= {(2*SW){1'b0}};
        end
    end
endgenerate

always @* begin
    busy_total = {SW{1'b0}};
    stall_total = {SW{1'b0}};
    for (k = 0; k < GROUPS; k = k + 1) begin
        busy_total = busy_total + group_reg[2*SW*k +: SW];
        stall_total = stall_total + group_reg[2*SW*k + SW +: SW];
    end
end

// Events of a clock, counter by counter: a counter is two words of the map
localparam HALF = SW/2;

wire [COUNTERS*SW-1:0] steps;

assign steps[HALF*`ARRAY_COUNTER_CLOCKS +: SW] = {{(SW-1){1'b0}}, busy};
assign steps[HALF*`ARRAY_COUNTER_BUSY_PES +: SW] = busy_total;
assign steps[HALF*`ARRAY_COUNTER_STALL_PES +: SW] = stall_total;
assign steps[HALF*`ARRAY_COUNTER_LOAD_CLOCKS +: SW] = {{(SW-1){1'b0}}, engine_busy[0]};
assign steps[HALF*`ARRAY_COUNTER_COMPUTE_CLOCKS +: SW] = {{(SW-1){1'b0}}, engine_busy[1]};
assign steps[HALF*`ARRAY_COUNTER_STORE_CLOCKS +: SW] = {{(SW-1){1'b0}}, engine_busy[2]};
assign steps[HALF*`ARRAY_COUNTER_FETCH_BEATS +: SW] = {{(SW-1){1'b0}}, read_beats[0]};
assign steps[HALF*`ARRAY_COUNTER_LOAD_BEATS +: SW] = {
    {(SW-2){1'b0}}, read_beats[1] && read_both, read_beats[1] && !read_both
};
assign steps[HALF*`ARRAY_COUNTER_STORE_BEATS +: SW] = {{(SW-1){1'b0}}, read_beats[2]};
assign steps[HALF*`ARRAY_COUNTER_WRITTEN_BEATS +: SW] = {{(SW-1){1'b0}}, written_beat};
assign steps[HALF*`ARRAY_COUNTER_LOADS +: SW] = {{(SW-1){1'b0}}, done[0]};
assign steps[HALF*`ARRAY_COUNTER_COMPUTES +: SW] = {{(SW-1){1'b0}}, done[1]};
assign steps[HALF*`ARRAY_COUNTER_STORES +: SW] = {{(SW-1){1'b0}}, done[2]};
assign steps[HALF*`ARRAY_COUNTER_CLIPPED_OUTPUTS +: SW] = {{(SW-BW){1'b0}}, clipped_outputs};
assign steps[HALF*`ARRAY_COUNTER_CLIPPED_MASTERS +: SW] = {{(SW-UW){1'b0}}, clipped_masters};
assign steps[HALF*`ARRAY_COUNTER_CLIPPED_MOMENTA +: SW] = {{(SW-UW){1'b0}}, clipped_momenta};
assign steps[HALF*`ARRAY_COUNTER_CLIPPED_WEIGHTS +: SW] = {{(SW-UW){1'b0}}, clipped_weights};
assign steps[SW*COMMON +: 2*SW*GROUPS] = group_reg;

// Counts of the last snapshot, counter 0 in the low bits
reg  [COUNTERS*64-1:0] held_reg;
wire [COUNTERS*64-1:0] counts;

generate
    for (i = 0; i < COUNTERS; i = i + 1) begin : g_counter
        event_counter #(
            .WIDTH(64),
            .STEP_WIDTH(64)
        ) counter (
            .clk(clk),
            .rst(rst),
            .clear(start_reg),
            .step({{(64-SW){1'b0}}, steps[SW*i +: SW]} * COUNT_STEP),
            .count(counts[64*i +: 64])
        );
    end
endgenerate

always @(posedge clk) begin
    if (snapshot) held_reg <= counts;
    if (rst) held_reg <= {(COUNTERS*64){1'b0}};
end

// --- reading ---

wire [9:0] counter_word = read_addr - `ARRAY_COUNTER_BASE;

always @* begin
    read_ok = 1'b1;
    read_data = 32'd0;
    case (read_addr)
        `ARRAY_ID: read_data = `ARRAY_ID_VALUE;
        `ARRAY_VERSION: read_data = `ARRAY_VERSION_VALUE;
        `ARRAY_SHAPE: begin
            read_data[`ARRAY_SHAPE_P] = P_WORD[7:0];
            read_data[`ARRAY_SHAPE_B] = B_WORD[7:0];
            read_data[`ARRAY_SHAPE_ACC] = ACC_WORD[7:0];
            read_data[`ARRAY_SHAPE_GROUPS] = GROUPS_WORD[6:0];
            read_data[`ARRAY_SHAPE_WIDE] = WIDE != 1;
        end
        `ARRAY_DEPTHS: begin
            read_data[`ARRAY_DEPTHS_X] = X_WORD[3:0];
            read_data[`ARRAY_DEPTHS_Y] = Y_WORD[3:0];
            read_data[`ARRAY_DEPTHS_W] = W_WORD[3:0];
            read_data[`ARRAY_DEPTHS_E] = E_WORD[3:0];
            read_data[`ARRAY_DEPTHS_T] = T_WORD[3:0];
        end
        `ARRAY_CONTROL, `ARRAY_SNAPSHOT: read_data = 32'd0;
        `ARRAY_STATUS: begin
            read_data[`ARRAY_STATUS_BUSY] = busy;
            read_data[`ARRAY_STATUS_ENDED] = ended;
            read_data[`ARRAY_STATUS_ERROR] = error;
            read_data[`ARRAY_STATUS_CAUSE] = error_cause;
            read_data[`ARRAY_STATUS_ENGINE] = error_engine;
        end
        `ARRAY_ERROR_INDEX: read_data[`ARRAY_ERROR_INDEX_DESCRIPTOR] = error_index;
        `ARRAY_PROGRAM: read_data = program_reg;
        `ARRAY_LENGTH: read_data[`ARRAY_LENGTH_DESCRIPTORS] = length_reg;
        `ARRAY_READ_BASE: read_data = read_base_reg;
        `ARRAY_READ_LAST: read_data = read_last_reg;
        `ARRAY_WRITE_BASE: read_data = write_base_reg;
        `ARRAY_WRITE_LAST: read_data = write_last_reg;
        `ARRAY_SEED: begin
            read_data[`ARRAY_SEED_ENABLE] = seed_enable_reg;
            read_data[`ARRAY_SEED_WORD] = seed_reg;
        end
        default: begin
            read_ok = read_addr >= `ARRAY_COUNTER_BASE && {22'd0, counter_word} < WORDS;
            read_data = held_reg[counter_word*32 +: 32];
        end
    endcase
end

wire unused = &{1'b0, read};

endmodule
`resetall
