// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Program fetch: reads a list of descriptors from memory
 *
 * `start` takes address and number of descriptors. The list is read by commands of at most CHUNK beats, each offered as
 * soon as the one before is taken; its beats become descriptors of 32 bytes, in order, with their index.
 *
 * An item with an error ends the fetch: error pulses in the next clock, with the index of the first descriptor that
 * could not be read completely. It is looked at when all descriptors before it have been taken. A command is refused as
 * a whole, so that a list that leaves the window is read up to a multiple of CHUNK beats. Of a list that does not begin
 * at a multiple of 32 bytes, or goes beyond 2^32, commands get an odd address: the port refuses them (cause 3).
 *
 * Latency: start to rd_cmd_valid 2 clocks; final beat of a descriptor to p_valid 1 clock. While p_ready is high a beat
 * per clock, and so a descriptor in 32/B clocks; for B = 64 a beat in two clocks, a descriptor per clock.
 */
module program_fetch #(
    // Bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Most beats of a read command, a power of two, 4 ... 65536
    parameter CHUNK = 4096
) (
    input  wire           clk,
    input  wire           rst,            // synchronous, active high: forgets everything

    input  wire           start,          // pulse, while idle
    input  wire [31:0]    addr,           // of the first descriptor: bytes, a multiple of 32 and of B
    input  wire [23:0]    length,         // descriptors; 0: nothing is done
    output wire           idle,           // all descriptors have been taken, or an error has ended the fetch

    output wire           rd_cmd_valid,   // read port, see axi_read
    input  wire           rd_cmd_ready,
    output wire [31:0]    rd_cmd_addr,    // bytes
    output wire [15:0]    rd_cmd_beats,   // number of beats less one
    input  wire           rd_valid,
    output wire           rd_ready,
    input  wire [8*B-1:0] rd_data,
    input  wire           rd_last,        // final item of a command
    input  wire [1:0]     rd_error,       // not 0: no beat, but 1 refused, 2 SLVERR, 3 DECERR

    output wire           p_valid,
    input  wire           p_ready,
    output wire [255:0]   p_data,         // descriptor, w0 in the low bits
    output wire [23:0]    p_index,        // its place in the list, from 0 on

    output wire           error,          // pulse
    output wire [3:0]     error_cause,    // with error: 3 refused, 4 SLVERR, 5 DECERR
    output wire [23:0]    error_index     // with error: descriptor that could not be read
);

`REQUIRE(g_b, B == 8 || B == 16 || B == 32 || B == 64, ("%m: B = %0d must be 8, 16, 32 or 64", B))
`REQUIRE(g_chunk, CHUNK >= 4 && CHUNK <= 65536 && (CHUNK & (CHUNK - 1)) == 0,
         ("%m: CHUNK = %0d must be a power of two, 4 to 65536", CHUNK))

`include "port_cause.vh"

localparam [31:0] CHUNK_BYTES = CHUNK * B;
localparam [31:0] CHUNK_WORD = CHUNK;
localparam [25:0] CHUNK_BEATS = CHUNK_WORD[25:0];

reg active_reg;

wire begins = start && !active_reg;
wire item = rd_valid && rd_ready;
wire fails = item && rd_error != 2'd0;

// --- commands ---

reg [25:0] ahead_reg;       // beats of the list that no command has asked for
reg [32:0] addr_reg;        // address of the next one
reg        cmd_valid_reg;
reg [31:0] cmd_addr_reg;
reg [25:0] cmd_beats_reg;

wire [25:0] beats = B == 8 ? {length, 2'd0} : B == 16 ? {1'b0, length, 1'b0} : B == 32 ? {2'd0, length}
    : {3'd0, length[23:1]} + {25'd0, length[0]};
wire last_chunk = ahead_reg <= CHUNK_BEATS;
wire ask = ahead_reg != 26'd0 && (!cmd_valid_reg || rd_cmd_ready);
wire wrong = addr_reg[32] || addr_reg[4:0] != 5'd0;

always @(posedge clk) begin
    if (begins) begin
        addr_reg <= {1'b0, addr};
        ahead_reg <= beats;
    end else if (ask) begin
        addr_reg <= addr_reg + {1'b0, CHUNK_BYTES};
        ahead_reg <= last_chunk ? 26'd0 : ahead_reg - CHUNK_BEATS;
    end
    if (ask) begin
        cmd_addr_reg <= {addr_reg[31:1], addr_reg[0] || wrong};
        cmd_beats_reg <= (last_chunk ? ahead_reg : CHUNK_BEATS) - 26'd1;
    end
    cmd_valid_reg <= ask || (cmd_valid_reg && !rd_cmd_ready);
    if (fails) ahead_reg <= 26'd0;
    if (rst) begin
        ahead_reg <= 26'd0;
        cmd_valid_reg <= 1'b0;
    end
end

assign rd_cmd_valid = cmd_valid_reg;
assign rd_cmd_addr = cmd_addr_reg;
assign rd_cmd_beats = cmd_beats_reg[15:0];

// --- descriptors ---

reg         valid_reg;      // a descriptor stands at the output
reg [255:0] data_reg;
reg [23:0]  index_reg;      // of the descriptor at the output, or of the next one
reg [23:0]  left_reg;       // descriptors that have not been taken
reg         error_reg;
reg [3:0]   cause_reg;
reg [23:0]  error_index_reg;

wire taken = valid_reg && p_ready;
wire take = item && !fails;
wire whole;                 // the beat that is taken ends a descriptor
wire again;                 // the beat at the output has a second descriptor

assign rd_ready = active_reg && (!valid_reg || (p_ready && !again));

wire [23:0] index_next = taken ? index_reg + 24'd1 : index_reg;

always @(posedge clk) begin
    index_reg <= begins ? 24'd0 : index_next;
    if (begins) left_reg <= length;
    else if (taken) left_reg <= left_reg - 24'd1;
    valid_reg <= (take && whole) || (valid_reg && (!p_ready || again));
    active_reg <= begins ? length != 24'd0 : active_reg && !fails && !(taken && left_reg == 24'd1);
    error_reg <= fails;
    cause_reg <= read_cause(rd_error);
    error_index_reg <= index_next;
    if (rst) begin
        valid_reg <= 1'b0;
        active_reg <= 1'b0;
        error_reg <= 1'b0;
    end
end

generate
    if (B < 32) begin : g_narrow
        localparam LOG = B == 8 ? 2 : 1;
        reg [LOG-1:0] beat_reg;

        always @(posedge clk) begin
            if (take) data_reg <= {rd_data, data_reg[255:8*B]};
            if (begins) beat_reg <= {LOG{1'b0}};
            else if (take) beat_reg <= beat_reg + {{(LOG-1){1'b0}}, 1'b1};
        end

        assign whole = &beat_reg;
        assign again = 1'b0;
    end else if (B > 32) begin : g_wide
        reg [255:0] second_reg;
        reg         again_reg;

        always @(posedge clk) begin
            if (take) data_reg <= rd_data[255:0];
            else if (taken) data_reg <= second_reg;
            if (take) second_reg <= rd_data[511:256];
            // a beat is taken when nothing is left of the one before, whose last descriptor may go in this clock
            again_reg <= take ? left_reg > (taken ? 24'd2 : 24'd1) : again_reg && !taken;
            if (rst) again_reg <= 1'b0;
        end

        assign whole = 1'b1;
        assign again = again_reg;
    end else begin : g_same
        always @(posedge clk) begin
            if (take) data_reg <= rd_data;
        end

        assign whole = 1'b1;
        assign again = 1'b0;
    end
endgenerate

assign p_valid = valid_reg;
assign p_data = data_reg;
assign p_index = index_reg;
assign idle = !active_reg;
assign error = error_reg;
assign error_cause = cause_reg;
assign error_index = error_index_reg;

wire unused = &{1'b0, rd_last, cmd_beats_reg[25:16]};

endmodule
`resetall
