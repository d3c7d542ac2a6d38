// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Commands of a write port for chunks of beats, and whose turn it is to send them
 *
 * Latency: a chunk that is taken stands in the next clock as a command at wr_cmd and, if none is before it, as its
 * beats at beat_*, one after the other: the user sends a beat of source beat_tag and says so with beat_take. Beats do
 * not wait for their command. Commands of two chunks go out while the beats of the one before are sent: a port that
 * wants to see them first takes beats without a gap.
 */
module chunk_writer #(
    // Bits of a chunk's number of beats less one, at most 16
    parameter BW = 4,
    // Bits of the tag
    parameter TW = 2
) (
    input  wire          clk,
    // Synchronous, active high: forgets everything
    input  wire          rst,

    // Chunks: byte address, number of beats less one, source
    input  wire          s_valid,
    output wire          s_ready,
    input  wire [31:0]   s_addr,
    input  wire [BW-1:0] s_beats,
    input  wire [TW-1:0] s_tag,

    // Commands, as axi_write takes them
    output wire          wr_cmd_valid,
    input  wire          wr_cmd_ready,
    output wire [31:0]   wr_cmd_addr,
    output wire [BW-1:0] wr_cmd_beats,

    // A beat of this source is next; it is the chunk's last; it is sent in this clock
    output wire          beat_valid,
    output wire [TW-1:0] beat_tag,
    output wire          beat_last,
    input  wire          beat_take
);

localparam [BW-1:0] ONE = 1;

reg          cmd_valid_reg;
reg [31:0]   addr_reg;
reg [BW-1:0] beats_reg;
// The chunk whose beats are sent, and the two behind it, whose commands have gone ahead or are at the port
reg          beat_valid_reg;
reg [BW-1:0] left_reg;
reg [TW-1:0] tag_reg;
reg          next_valid_reg;
reg [BW-1:0] next_left_reg;
reg [TW-1:0] next_tag_reg;
reg          after_valid_reg;
reg [BW-1:0] after_left_reg;
reg [TW-1:0] after_tag_reg;

wire last = left_reg == {BW{1'b0}};
wire take = s_valid && s_ready;
wire move = !beat_valid_reg || (beat_take && last);

assign s_ready = (!cmd_valid_reg || wr_cmd_ready) && !after_valid_reg;

always @(posedge clk) begin
    cmd_valid_reg <= take || (cmd_valid_reg && !wr_cmd_ready);
    if (take) begin
        addr_reg <= s_addr;
        beats_reg <= s_beats;
        after_left_reg <= s_beats;
        after_tag_reg <= s_tag;
    end
    after_valid_reg <= !move && (after_valid_reg || (take && next_valid_reg));
    if (beat_take) left_reg <= left_reg - ONE;
    if (move) begin
        beat_valid_reg <= take || next_valid_reg;
        left_reg <= next_valid_reg ? next_left_reg : s_beats;
        tag_reg <= next_valid_reg ? next_tag_reg : s_tag;
    end
    next_valid_reg <= move ? next_valid_reg && (after_valid_reg || take) : next_valid_reg || take;
    if (move || !next_valid_reg) begin
        next_left_reg <= after_valid_reg ? after_left_reg : s_beats;
        next_tag_reg <= after_valid_reg ? after_tag_reg : s_tag;
    end
    if (rst) begin
        cmd_valid_reg <= 1'b0;
        beat_valid_reg <= 1'b0;
        next_valid_reg <= 1'b0;
        after_valid_reg <= 1'b0;
    end
end

assign wr_cmd_valid = cmd_valid_reg;
assign wr_cmd_addr = addr_reg;
assign wr_cmd_beats = beats_reg;
assign beat_valid = beat_valid_reg;
assign beat_tag = tag_reg;
assign beat_last = last;

endmodule
`resetall
