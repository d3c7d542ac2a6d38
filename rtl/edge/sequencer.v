// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * Pass sequencer: admits samples, moves their tokens from pass to pass, ends runs
 *
 * A run begins with `start` and admits `nsamples` samples (0: until `stop`), then drains. At every pass
 * boundary it begins a pass, or waits where the next sample, or room for its prediction, is missing; each
 * clock of waiting is a `stall`. A pass takes CP clocks. A run of n samples takes, without stalls, P*CP + 16
 * clocks of `busy`: P = n + U passes, or n*(U+1) in sequential training.
 *
 * Timing: `pass_start` is a registered pulse; tokens are valid from then until the next one.
 */
module sequencer #
(
    // clocks per pass
    parameter CP = 32,
    // passes from the admission of a sample to its last update (U)
    parameter U = 6
)
(
    input  wire        clk,
    input  wire        rst,

    input  wire        start,        // pulse, taken when not busy
    input  wire        stop,         // level: admit no more samples
    input  wire [1:0]  mode,         // 0 pipelined training, 1 sequential training, 2 inference
    input  wire [31:0] nsamples,
    input  wire [4:0]  lr_shift,

    output wire        busy,         // a run is under way
    output wire        done,         // pulse: the run has ended
    output wire        stall,        // this clock waits at a pass boundary
    output wire        admit,        // pulse: a sample enters (with its pass's first clock)

    input  wire        frame_valid,  // a sample is waiting
    input  wire        out_room,     // its prediction has room
    output wire        frame_free,   // pulse: a sample has left the pipeline

    output wire        pass_start,
    output wire [U:0]  tokens,       // bit k: the pass carries the sample admitted k passes ago
    output wire        train,        // the samples of this run are trained on
    output wire [4:0]  pass_lr       // learning-rate shift of the pass
);

localparam PW = $clog2(CP);
localparam TAIL = 15;

localparam [1:0] IDLE = 2'd0;
localparam [1:0] RUN = 2'd1;
localparam [1:0] FINISH = 2'd2;

reg [1:0]    state_reg;
reg [PW-1:0] phase_reg;
reg [3:0]    tail_reg;
reg [31:0]   left_reg;
reg          endless_reg;
reg          stopped_reg;
reg [1:0]    mode_reg;
reg [U:0]    tokens_reg;
reg          pass_start_reg;
reg          done_reg;
reg [4:0]    lr_reg;

wire running = state_reg == RUN;
wire boundary = running && phase_reg == {PW{1'b0}};
wire want = !stopped_reg && !stop && (endless_reg || left_reg != 32'd0);
wire empty = tokens_reg[U-1:0] == {U{1'b0}};
wire turn = want && (mode_reg != 2'd1 || empty);
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
assign train = mode_reg != 2'd2;
assign pass_lr = lr_reg;

always @(posedge clk) begin
    pass_start_reg <= go;
    done_reg       <= 1'b0;

    case (state_reg)
        IDLE: begin
            if (start) begin
                state_reg   <= RUN;
                phase_reg   <= {PW{1'b0}};
                left_reg    <= nsamples;
                endless_reg <= nsamples == 32'd0;
                stopped_reg <= 1'b0;
                mode_reg    <= mode;
            end
        end
        RUN: begin
            if (stop) begin
                stopped_reg <= 1'b1;
            end
            if (!boundary || go) begin
                phase_reg <= ({{32-PW{1'b0}}, phase_reg} == CP-1) ? {PW{1'b0}} : phase_reg + 1'b1;
            end
            if (go) begin
                tokens_reg <= {tokens_reg[U-1:0], enter};
                lr_reg     <= lr_shift;
            end
            if (enter) begin
                left_reg <= left_reg - 32'd1;
            end
            if (finish) begin
                tokens_reg <= {U+1{1'b0}};
                state_reg  <= FINISH;
                tail_reg   <= TAIL - 1;
            end
        end
        default: begin
            tail_reg <= tail_reg - 4'd1;
            if (tail_reg == 4'd0) begin
                state_reg <= IDLE;
                done_reg  <= 1'b1;
            end
        end
    endcase

    if (rst) begin
        state_reg      <= IDLE;
        tokens_reg     <= {U+1{1'b0}};
        pass_start_reg <= 1'b0;
        done_reg       <= 1'b0;
        lr_reg         <= 5'd0;
        mode_reg       <= 2'd0;
    end
end

// A sample leaves when the pass after its last update begins, or with the end of the run. Its slot may be
// written when the last read of its activations (s4 of the last row) is over.
delay_line #(
    .WIDTH(1),
    .DEPTH(8),
    .RESET(1)
) free_delay (
    .clk(clk),
    .rst(rst),
    .d((go || finish) && tokens_reg[U]),
    .q(frame_free)
);

endmodule

`resetall
