// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * AXI4-Stream samples to activation frames
 *
 * Latency: a frame of BEATS beats is handed to the engine beat by beat, one clock after it was accepted;
 * `act_commit` with its label follows in the clock after its last word, at which the next frame's first word
 * may already stand. A frame that is short, long or has a label >= CLASSES ends with `act_abort` instead.
 *
 * A frame is begun only while a ring slot is free; within a frame `s_axis_tready` stays high, so the stream
 * runs at one beat per clock with no gap between frames. A slot is taken by a good frame and given back
 * by `frame_free`.
 *
 * A long frame is reported at the beat that should have been its last; the rest of it, up to TLAST, is
 * swallowed. So is the rest of a frame that a soft reset interrupts, without a report.
 */
module sample_loader #(
    // Width of an activation in bits
    parameter WIDTH = 12,
    // Activations per beat
    parameter IN_LANES = 4,
    // Beats per frame
    parameter BEATS = 8,
    // Labels are 0 to CLASSES-1
    parameter CLASSES = 10,
    // Frames the engine can hold
    parameter SLOTS = 4,
    // Width of a lane of the stream in bits (derived)
    parameter LB = 8*((WIDTH + 7)/8)
) (
    input  wire                      clk,
    input  wire                      rst,            // hard reset
    input  wire                      soft_rst,       // forget all frames, swallow the rest of a begun one

    input  wire [IN_LANES*LB-1:0]    s_axis_tdata,   // lane l: activation beat*IN_LANES + l, low WIDTH bits count
    input  wire                      s_axis_tvalid,
    output wire                      s_axis_tready,
    input  wire                      s_axis_tlast,
    input  wire [15:0]               s_axis_tuser,   // label, on the last beat

    output wire                      act_valid,
    output wire [IN_LANES*WIDTH-1:0] act_data,
    output wire                      act_commit,     // the frame before this clock is good
    output wire                      act_abort,      // the frame before this clock is to be forgotten
    output wire [15:0]               label,          // with act_commit

    output wire                      frame_valid,    // a committed frame waits
    input  wire                      frame_take,     // pulse, only while frame_valid: the engine takes it
    input  wire                      frame_free,     // pulse: the engine needs a taken frame no more

    output wire                      drop_short,     // pulses, one per dropped frame
    output wire                      drop_long,
    output wire                      drop_label
);

localparam BW = BEATS > 1 ? $clog2(BEATS) : 1;
localparam SW = $clog2(SLOTS + 1);

reg [BW-1:0] beat_reg;     // number of the next beat in its frame
reg          begun_reg;    // some beats of a frame, but not TLAST, have been accepted
reg          swallow_reg;  // the rest of the frame is unwanted
reg [SW-1:0] used_reg;     // slots of good frames received and not yet freed
reg [SW-1:0] waiting_reg;  // of these, committed and not yet taken

reg                      act_valid_reg;
reg [IN_LANES*WIDTH-1:0] act_data_reg;
reg                      good_reg;
reg                      bad_reg;
reg                      commit_reg;
reg                      abort_reg;
reg [15:0]               label_in_reg;
reg [15:0]               label_reg;
reg                      short_reg;
reg                      long_reg;
reg                      bad_label_reg;

wire reset = rst || soft_rst;

assign s_axis_tready = !reset && (begun_reg || {{32-SW{1'b0}}, used_reg} != SLOTS);

wire take = s_axis_tvalid && s_axis_tready;
wire wanted = take && !swallow_reg;
wire full = {{32-BW{1'b0}}, beat_reg} == BEATS - 1;
wire known = {16'd0, s_axis_tuser} < CLASSES;
wire good = wanted && full && s_axis_tlast && known;
wire bad_label = wanted && full && s_axis_tlast && !known;
wire too_short = wanted && !full && s_axis_tlast;
wire too_long = wanted && full && !s_axis_tlast;

wire [IN_LANES*WIDTH-1:0] activations;

genvar l;

generate
    for (l = 0; l < IN_LANES; l = l + 1) begin : g_lane
        assign activations[l*WIDTH +: WIDTH] = s_axis_tdata[l*LB +: WIDTH];
        if (LB > WIDTH) begin : g_ignored
            wire unused = &{1'b0, s_axis_tdata[l*LB+WIDTH +: LB-WIDTH]};
        end
    end
endgenerate

// The frame on the stream; only the hard reset forgets that one has begun
always @(posedge clk) begin
    if (take) begin
        begun_reg <= !s_axis_tlast;
        swallow_reg <= !s_axis_tlast && (swallow_reg || too_long);
        beat_reg <= (full || s_axis_tlast) ? {BW{1'b0}} : beat_reg + 1'b1;
    end
    if (soft_rst) begin
        swallow_reg <= begun_reg;
        beat_reg <= {BW{1'b0}};
    end
    if (rst) begin
        begun_reg <= 1'b0;
        swallow_reg <= 1'b0;
        beat_reg <= {BW{1'b0}};
    end
end

// Words, then the verdict one clock after the last of them
always @(posedge clk) begin
    act_valid_reg <= wanted;
    act_data_reg <= activations;
    label_in_reg <= s_axis_tuser;
    label_reg <= label_in_reg;
    good_reg <= good;
    bad_reg <= bad_label || too_short || too_long;
    commit_reg <= good_reg;
    abort_reg <= bad_reg;
    short_reg <= too_short;
    long_reg <= too_long;
    bad_label_reg <= bad_label;
    if (reset) begin
        act_valid_reg <= 1'b0;
        good_reg <= 1'b0;
        bad_reg <= 1'b0;
        commit_reg <= 1'b0;
        abort_reg <= 1'b0;
        short_reg <= 1'b0;
        long_reg <= 1'b0;
        bad_label_reg <= 1'b0;
    end
end

// Slots: one is taken when the last beat is accepted, so that the next beat already sees it
always @(posedge clk) begin
    used_reg <= used_reg + {{SW-1{1'b0}}, good} - {{SW-1{1'b0}}, frame_free};
    waiting_reg <= waiting_reg + {{SW-1{1'b0}}, commit_reg} - {{SW-1{1'b0}}, frame_take};
    if (reset) begin
        used_reg <= {SW{1'b0}};
        waiting_reg <= {SW{1'b0}};
    end
end

assign act_valid = act_valid_reg;
assign act_data = act_data_reg;
assign act_commit = commit_reg;
assign act_abort = abort_reg;
assign label = label_reg;
assign frame_valid = waiting_reg != {SW{1'b0}};
assign drop_short = short_reg;
assign drop_long = long_reg;
assign drop_label = bad_label_reg;

endmodule
`resetall
