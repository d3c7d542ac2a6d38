// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Records of channels: beats of memory to one record per channel
 *
 * The records of a drain lie one behind the other (docs/pe_array/descriptors.md), from anywhere in a beat on. One
 * command reads all their beats. A beat waits in a register, and the next one is taken as its last record leaves, so
 * that records come one per clock where beats come in time. What the last beat has behind the last record is never
 * asked for; the next start forgets it.
 *
 * Latency: start in clock c: command and too_many in c+1. The first record of a beat that is taken in clock c is at
 * the output in c+2.
 */
module channel_records #(
    // Bytes of a beat, a power of two, 8 ... 64
    parameter B = 32
) (
    input  wire           clk,
    // Synchronous, active high: forgets everything
    input  wire           rst,

    // Pulse: other records, of so many channels, at least 1
    input  wire           start,
    // 1: bias, multiplier and shift, 8 bytes; 0: biases, 4 bytes
    input  wire           full,
    // Byte address of the first record. One that is no multiple of the record's bytes makes a misaligned command, for
    // the memory port to refuse
    input  wire [31:0]    address,
    input  wire [18:0]    channels,

    // More beats than a command can have
    output wire           too_many,

    // Command for the memory port: byte address, beats less one
    output wire           cmd_valid,
    input  wire           cmd_ready,
    output wire [31:0]    cmd_addr,
    output wire [15:0]    cmd_beats,

    // Its beats
    input  wire           s_valid,
    output wire           s_ready,
    input  wire [8*B-1:0] s_data,

    // Record of the next channel; multiplier and shift of full ones alone
    output wire           m_valid,
    input  wire           m_ready,
    output wire [31:0]    m_bias,
    output wire [`ARRAY_MULTIPLIER_BITS-1:0] m_multiplier,
    output wire [4:0]     m_shift
);

`REQUIRE(g_b, B >= 8 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 8 to 64", B))

// (with a legal stand-in where B is not, so that every simulator gets as far as the message)
localparam BYTE_BITS = B >= 8 && B <= 64 ? $clog2(B) : 3;
// Bits of the number of a word of 32 bits in its beat
localparam WORD_BITS = BYTE_BITS - 2;
localparam [WORD_BITS-1:0] ODD = 1;
// Bits of an address that number a record in its beat
localparam [31:0] BIASES = B - 4;
localparam [31:0] FULL = B - 8;

// --- the command ---

reg                  command_reg;
reg                  full_reg;
reg [31:0]           addr_reg;
reg [20-WORD_BITS:0] beats_reg;     // less one

wire [WORD_BITS-1:0] place = address[BYTE_BITS-1:2];
wire [WORD_BITS-1:0] first = full ? place & ~ODD : place;
wire [20:0]          words = full ? {1'b0, channels, 1'b0} : {2'd0, channels};
wire [20:0]          last_word = {{(21-WORD_BITS){1'b0}}, first} + words - 21'd1;
wire                 unused_word = &{1'b0, last_word[WORD_BITS-1:0]};

always @(posedge clk) begin
    if (start) begin
        full_reg <= full;
        addr_reg <= address & ~(full ? FULL : BIASES);
        beats_reg <= last_word[20:WORD_BITS];
    end
    command_reg <= start || (command_reg && !cmd_ready);
    if (rst) command_reg <= 1'b0;
end

assign cmd_valid = command_reg;
assign cmd_addr = addr_reg;
assign cmd_beats = beats_reg[15:0];
assign too_many = beats_reg[20-WORD_BITS:16] != {(5-WORD_BITS){1'b0}};

// --- beats and records ---

reg                 beat_valid_reg;
reg [8*B-1:0]       beat_reg;
reg [WORD_BITS-1:0] word_reg;       // of the next record in this beat, or in the next one
reg                 valid_reg;
reg [63:0]          record_reg;

wire                 room = !valid_reg || m_ready;
wire [WORD_BITS-1:0] last_of_record = full_reg ? word_reg | ODD : word_reg;
wire                 beat_end = &last_of_record;
wire                 move = beat_valid_reg && room;
wire                 take = s_valid && s_ready;

assign s_ready = !beat_valid_reg || (move && beat_end);

always @(posedge clk) begin
    if (take) beat_reg <= s_data;
    if (move) record_reg <= {beat_reg[{last_of_record, 5'd0} +: 32], beat_reg[{word_reg, 5'd0} +: 32]};
    if (move) word_reg <= last_of_record + ODD;
    beat_valid_reg <= take || (beat_valid_reg && !(move && beat_end));
    valid_reg <= move || (valid_reg && !m_ready);
    if (start) word_reg <= first;
    if (rst || start) begin
        beat_valid_reg <= 1'b0;
        valid_reg <= 1'b0;
    end
end

assign m_valid = valid_reg;
assign m_bias = record_reg[`ARRAY_RECORD_BIAS];
assign m_multiplier = record_reg[`ARRAY_RECORD_MULTIPLIER];
assign m_shift = record_reg[`ARRAY_RECORD_SHIFT];

wire unused_record = &{1'b0, `ARRAY_RECORD_UNUSED(record_reg)};

endmodule
`resetall
