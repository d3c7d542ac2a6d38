// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Commands for a memory port from runs of beats at equal distances, in groups at equal distances
 *
 * A pattern is `runs` runs of `beats` beats each, run_stride beats apart, and that `groups` times, group_stride beats
 * apart (docs/pe_array/descriptors.md: MAP has one group). Every run is one command, whether it touches the next one or
 * not. Addresses count modulo 2^32; a misaligned one stays misaligned in all commands, for the memory port to refuse.
 *
 * Latency: a pattern that is taken in clock c has its first command at the output in c+1, then one per clock; patterns
 * follow each other without a gap. total_valid pulses in c+4, whether commands move or not, with all beats of the
 * pattern in `total`: three registers behind the pattern's own, for the multipliers.
 */
module address_runs #(
    // bytes of a beat, a power of two, 4 ... 64
    parameter B = 32
) (
    input  wire        clk,
    input  wire        rst,            // synchronous, active high: forgets everything

    input  wire        s_valid,        // a pattern
    output wire        s_ready,
    input  wire [31:0] s_addr,         // byte address of the first beat
    input  wire [15:0] s_beats,        // beats of a run less one
    input  wire [12:0] s_runs,         // runs of a group less one
    input  wire [19:0] s_run_stride,   // beats from the start of a run to that of the next
    input  wire [11:0] s_groups,       // groups less one
    input  wire [19:0] s_group_stride, // beats from the start of a group to that of the next

    output wire        m_valid,        // a command
    input  wire        m_ready,
    output wire [31:0] m_addr,         // byte address
    output wire [15:0] m_beats,        // beats less one
    output wire        m_last,         // the last one of its pattern

    output wire        total_valid,    // pulse: 4 clocks after a pattern was taken
    output wire [41:0] total           // its beats
);

`REQUIRE(g_b, B >= 4 && B <= 64 && (B & (B - 1)) == 0, ("%m: B = %0d must be a power of two, 4 to 64", B))

// (with a legal stand-in where B is not, so that every simulator gets as far as the message)
localparam BYTE_BITS = B >= 4 && B <= 64 ? $clog2(B) : 2;

// --- the pattern ---

reg         valid_reg;
reg  [31:0] addr_reg;          // of the present run
reg  [31:0] group_addr_reg;    // of the present group
reg  [15:0] beats_reg;
reg  [12:0] runs_reg;
reg  [19:0] run_stride_reg;
reg  [11:0] groups_reg;
reg  [19:0] group_stride_reg;
reg  [12:0] run_reg;           // runs of this group behind the present one
reg  [11:0] group_reg;         // groups behind the present one
reg         group_end_reg;     // run_reg is 0
reg         last_group_reg;    // group_reg is 0

wire        group_end = group_end_reg;
wire        take = s_valid && s_ready;
wire        move = valid_reg && m_ready;

// One adder: to the next run, or from the start of this group to the next group
wire [31:0] base = group_end ? group_addr_reg : addr_reg;
wire [19:0] stride = group_end ? group_stride_reg : run_stride_reg;
wire [31:0] next_addr = base + {{(12-BYTE_BITS){1'b0}}, stride, {BYTE_BITS{1'b0}}};

assign m_valid = valid_reg;
assign m_addr = addr_reg;
assign m_beats = beats_reg;
assign m_last = group_end && last_group_reg;
assign s_ready = !valid_reg || (m_ready && m_last);

// What stands at the input is copied while no pattern would be lost: whether there is one is known late
always @(posedge clk) begin
    if (s_ready) begin
        addr_reg <= s_addr;
        group_addr_reg <= s_addr;
        beats_reg <= s_beats;
        runs_reg <= s_runs;
        run_stride_reg <= s_run_stride;
        groups_reg <= s_groups;
        group_stride_reg <= s_group_stride;
        run_reg <= s_runs;
        group_reg <= s_groups;
        group_end_reg <= s_runs == 13'd0;
        last_group_reg <= s_groups == 12'd0;
    end else if (move) begin
        addr_reg <= next_addr;
        run_reg <= group_end ? runs_reg : run_reg - 13'd1;
        group_end_reg <= group_end ? runs_reg == 13'd0 : run_reg == 13'd1;
        if (group_end) begin
            group_addr_reg <= next_addr;
            group_reg <= group_reg - 12'd1;
            last_group_reg <= group_reg == 12'd1;
        end
    end
    valid_reg <= take || (valid_reg && !(move && m_last));
    if (rst) valid_reg <= 1'b0;
end

// --- its beats ---

reg  [16:0] beats_count_reg;   // of a run: 1 ... 65536
reg  [13:0] runs_count_reg;    // of a group: 1 ... 8192
reg  [12:0] groups_count_reg;  // 1 ... 4096
reg  [12:0] groups_late_reg;
reg  [29:0] group_beats_reg;   // of a group: at most 2^29
reg  [41:0] total_reg;         // at most 2^41
reg  [3:0]  taken_reg;         // a pattern was taken 1, 2, 3, 4 clocks ago

always @(posedge clk) begin
    beats_count_reg <= {1'b0, beats_reg} + 17'd1;
    runs_count_reg <= {1'b0, runs_reg} + 14'd1;
    groups_count_reg <= {1'b0, groups_reg} + 13'd1;
    groups_late_reg <= groups_count_reg;
    group_beats_reg <= {13'd0, beats_count_reg} * {16'd0, runs_count_reg};
    total_reg <= {12'd0, group_beats_reg} * {29'd0, groups_late_reg};
    taken_reg <= {taken_reg[2:0], take};
    if (rst) taken_reg <= 4'd0;
end

assign total_valid = taken_reg[3];
assign total = total_reg;

endmodule
`resetall
