// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * AXI4 read master
 *
 * Takes commands (byte address, number of beats) and gives their beats in order, one stream for all. Bursts
 * are incrementing and have at most 16 beats (axi_bursts.v). A burst is requested only when the FIFO has
 * room for all of it and fewer than OUTSTANDING are on their way: m_axi_rready is always high.
 *
 * Every command ends with exactly one item with m_last. In a good command this is its last beat. Otherwise
 * m_error of that item is the cause, and the item is no beat; m_error is 0 in all others:
 *   1 refused: not all inside the window, or misaligned. The item is the only one, nothing was read.
 *   2 SLVERR, 3 DECERR: the first error response of the command. The beats before it have come out, it
 *     and all after it are read and dropped, then the item follows. The next command is not affected.
 *
 * With HALF a command may have beats of half the width of the bus. They travel in pairs: all of the bus's beats are
 * whole, and of the first and the last one a half may be dropped, which may lie outside the window. An item is such a
 * half beat, in the low half of m_data; m_pair says that the next one of the same pair is there too, in the high half
 * where m_data has one. Whoever answers with m_both (with m_ready) takes both, else the second comes as the next item.
 * With m_pair m_last is that of the second one. An error response drops all of its pair.
 *
 * cancel (a pulse or longer) drops the commands inside and, from the next clock on, the stream (m_valid may
 * fall before m_ready). No request goes out but one that stands at the port; what was requested is read
 * and dropped. No command is taken before all that is over and cancel is low; idle tells.
 *
 * Latency: command taken to m_axi_arvalid 3 clocks, R beat to m_valid 2 clocks. The item of a refused command
 * is at m_valid 4 clocks after the command was taken, or later: it waits until all before it has been read.
 * Throughput: a request per clock; a beat per clock without gaps between bursts and between commands, if the
 * memory gives the first beat of a request after L clocks and both FIFO_DEPTH and OUTSTANDING bursts are at
 * least L + 20 beats. models/lib/memory_port.py predicts every clock.
 */
module axi_read #(
    // Bits of a byte address, 24 to 64
    parameter ADDR_WIDTH = 32,
    // Bits of the bus and of a beat, a power of two, 32 to 512
    parameter DATA_WIDTH = 64,
    // 1: there are commands of half beats, which travel in pairs
    parameter HALF = 0,
    // Bits of an item: those of a beat, or half of them where there are only commands of half beats
    parameter M_WIDTH = DATA_WIDTH,
    // Beats that the FIFO holds, at least two bursts of 16
    parameter FIFO_DEPTH = 128,
    // Bursts requested and not complete, at most, 1 to 64
    parameter OUTSTANDING = 8,
    // m_axi_arcache: normal memory, not cacheable, bufferable
    parameter [3:0] CACHE = 4'b0011,
    // m_axi_arprot: data, secure, unprivileged
    parameter [2:0] PROT = 3'b000
) (
    input  wire                  clk,
    // Synchronous, active high
    input  wire                  rst,

    // The window: its first byte, and the byte behind its last; unchanged while commands are inside
    input  wire [ADDR_WIDTH-1:0] window_base,
    input  wire [ADDR_WIDTH:0]   window_end,

    // Drop everything
    input  wire                  cancel,
    // No command inside, nothing requested, nothing in the FIFO
    output wire                  idle,

    // Commands. Byte address, a multiple of a beat
    input  wire                  cmd_valid,
    output wire                  cmd_ready,
    input  wire [ADDR_WIDTH-1:0] cmd_addr,
    // Number of beats less one
    input  wire [15:0]           cmd_beats,
    // Its beats are half beats (not looked at without HALF)
    input  wire                  cmd_half,

    // Beats. An item is a beat if m_error is 0
    output wire                  m_valid,
    input  wire                  m_ready,
    output wire [M_WIDTH-1:0]    m_data,
    // The item after this one is there too, and is taken with it (with HALF)
    output wire                  m_pair,
    input  wire                  m_both,
    output wire                  m_last,
    output wire [1:0]            m_error,

    // AXI4 read address and data; all IDs are 0
    output wire                  m_axi_arid,
    output wire [ADDR_WIDTH-1:0] m_axi_araddr,
    output wire [7:0]            m_axi_arlen,
    output wire [2:0]            m_axi_arsize,
    output wire [1:0]            m_axi_arburst,
    output wire                  m_axi_arlock,
    output wire [3:0]            m_axi_arcache,
    output wire [2:0]            m_axi_arprot,
    output wire                  m_axi_arvalid,
    input  wire                  m_axi_arready,
    input  wire                  m_axi_rid,
    input  wire [DATA_WIDTH-1:0] m_axi_rdata,
    input  wire [1:0]            m_axi_rresp,
    input  wire                  m_axi_rlast,
    input  wire                  m_axi_rvalid,
    output wire                  m_axi_rready
);

`REQUIRE(g_fifo_depth, FIFO_DEPTH >= 32,
         ("%m: FIFO_DEPTH = %0d must be at least 32, two bursts", FIFO_DEPTH))
`REQUIRE(g_m_width, M_WIDTH == DATA_WIDTH || (HALF != 0 && 2*M_WIDTH == DATA_WIDTH),
         ("%m: M_WIDTH = %0d must be DATA_WIDTH = %0d, or half of it with HALF", M_WIDTH, DATA_WIDTH))
`REQUIRE(g_outstanding, OUTSTANDING >= 1 && OUTSTANDING <= 64,
         ("%m: OUTSTANDING = %0d must be 1 to 64", OUTSTANDING))

localparam [1:0] NONE = 2'd0;
localparam [1:0] REFUSED = 2'd1;

// (with legal stand-ins where the parameters are not, so that every simulator gets as far as the message)
localparam BEAT_BITS = DATA_WIDTH > 8 ? $clog2(DATA_WIDTH / 8) : 1;
localparam SLOTS = OUTSTANDING >= 1 ? OUTSTANDING : 1;
localparam SW = $clog2(SLOTS + 1);
localparam PW = SLOTS > 1 ? $clog2(SLOTS) : 1;
localparam CW = $clog2((FIFO_DEPTH >= 32 ? FIFO_DEPTH : 32) + 1);
localparam [31:0] SIZE_WORD = BEAT_BITS;
localparam [31:0] SLOTS_WORD = SLOTS;
localparam [31:0] DEPTH_WORD = FIFO_DEPTH;
localparam [SW-1:0] ALL_SLOTS = SLOTS_WORD[SW-1:0];
localparam [SW-1:0] SLOT_ONE = 1;
localparam [PW-1:0] POINTER_ONE = 1;
localparam [CW-1:0] DEPTH = DEPTH_WORD[CW-1:0];
localparam [CW-1:0] ONE = 1;

wire                  burst_valid, burst_half, burst_last, burst_refused;
wire [1:0]            burst_skip;
wire [ADDR_WIDTH-1:0] burst_addr;
wire [3:0]            burst_len, after_len, first_len;
wire                  next_valid, next_refused;
wire                  bursts_busy;

// Until everything requested has come
reg  cancel_reg;
wire cancelling = cancel || cancel_reg;
// Bursts on their way, the one at the port included
reg [SW-1:0] flight_reg, flight_next;
// Words of the FIFO that nobody has a claim on
reg [CW-1:0] free_reg, free_next, kept_next;
// The burst that stands there may be requested: words of the FIFO are enough, and so few are on their way; or refused.
// (Both are ready at the begin of the clock, as much waits for cmd_ready.)
reg          may_issue_reg;
reg          may_refuse_reg;
// First error response of the command whose beats come
reg [1:0] error_reg, error_next;

reg                  ar_valid_reg;
reg [ADDR_WIDTH-1:0] ar_addr_reg;
reg [3:0]            ar_len_reg;

wire nothing_flies = flight_reg == {SW{1'b0}};
wire issue = may_issue_reg && !cancelling && (!ar_valid_reg || m_axi_arready);
wire refuse = may_refuse_reg && !cancelling;

axi_bursts #(
    .ADDR_WIDTH(ADDR_WIDTH),
    .DATA_WIDTH(DATA_WIDTH),
    .HALF(HALF),
    .PAIRS(HALF)
) bursts (
    .clk(clk),
    .rst(rst),
    .flush(cancelling),
    .window_base(window_base),
    .window_end(window_end),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd_addr(cmd_addr),
    .cmd_beats(cmd_beats),
    .cmd_half(cmd_half),
    .burst_valid(burst_valid),
    .burst_take(issue || refuse),
    .take_rest(burst_refused),
    .burst_addr(burst_addr),
    .burst_len(burst_len),
    .burst_half(burst_half),
    .burst_skip(burst_skip),
    .burst_last(burst_last),
    .after_len(after_len),
    .first_len(first_len),
    .burst_refused(burst_refused),
    .next_valid(next_valid),
    .next_refused(next_refused),
    .busy(bursts_busy)
);

// Does the burst on its way end its command? Newest in bit 0, oldest in bit flight - 1
reg  [SLOTS-1:0] ends_reg, ends_next;
wire [PW-1:0]    oldest = flight_reg[PW-1:0] - POINTER_ONE;

wire       r_burst_end = m_axi_rvalid && m_axi_rlast;
wire       r_end = m_axi_rlast && ends_reg[oldest];
wire [1:0] r_error = error_reg != NONE ? error_reg : m_axi_rresp[1] ? m_axi_rresp : NONE;
wire       r_keep = m_axi_rvalid && !cancelling && (r_error == NONE || r_end);
wire       pop;

always @* begin
    flight_next = flight_reg;
    ends_next = issue ? ends_reg << 1 : ends_reg;
    if (issue) ends_next[0] = burst_last;
    free_next = free_reg;
    error_next = error_reg;

    if (issue && !r_burst_end) flight_next = flight_reg + SLOT_ONE;
    if (!issue && r_burst_end) flight_next = flight_reg - SLOT_ONE;
    if (m_axi_rvalid) error_next = r_end ? NONE : r_error;

    if (issue) free_next = free_next - {{(CW-4){1'b0}}, burst_len} - ONE;
    if (refuse) free_next = free_next - ONE;
    if (m_axi_rvalid && !r_keep) free_next = free_next + ONE;
    kept_next = free_next;
    if (pop) free_next = free_next + ONE;

    if (cancelling) begin
        free_next = DEPTH;
        error_next = NONE;
    end
end

// The next clock's burst, and if it fits: with the word that is taken in this clock, which is known last, and without
wire [3:0] next_len = issue || refuse ? after_len : burst_valid ? burst_len : first_len;
wire       fits = pop ? kept_next >= {{(CW-4){1'b0}}, next_len} : kept_next > {{(CW-4){1'b0}}, next_len};
wire       some = pop || kept_next != {CW{1'b0}};

always @(posedge clk) begin
    cancel_reg <= cancelling && (cancel || !nothing_flies);
    flight_reg <= flight_next;
    ends_reg <= ends_next;
    free_reg <= free_next;
    may_issue_reg <= next_valid && !next_refused && fits && flight_next != ALL_SLOTS;
    may_refuse_reg <= next_valid && next_refused && some && flight_next == {SW{1'b0}};
    error_reg <= error_next;
    if (issue) begin
        ar_addr_reg <= burst_addr;
        ar_len_reg <= burst_len;
    end
    ar_valid_reg <= issue || (ar_valid_reg && !m_axi_arready);
    if (rst) begin
        cancel_reg <= 1'b0;
        flight_reg <= {SW{1'b0}};
        free_reg <= DEPTH;
        may_issue_reg <= 1'b0;
        may_refuse_reg <= 1'b0;
        error_reg <= NONE;
        ar_valid_reg <= 1'b0;
    end
end

// Beats as items of the FIFO: with HALF, which halves of it are asked for
localparam IW = HALF != 0 ? DATA_WIDTH + 2 : DATA_WIDTH;
// Bits of an item that are no data
localparam FW = IW + 3 - DATA_WIDTH;

wire [IW-1:0] r_item;
wire [1:0]    r_item_error = refuse ? REFUSED : r_end ? r_error : NONE;
wire [IW+2:0] stored = {r_item_error, refuse || r_end, r_item};
wire          item_ready;
wire [FW-1:0] flag;
wire [DATA_WIDTH-1:0] item;
wire [4:0]    unused_ports;

// Every item is a frame of its own. What is no data decides on handshakes. So it has its own FIFO, in step with that
// of the data: tools make one so small of LUTs, out of which it comes some ns earlier than out of a block RAM
frame_fifo #(
    .WIDTH(FW),
    .DEPTH(FIFO_DEPTH)
) flags (
    .clk(clk),
    .rst(rst || cancelling),
    .flush(1'b0),
    .s_valid(r_keep || refuse),
    .s_data(stored[IW+2:DATA_WIDTH]),
    .s_last(1'b1),
    .m_valid(m_valid),
    .m_ready(item_ready),
    .m_data(flag),
    .m_last(unused_ports[0]),
    .frame_done(unused_ports[1])
);

frame_fifo #(
    .WIDTH(DATA_WIDTH),
    .DEPTH(FIFO_DEPTH)
) fifo (
    .clk(clk),
    .rst(rst || cancelling),
    .flush(1'b0),
    .s_valid(r_keep || refuse),
    .s_data(stored[DATA_WIDTH-1:0]),
    .s_last(1'b1),
    .m_valid(unused_ports[2]),
    .m_ready(item_ready),
    .m_data(item),
    .m_last(unused_ports[3]),
    .frame_done(unused_ports[4])
);

assign {m_error, m_last} = flag[FW-1 -: 3];
assign pop = m_valid && item_ready;

generate
    if (HALF != 0) begin : g_half
        localparam HW = DATA_WIDTH / 2;

        // Of the bursts on their way, as ends_reg: half beats, and halves that nobody asked for
        reg  [SLOTS-1:0] halves_reg, skip_low_reg, skip_high_reg;
        // The next beat is the first one of its burst; the first half beat of the item has been taken
        reg              first_reg, second_reg;
        wire             high_alone = skip_low_reg[oldest] && first_reg;
        wire             low_alone = skip_high_reg[oldest] && m_axi_rlast;
        wire             beat = r_item_error == NONE;
        wire             item_pair, item_high;
        wire             high = item_high || second_reg;

        always @(posedge clk) begin
            if (issue) begin
                halves_reg <= halves_reg << 1;
                halves_reg[0] <= burst_half;
                skip_low_reg <= skip_low_reg << 1;
                skip_low_reg[0] <= burst_skip[0];
                skip_high_reg <= skip_high_reg << 1;
                skip_high_reg[0] <= burst_skip[1];
            end
            if (m_axi_rvalid) first_reg <= m_axi_rlast;
            if (m_valid && m_ready) second_reg <= m_pair && !m_both;
            if (cancelling) second_reg <= 1'b0;
            if (rst) begin
                first_reg <= 1'b1;
                second_reg <= 1'b0;
            end
        end

        assign r_item = {beat && halves_reg[oldest] && !high_alone && !low_alone, beat && high_alone, m_axi_rdata};
        assign {item_pair, item_high} = flag[1:0];
        assign m_pair = m_valid && item_pair && !second_reg;
        assign item_ready = m_ready && (!m_pair || m_both);
        assign m_data[HW-1:0] = high ? item[DATA_WIDTH-1:HW] : item[HW-1:0];

        if (M_WIDTH == DATA_WIDTH) begin : g_both
            assign m_data[DATA_WIDTH-1:HW] = item[DATA_WIDTH-1:HW];
        end
    end else begin : g_whole
        wire unused = &{1'b0, burst_half, burst_skip, m_both};

        assign r_item = m_axi_rdata;
        assign m_pair = 1'b0;
        assign item_ready = m_ready;
        assign m_data = item;
    end
endgenerate

assign idle = !bursts_busy && nothing_flies && free_reg == DEPTH;

assign m_axi_arid = 1'b0;
assign m_axi_araddr = ar_addr_reg;
assign m_axi_arlen = {4'd0, ar_len_reg};
assign m_axi_arsize = SIZE_WORD[2:0];
assign m_axi_arburst = 2'b01;
assign m_axi_arlock = 1'b0;
assign m_axi_arcache = CACHE;
assign m_axi_arprot = PROT;
assign m_axi_arvalid = ar_valid_reg;
assign m_axi_rready = 1'b1;

wire unused = &{1'b0, m_axi_rid, unused_ports};

`ifdef SIMULATION
// The rules of AXI4 that the master must keep, and those of the memory that it relies on: a fault stops, which
// fails the test. The FIFO stops where more comes than it can take.
reg                  held_reg;
reg [ADDR_WIDTH+7:0] held_ar_reg;
wire [15:0] ar_end = {4'd0, m_axi_araddr[11:0]} + (({8'd0, m_axi_arlen} + 16'd1) << m_axi_arsize);

always @(posedge clk) begin
    held_reg <= !rst && m_axi_arvalid && !m_axi_arready;
    held_ar_reg <= {m_axi_araddr, m_axi_arlen};
    if ($time != 0 && !rst && held_reg && (!m_axi_arvalid || held_ar_reg != {m_axi_araddr, m_axi_arlen})) begin
        $display("%m: AR changed before it was taken");
        $finish;
    end
    if ($time != 0 && !rst && m_axi_arvalid && (ar_end > 16'd4096 || m_axi_arlen > 8'd15)) begin
        $display("%m: burst of %0d beats at %h", m_axi_arlen + 1, m_axi_araddr);
        $finish;
    end
    if ($time != 0 && !rst && m_axi_rvalid && nothing_flies) begin
        $display("%m: R beat that nobody asked for");
        $finish;
    end
end
`endif

endmodule
`resetall
