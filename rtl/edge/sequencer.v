// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "edge_registers.vh"
`include "edge_spans.vh"
/*
 * Pass sequencer: admits samples, moves their tokens from pass to pass, ends runs
 *
 * A run begins with `start` and admits `nsamples` samples (0: until `stop`), then drains. At every pass
 * boundary it begins a pass, or waits where the next sample, or room for its prediction, is missing; each
 * clock of waiting is a `stall`. A pass takes CP clocks. A run of n samples takes, without stalls, P*CP + RUN
 * clocks of `busy`: P = n + U passes, or n*(U+1) in sequential training; RUN is EDGE_SPAN_RUN.
 *
 * Latency: `pass_start` is a registered pulse; tokens are valid from then until the next one.
 */
module sequencer #(
    // Clocks per pass
    parameter CP = 32,
    // Passes from the admission of a sample to its last update (U)
    parameter U = 6
) (
    input  wire        clk,
    input  wire        rst,

    input  wire        start,        // pulse, taken when not busy
    input  wire        stop,         // level: admit no more samples
    input  wire [1:0]  mode,         // EDGE_MODE_* of edge_registers.vh
    input  wire [31:0] nsamples,
    input  wire [4:0]  lr_shift,

    output wire        busy,         // a run is under way
    output wire        done,         // pulse: the run has ended
    output wire        stall,        // this clock waits at a pass boundary
    output wire        admit,        // pulse: a sample enters (with its pass's first clock)

    input  wire        frame_valid,  // a sample is waiting
    input  wire        out_room,     // its prediction has room
    output wire        frame_free,   // pulse: FF of junction 1 is done with a sample

    output wire        pass_start,
    output wire [U:0]  tokens,       // bit k: the pass carries the sample admitted k passes ago
    output wire        train,        // the samples of this run are trained on
    output wire [4:0]  pass_lr       // learning-rate shift of the pass
);

localparam PW = $clog2(CP);
// Clocks of FINISH less one: one of those outside the passes is that in which the last pass ends
localparam [31:0] TAIL_WORD = `EDGE_SPAN_RUN - 2;
localparam TW = $clog2(`EDGE_SPAN_RUN);
localparam [TW-1:0] TAIL = TAIL_WORD[TW-1:0];

localparam [1:0] IDLE = 2'd0;
localparam [1:0] RUN = 2'd1;
localparam [1:0] FINISH = 2'd2;

reg [1:0]    state_reg, state_next;
reg [PW-1:0] phase_reg, phase_next;
reg [TW-1:0] tail_reg, tail_next;
reg [31:0]   left_reg, left_next;
reg          stopped_reg, stopped_next;
reg [U:0]    tokens_reg, tokens_next;
reg          endless_reg;
reg [1:0]    mode_reg;
reg          pass_start_reg;
reg          done_reg;
reg [4:0]    lr_reg;

wire running = state_reg == RUN;
wire boundary = running && phase_reg == {PW{1'b0}};
wire want = !stopped_reg && !stop && (endless_reg || left_reg != 32'd0);
wire empty = tokens_reg[U-1:0] == {U{1'b0}};
wire turn = want && (mode_reg != `EDGE_MODE_SEQUENTIAL || empty);
wire wait_here = turn && !(frame_valid && out_room);
wire finish = boundary && !want && empty;
wire go = boundary && !wait_here && !finish;
wire enter = go && turn;

assign busy = state_reg != IDLE;
assign done = done_reg;
assign stall = boundary && wait_here;
assign admit = enter;
assign pass_start = pass_start_reg;
assign tokens = tokens_reg;
assign train = mode_reg != `EDGE_MODE_INFERENCE;
assign pass_lr = lr_reg;

always @* begin
    state_next = state_reg;
    phase_next = phase_reg;
    tail_next = tail_reg;
    left_next = left_reg;
    stopped_next = stopped_reg;
    tokens_next = tokens_reg;

    case (state_reg)
        IDLE: begin
            if (start) begin
                state_next = RUN;
                phase_next = {PW{1'b0}};
                left_next = nsamples;
                stopped_next = 1'b0;
            end
        end
        RUN: begin
            if (stop) stopped_next = 1'b1;
            if (!boundary || go) phase_next = {{32-PW{1'b0}}, phase_reg} == CP-1 ? {PW{1'b0}} : phase_reg + 1'b1;
            if (go) tokens_next = {tokens_reg[U-1:0], enter};
            if (enter) left_next = left_reg - 32'd1;
            if (finish) begin
                state_next = FINISH;
                tail_next = TAIL;
                tokens_next = {U+1{1'b0}};
            end
        end
        default: begin
            tail_next = tail_reg - 1'b1;
            if (tail_reg == {TW{1'b0}}) state_next = IDLE;
        end
    endcase
end

always @(posedge clk) begin
    state_reg <= state_next;
    phase_reg <= phase_next;
    tail_reg <= tail_next;
    left_reg <= left_next;
    stopped_reg <= stopped_next;
    tokens_reg <= tokens_next;
    pass_start_reg <= go;
    done_reg <= busy && state_next == IDLE;
    if (!busy && start) begin
        endless_reg <= nsamples == 32'd0;
        mode_reg <= mode;
    end
    if (go) lr_reg <= lr_shift;
    if (rst) begin
        state_reg <= IDLE;
        tokens_reg <= {U+1{1'b0}};
        pass_start_reg <= 1'b0;
        done_reg <= 1'b0;
        lr_reg <= 5'd0;
        mode_reg <= 2'd0;
    end
end

// FF needs the frame of a sample until the pass after its own begins. Its slot may be written when the last read of
// its activations (s5 of the last row) is over.
delay_line #(
    .WIDTH(1),
    .DEPTH(`EDGE_SPAN_FREE),
    .RESET(1)
) free_delay (
    .clk(clk),
    .rst(rst),
    .d(go && tokens_reg[0]),
    .q(frame_free)
);

endmodule
`resetall
