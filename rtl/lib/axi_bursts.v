// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Commands to AXI4 bursts
 *
 * Takes commands (byte address, number of beats), checks each against the window and cuts it into bursts
 * of 1 to 16 beats, which end at multiples of 16 beats: a burst crosses no 4 KiB boundary, since 16
 * beats are at most 1 KiB. One burst per clock, without a gap between commands.
 *
 * With HALF a command may have beats of half the width: then all that is said of beats is said of those. With PAIRS
 * only its check counts those: its bursts have whole beats, from the one in which its first half beat is to the one in
 * which its last is, and say what of them nobody asked for.
 *
 * A command is refused, which its bursts say, if a byte of it is outside window_base ... window_end-1
 * or its address is not a multiple of a beat. Addresses of its bursts count modulo 2^ADDR_WIDTH.
 *
 * Latency: the first burst of a command stands at the output 2 clocks after the clock in which the command was
 * taken, if the bursts of the command before are gone by then.
 */
module axi_bursts #(
    // Bits of a byte address, 24 to 64
    parameter ADDR_WIDTH = 32,
    // Bits of a beat, a power of two, 32 to 512
    parameter DATA_WIDTH = 64,
    // 1: there are commands of half beats
    parameter HALF = 0,
    // 1: half beats come in pairs (with HALF)
    parameter PAIRS = 0
) (
    input  wire                  clk,
    // Synchronous, active high
    input  wire                  rst,
    // Forget the commands inside; none is taken in this clock
    input  wire                  flush,

    // The window: its first byte, and the byte behind its last. Looked at in the clock after a command was taken
    input  wire [ADDR_WIDTH-1:0] window_base,
    input  wire [ADDR_WIDTH:0]   window_end,

    // Commands. Byte address of the first beat
    input  wire                  cmd_valid,
    output wire                  cmd_ready,
    input  wire [ADDR_WIDTH-1:0] cmd_addr,
    // Number of beats less one
    input  wire [15:0]           cmd_beats,
    // Its beats are half beats (not looked at without HALF)
    input  wire                  cmd_half,

    // Bursts. With take_rest the remaining bursts of the command are taken with this one
    output wire                  burst_valid,
    input  wire                  burst_take,
    input  wire                  take_rest,
    // Byte address
    output wire [ADDR_WIDTH-1:0] burst_addr,
    // Number of beats less one
    output wire [3:0]            burst_len,
    // It is of a command of half beats
    output wire                  burst_half,
    // With PAIRS: the low half of its first beat is not asked for (bit 0), nor the high half of its last one (bit 1)
    output wire [1:0]            burst_skip,
    // Last burst of its command
    output wire                  burst_last,
    // Beats less one of the burst that is next if this one is taken, and if there is none: for who must know early
    // what will fit. Of a burst of the next command only if it is there
    output wire [3:0]            after_len,
    output wire [3:0]            first_len,
    // The command is refused
    output wire                  burst_refused,
    // What these two are in the next clock
    output wire                  next_valid,
    output wire                  next_refused,

    // A command is inside
    output wire                  busy
);

`REQUIRE(g_addr_width, ADDR_WIDTH >= 24 && ADDR_WIDTH <= 64,
         ("%m: ADDR_WIDTH = %0d must be 24 to 64", ADDR_WIDTH))
`REQUIRE(g_data_width, DATA_WIDTH >= 32 && DATA_WIDTH <= 512 && (DATA_WIDTH & (DATA_WIDTH - 1)) == 0,
         ("%m: DATA_WIDTH = %0d must be a power of two, 32 to 512", DATA_WIDTH))
`REQUIRE(g_halves, HALF == 0 || HALF == 1, ("%m: HALF = %0d must be 0 or 1", HALF))
`REQUIRE(g_pairs, PAIRS == 0 || (PAIRS == 1 && HALF == 1), ("%m: PAIRS = %0d must be 0, or 1 with HALF", PAIRS))

// (with legal stand-ins where the parameters are not, so that every simulator gets as far as the message)
localparam AW = ADDR_WIDTH >= 24 ? ADDR_WIDTH : 24;
// Bits of a byte's place in a beat, in the smallest beat that there is, and of the address of that
localparam BYTE_BITS = DATA_WIDTH > 8 ? $clog2(DATA_WIDTH / 8) : 1;
localparam LEAST_BITS = BYTE_BITS - (HALF != 0 ? 1 : 0);
localparam BW = AW - LEAST_BITS;
localparam [BW-5:0] ONE = 1;

// The command taken last; one can be taken in the next clock whatever happens in it: early, as cmd_ready decides much
reg                  cmd_valid_reg, cmd_valid_next;
reg                  open_reg;
reg [ADDR_WIDTH-1:0] cmd_addr_reg;
reg [15:0]           cmd_beats_reg;
reg                  cmd_half_reg;

// The command that is cut
reg          valid_reg, valid_next;
reg          half_reg;
reg          refused_reg;
// Beat address of the next burst, and beats left less one
reg [BW-1:0] addr_reg;
reg [15:0]   left_reg;
// The next burst is the last one; its beats less one: worked out when the burst before it is taken, so that nobody who
// waits for them waits for arithmetic
reg          last_reg;
reg [3:0]    len_reg;

wire finished = valid_reg && burst_take && (burst_last || take_rest);
wire advance = cmd_valid_reg && (!valid_reg || finished);

// First and last beat of the command, its last byte, and whether its address is no multiple of a beat (such a one is
// refused, whatever its last byte is); beats of the command as addr_reg has them, and the byte address of that
wire [BW-1:0] first_beat;
wire [BW:0]   last_beat = {1'b0, first_beat} + {{(BW-15){1'b0}}, cmd_beats_reg};
wire [AW:0]   final_byte;
wire          misaligned;
// Where its bursts begin, as addr_reg has it, and their beats less one
wire [BW-1:0] cut_beat;
wire [15:0]   cut_left;
wire          refused = cmd_addr_reg < window_base || final_byte >= window_end || misaligned;

generate
    if (HALF != 0) begin : g_half
        assign first_beat = cmd_half_reg ? cmd_addr_reg[AW-1:LEAST_BITS] : {1'b0, cmd_addr_reg[AW-1:BYTE_BITS]};
        assign final_byte = cmd_half_reg ? {last_beat, {LEAST_BITS{1'b1}}} : {last_beat[BW-1:0], {BYTE_BITS{1'b1}}};
        assign misaligned = cmd_addr_reg[LEAST_BITS-1:0] != {LEAST_BITS{1'b0}}
                            || (!cmd_half_reg && cmd_addr_reg[LEAST_BITS]);
        assign burst_half = half_reg;

        if (PAIRS != 0) begin : g_pairs
            wire        odd = cmd_half_reg && cmd_addr_reg[LEAST_BITS];
            wire [16:0] halves = {1'b0, cmd_beats_reg} + {16'd0, odd};
            reg  [1:0]  skip_reg;

            assign cut_beat = {1'b0, cmd_addr_reg[AW-1:BYTE_BITS]};
            assign cut_left = cmd_half_reg ? halves[16:1] : cmd_beats_reg;
            assign burst_addr = {addr_reg[BW-2:0], {BYTE_BITS{1'b0}}};
            assign burst_skip = {skip_reg[1] && burst_last, skip_reg[0]};

            always @(posedge clk) begin
                if (advance) skip_reg <= {cmd_half_reg && !halves[0], odd};
                else if (burst_take) skip_reg[0] <= 1'b0;
            end
        end else begin : g_narrow
            assign cut_beat = first_beat;
            assign cut_left = cmd_beats_reg;
            assign burst_addr = half_reg ? {addr_reg, {LEAST_BITS{1'b0}}} : {addr_reg[BW-2:0], {BYTE_BITS{1'b0}}};
            assign burst_skip = 2'd0;
        end
    end else begin : g_whole
        assign first_beat = cmd_addr_reg[AW-1:BYTE_BITS];
        assign final_byte = {last_beat, {BYTE_BITS{1'b1}}};
        assign misaligned = cmd_addr_reg[BYTE_BITS-1:0] != {BYTE_BITS{1'b0}};
        assign burst_addr = {addr_reg, {BYTE_BITS{1'b0}}};
        assign burst_half = 1'b0;
        assign burst_skip = 2'd0;
        assign cut_beat = first_beat;
        assign cut_left = cmd_beats_reg;

        wire unused = &{1'b0, half_reg};
    end
endgenerate

// Beats to the next multiple of 16, less one: of this burst, and of the first one of the next command
wire [3:0]  room = ~addr_reg[3:0];
wire [3:0]  cut_room = ~cut_beat[3:0];
wire        cut_last = cut_left[15:4] == 12'd0 && cut_left[3:0] <= cut_room;
// What is left behind this burst, whose next one begins at a multiple of 16
wire [15:0] rest = left_reg - {12'd0, room} - 16'd1;
wire        rest_last = rest[15:4] == 12'd0;
wire [3:0]  rest_len = rest_last ? rest[3:0] : 4'd15;

assign first_len = cut_last ? cut_left[3:0] : cut_room;
assign after_len = burst_last || take_rest ? first_len : rest_len;
assign burst_last = last_reg;
assign burst_len = len_reg;
assign burst_valid = valid_reg;
assign burst_refused = refused_reg;
assign next_valid = valid_next;
assign next_refused = advance ? refused : refused_reg;
assign busy = cmd_valid_reg || valid_reg;

assign cmd_ready = !flush && (open_reg || finished);

always @* begin
    cmd_valid_next = cmd_ready ? cmd_valid : cmd_valid_reg;
    valid_next = advance || (valid_reg && !finished);
    if (rst || flush) begin
        cmd_valid_next = 1'b0;
        valid_next = 1'b0;
    end
end

always @(posedge clk) begin
    cmd_valid_reg <= cmd_valid_next;
    valid_reg <= valid_next;
    open_reg <= !cmd_valid_next || !valid_next;
    if (cmd_ready) begin
        cmd_addr_reg <= cmd_addr;
        cmd_beats_reg <= cmd_beats;
        cmd_half_reg <= cmd_half;
    end
    if (advance) begin
        refused_reg <= refused;
        half_reg <= cmd_half_reg;
        addr_reg <= cut_beat;
        left_reg <= cut_left;
        last_reg <= cut_last;
        len_reg <= first_len;
    end else if (burst_take) begin
        addr_reg <= {addr_reg[BW-1:4] + ONE, 4'd0};
        left_reg <= rest;
        last_reg <= rest_last;
        len_reg <= rest_len;
    end
end

endmodule
`resetall
