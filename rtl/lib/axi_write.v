// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * AXI4 write master
 *
 * Takes commands (byte address, number of beats) and a stream with their beats in order, and writes them
 * with the strobes of all their bytes. Bursts are incrementing and have at most 16 beats (axi_bursts.v). A burst
 * begins when all its beats are in the FIFO, so that the memory never waits for data; its address and its first beat
 * do not wait for each other. At most OUTSTANDING bursts have begun and are not answered. m_axi_bready is always high.
 *
 * Every command is reported by one pulse of done, in the order of commands, with done_error:
 *   0 all answers were good.
 *   1 refused: not all inside the window, or misaligned. Its beats were taken from the stream and dropped,
 *     nothing was written.
 *   2 SLVERR, 3 DECERR: the first error response of the command. The bursts after it are written all the same.
 *
 * With HALF a command may have beats of half the width of the bus. They are taken from the low half of s_data and
 * stand in the half of the bus that their address says, with strobes of that half alone (AXI4's narrow transfers).
 *
 * cancel (a pulse or longer) drops the commands inside and the beats of the burst that has not begun; those
 * that have begun are completed. A command that is dropped or not yet answered is not reported any more. No
 * command and no beat is taken before all that is over and cancel is low; idle tells.
 *
 * Latency: command taken to s_ready 2 clocks; last beat of a burst taken to m_axi_awvalid and its first
 * m_axi_wvalid 2 clocks; last response to done 1 clock. The last beat of a refused command is taken only when
 * all before it is answered, done follows 1 clock later.
 * Throughput: a beat per clock without gaps between bursts and between commands, if the memory takes one per
 * clock and answers a burst L clocks after its last beat, and OUTSTANDING bursts (ragged ones at the ends of
 * commands are short) are at least L + 20 beats. models/lib/memory_port.py predicts every clock.
 */
module axi_write #(
    // Bits of a byte address, 24 to 64
    parameter ADDR_WIDTH = 32,
    // Bits of the bus and of a beat, a power of two, 32 to 512
    parameter DATA_WIDTH = 64,
    // 1: there are commands of half beats
    parameter HALF = 0,
    // Beats that the FIFO holds, at least two bursts of 16
    parameter FIFO_DEPTH = 64,
    // Bursts begun and not answered, at most, 1 to 64
    parameter OUTSTANDING = 8,
    // m_axi_awcache: normal memory, not cacheable, bufferable
    parameter [3:0] CACHE = 4'b0011,
    // m_axi_awprot: data, secure, unprivileged
    parameter [2:0] PROT = 3'b000
) (
    input  wire                    clk,
    // Synchronous, active high
    input  wire                    rst,

    // The window: its first byte, and the byte behind its last; unchanged while commands are inside
    input  wire [ADDR_WIDTH-1:0]   window_base,
    input  wire [ADDR_WIDTH:0]     window_end,

    // Drop what has not begun
    input  wire                    cancel,
    // No command inside, all answered
    output wire                    idle,

    // Commands. Byte address, a multiple of a beat
    input  wire                    cmd_valid,
    output wire                    cmd_ready,
    input  wire [ADDR_WIDTH-1:0]   cmd_addr,
    // Number of beats less one
    input  wire [15:0]             cmd_beats,
    // Its beats are half beats (not looked at without HALF)
    input  wire                    cmd_half,

    // Beats of the commands
    input  wire                    s_valid,
    output wire                    s_ready,
    input  wire [DATA_WIDTH-1:0]   s_data,

    // Pulse: the next command is done
    output wire                    done,
    // With done
    output wire [1:0]              done_error,

    // AXI4 write address, data and response; all IDs are 0
    output wire                    m_axi_awid,
    output wire [ADDR_WIDTH-1:0]   m_axi_awaddr,
    output wire [7:0]              m_axi_awlen,
    output wire [2:0]              m_axi_awsize,
    output wire [1:0]              m_axi_awburst,
    output wire                    m_axi_awlock,
    output wire [3:0]              m_axi_awcache,
    output wire [2:0]              m_axi_awprot,
    output wire                    m_axi_awvalid,
    input  wire                    m_axi_awready,
    output wire [DATA_WIDTH-1:0]   m_axi_wdata,
    output wire [DATA_WIDTH/8-1:0] m_axi_wstrb,
    output wire                    m_axi_wlast,
    output wire                    m_axi_wvalid,
    input  wire                    m_axi_wready,
    input  wire                    m_axi_bid,
    input  wire [1:0]              m_axi_bresp,
    input  wire                    m_axi_bvalid,
    output wire                    m_axi_bready
);

`REQUIRE(g_fifo_depth, FIFO_DEPTH >= 32,
         ("%m: FIFO_DEPTH = %0d must be at least 32, two bursts", FIFO_DEPTH))
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
localparam [31:0] LAST_WORD = SLOTS - 1;
localparam [31:0] DEPTH_WORD = FIFO_DEPTH;
localparam [SW-1:0] ALL_SLOTS = SLOTS_WORD[SW-1:0];
localparam [SW-1:0] SLOT_ONE = 1;
localparam [PW-1:0] LAST_SLOT = LAST_WORD[PW-1:0];
localparam [PW-1:0] POINTER_ONE = 1;
localparam [CW-1:0] DEPTH = DEPTH_WORD[CW-1:0];
localparam [CW-1:0] ONE = 1;

wire                  burst_valid, burst_half, burst_last, burst_refused;
wire [ADDR_WIDTH-1:0] burst_addr;
wire [1:0]            unused_skip, unused_next;
wire [3:0]            burst_len, after_len, first_len;
wire                  bursts_busy;

// Until every burst that has begun is answered
reg  cancel_reg;
wire cancelling = cancel || cancel_reg;
// Bursts begun and not answered; of these, with their address not yet at the port
reg [SW-1:0] flight_reg, flight_next;
reg [SW-1:0] wait_reg, wait_next;
// Free words of the FIFO
reg [CW-1:0] free_reg, free_next;
// A word of the FIFO is free; so many bursts are on their way that no other may begin; none is; the next beat is the
// last one of its burst. (Ready at the begin of the clock: who offers a beat waits for s_ready.)
reg room_reg, room_next;
reg full_reg, full_next;
reg empty_reg, empty_next;
reg end_reg;
// Beats of the present burst taken
reg [3:0] beat_reg;
// First error response of the command that is answered
reg [1:0] error_reg;

reg                  aw_valid_reg;
reg [ADDR_WIDTH-1:0] aw_addr_reg;
reg [3:0]            aw_len_reg;
reg                  done_reg;
reg [1:0]            done_error_reg;

wire nothing_flies = empty_reg;
wire burst_end = end_reg;
// Of a good burst, every beat needs a word of the FIFO and the last one a slot; the last of a refused command waits
wire beat_fits = room_reg && (!burst_end || !full_reg);
wire beat_drops = !(burst_end && burst_last) || nothing_flies;

assign s_ready = burst_valid && !cancelling && (burst_refused ? beat_drops : beat_fits);

wire accept = s_valid && s_ready;
wire store = accept && !burst_refused;
wire begin_burst = store && burst_end;
wire refused_end = accept && burst_refused && burst_end && burst_last;

axi_bursts #(
    .ADDR_WIDTH(ADDR_WIDTH),
    .DATA_WIDTH(DATA_WIDTH),
    .HALF(HALF)
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
    .burst_take(accept && burst_end),
    .take_rest(1'b0),
    .burst_addr(burst_addr),
    .burst_len(burst_len),
    .burst_half(burst_half),
    .burst_skip(unused_skip),
    .burst_last(burst_last),
    .after_len(after_len),
    .first_len(first_len),
    .burst_refused(burst_refused),
    .next_valid(unused_next[0]),
    .next_refused(unused_next[1]),
    .busy(bursts_busy)
);

// Addresses that wait for the port
reg [ADDR_WIDTH+3:0] address_mem [0:SLOTS-1];
reg [PW-1:0]         queue_write_reg;
reg [PW-1:0]         queue_read_reg;
wire                 aw_load = wait_reg != {SW{1'b0}} && (!aw_valid_reg || m_axi_awready);

always @(posedge clk) begin
    if (begin_burst) address_mem[queue_write_reg] <= {burst_addr, burst_len};
end

// Does the burst that has begun end its command? Newest in bit 0, oldest in bit flight - 1
reg  [SLOTS-1:0] ends_reg, ends_next;
wire [PW-1:0]    oldest = flight_reg[PW-1:0] - POINTER_ONE;

wire       b_end = m_axi_bvalid && ends_reg[oldest];
wire [1:0] b_error = error_reg != NONE ? error_reg : m_axi_bresp[1] ? m_axi_bresp : NONE;
wire       w_taken = m_axi_wvalid && m_axi_wready;

always @* begin
    flight_next = flight_reg;
    ends_next = begin_burst ? ends_reg << 1 : ends_reg;
    if (begin_burst) ends_next[0] = burst_last;
    wait_next = wait_reg;
    free_next = free_reg;
    full_next = full_reg;
    empty_next = empty_reg;
    room_next = room_reg;

    if (begin_burst && !m_axi_bvalid) begin
        flight_next = flight_reg + SLOT_ONE;
        full_next = flight_reg == ALL_SLOTS - SLOT_ONE;
        empty_next = 1'b0;
    end
    if (!begin_burst && m_axi_bvalid) begin
        flight_next = flight_reg - SLOT_ONE;
        full_next = 1'b0;
        empty_next = flight_reg == SLOT_ONE;
    end
    if (begin_burst && !aw_load) wait_next = wait_reg + SLOT_ONE;
    if (!begin_burst && aw_load) wait_next = wait_reg - SLOT_ONE;
    if (store && !w_taken) begin
        free_next = free_reg - ONE;
        room_next = free_reg != ONE;
    end
    if (!store && w_taken) begin
        free_next = free_reg + ONE;
        room_next = 1'b1;
    end
    // All that has begun is written: only the words of the burst that has not are in the FIFO, and they are dropped
    if (cancelling && nothing_flies) begin
        free_next = DEPTH;
        room_next = 1'b1;
    end
end

always @(posedge clk) begin
    cancel_reg <= cancelling && (cancel || !nothing_flies);
    flight_reg <= flight_next;
    ends_reg <= ends_next;
    wait_reg <= wait_next;
    free_reg <= free_next;
    full_reg <= full_next;
    empty_reg <= empty_next;
    room_reg <= room_next;
    if (accept) beat_reg <= burst_end ? 4'd0 : beat_reg + 4'd1;
    if (accept) end_reg <= burst_end ? after_len == 4'd0 : beat_reg + 4'd1 == burst_len;
    else if (!burst_valid) end_reg <= first_len == 4'd0;
    if (begin_burst) begin
        queue_write_reg <= queue_write_reg == LAST_SLOT ? {PW{1'b0}} : queue_write_reg + POINTER_ONE;
    end
    if (aw_load) begin
        {aw_addr_reg, aw_len_reg} <= address_mem[queue_read_reg];
        queue_read_reg <= queue_read_reg == LAST_SLOT ? {PW{1'b0}} : queue_read_reg + POINTER_ONE;
    end
    aw_valid_reg <= aw_load || (aw_valid_reg && !m_axi_awready);
    if (m_axi_bvalid) error_reg <= b_end ? NONE : b_error;
    done_reg <= b_end || refused_end;
    done_error_reg <= refused_end ? REFUSED : b_error;
    if (cancelling) begin
        beat_reg <= 4'd0;
        error_reg <= NONE;
        done_reg <= 1'b0;
    end
    if (rst) begin
        cancel_reg <= 1'b0;
        flight_reg <= {SW{1'b0}};
        wait_reg <= {SW{1'b0}};
        free_reg <= DEPTH;
        full_reg <= 1'b0;
        empty_reg <= 1'b1;
        room_reg <= 1'b1;
        beat_reg <= 4'd0;
        error_reg <= NONE;
        queue_write_reg <= {PW{1'b0}};
        queue_read_reg <= {PW{1'b0}};
        aw_valid_reg <= 1'b0;
        done_reg <= 1'b0;
    end
end

wire frame_done;
// Beats with strobes of the two halves, where there are half beats: these stand in both halves
wire [DATA_WIDTH+2*HALF-1:0] in_beat;
wire [DATA_WIDTH+2*HALF-1:0] out_beat;

generate
    if (HALF != 0) begin : g_half
        // Of the addresses that wait: their beats are half beats; of the one at the port
        reg  [SLOTS-1:0] halves_reg;
        reg              aw_half_reg;
        wire             odd = burst_addr[BEAT_BITS-1] != beat_reg[0];
        wire [1:0]       strobes = {!burst_half || odd, !burst_half || !odd};

        always @(posedge clk) begin
            if (begin_burst) halves_reg[queue_write_reg] <= burst_half;
            if (aw_load) aw_half_reg <= halves_reg[queue_read_reg];
        end

        assign in_beat[DATA_WIDTH-1:0] = {
            burst_half ? s_data[DATA_WIDTH/2-1:0] : s_data[DATA_WIDTH-1:DATA_WIDTH/2], s_data[DATA_WIDTH/2-1:0]
        };
        assign in_beat[DATA_WIDTH+1:DATA_WIDTH] = strobes;
        assign m_axi_wdata = out_beat[DATA_WIDTH-1:0];
        assign m_axi_wstrb = {{(DATA_WIDTH/16){out_beat[DATA_WIDTH+1]}}, {(DATA_WIDTH/16){out_beat[DATA_WIDTH]}}};
        assign m_axi_awsize = SIZE_WORD[2:0] - {2'd0, aw_half_reg};
    end else begin : g_whole
        wire unused = &{1'b0, burst_half};

        assign in_beat = s_data;
        assign m_axi_wdata = out_beat;
        assign m_axi_wstrb = {(DATA_WIDTH/8){1'b1}};
        assign m_axi_awsize = SIZE_WORD[2:0];
    end
endgenerate

// A frame is a burst
frame_fifo #(
    .WIDTH(DATA_WIDTH + 2*HALF),
    .DEPTH(FIFO_DEPTH)
) fifo (
    .clk(clk),
    .rst(rst),
    .flush(cancelling),
    .s_valid(store),
    .s_data(in_beat),
    .s_last(burst_end),
    .m_valid(m_axi_wvalid),
    .m_ready(m_axi_wready),
    .m_data(out_beat),
    .m_last(m_axi_wlast),
    .frame_done(frame_done)
);

assign idle = !bursts_busy && nothing_flies && free_reg == DEPTH;
assign done = done_reg;
assign done_error = done_error_reg;

assign m_axi_awid = 1'b0;
assign m_axi_awaddr = aw_addr_reg;
assign m_axi_awlen = {4'd0, aw_len_reg};
assign m_axi_awburst = 2'b01;
assign m_axi_awlock = 1'b0;
assign m_axi_awcache = CACHE;
assign m_axi_awprot = PROT;
assign m_axi_awvalid = aw_valid_reg;
assign m_axi_bready = 1'b1;

wire unused = &{1'b0, m_axi_bid, frame_done};

`ifdef SIMULATION
// The rules of AXI4 that the master must keep, and those of the memory that it relies on: a fault stops, which
// fails the test.
reg                  held_aw_reg, held_w_reg;
reg [ADDR_WIDTH+7:0] held_aw_payload_reg;
reg [DATA_WIDTH:0]   held_w_payload_reg;
wire [15:0] aw_end = {4'd0, m_axi_awaddr[11:0]} + (({8'd0, m_axi_awlen} + 16'd1) << m_axi_awsize);
// Lengths of the bursts whose data have not gone, the next one at w_read_reg, and beats gone of that
reg [3:0]    length_mem [0:SLOTS-1];
reg [PW-1:0] w_read_reg;
reg [3:0]    w_beat_reg;

always @(posedge clk) begin
    held_aw_reg <= !rst && m_axi_awvalid && !m_axi_awready;
    held_aw_payload_reg <= {m_axi_awaddr, m_axi_awlen};
    held_w_reg <= !rst && m_axi_wvalid && !m_axi_wready;
    held_w_payload_reg <= {m_axi_wlast, m_axi_wdata};
    if ($time != 0 && !rst && held_aw_reg
            && (!m_axi_awvalid || held_aw_payload_reg != {m_axi_awaddr, m_axi_awlen})) begin
        $display("%m: AW changed before it was taken");
        $finish;
    end
    if ($time != 0 && !rst && held_w_reg && (!m_axi_wvalid || held_w_payload_reg != {m_axi_wlast, m_axi_wdata})) begin
        $display("%m: W changed before it was taken");
        $finish;
    end
    if ($time != 0 && !rst && m_axi_awvalid && (aw_end > 16'd4096 || m_axi_awlen > 8'd15)) begin
        $display("%m: burst of %0d beats at %h", m_axi_awlen + 1, m_axi_awaddr);
        $finish;
    end
    if ($time != 0 && !rst && m_axi_bvalid && nothing_flies) begin
        $display("%m: B that nobody waits for");
        $finish;
    end
    if (begin_burst) length_mem[queue_write_reg] <= burst_len;
    if (w_taken) begin
        w_beat_reg <= m_axi_wlast ? 4'd0 : w_beat_reg + 4'd1;
        if (m_axi_wlast) w_read_reg <= w_read_reg == LAST_SLOT ? {PW{1'b0}} : w_read_reg + POINTER_ONE;
        if ($time != 0 && !rst && m_axi_wlast != (w_beat_reg == length_mem[w_read_reg])) begin
            $display("%m: WLAST is %b with beat %0d of a burst", m_axi_wlast, w_beat_reg);
            $finish;
        end
    end
    if (rst) begin
        w_beat_reg <= 4'd0;
        w_read_reg <= {PW{1'b0}};
    end
end
`endif

endmodule
`resetall
