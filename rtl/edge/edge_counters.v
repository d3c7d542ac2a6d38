// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Counters of an edge-processing engine: what a run does, and what every junction does
 *
 * CYCLES and STALLS have 48 bits, the others 32; all wrap. An event in the clock of a clear is counted as before it.
 *
 * Events are registered first, since they come from all over the engine and a counter has a long carry chain.
 *
 * Latency: 2 clocks from an event to its count.
 */
module edge_counters #(
    // Junctions
    parameter JUNCTIONS = 2,
    // What an event adds to its counter: 1, or in tests a number that soon reaches the high bits
    parameter COUNT_STEP = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      clear,        // all counters to 0

    // Events of this clock
    input  wire                      drop,         // a sample frame is dropped
    input  wire                      run_busy,
    input  wire                      stall,
    input  wire                      admit,        // a sample enters
    input  wire                      predicted,    // a prediction is complete
    input  wire                      correct,      // with predicted: its class is its label
    // Per junction, junction 1 in the low bits: busy, saturations
    input  wire [JUNCTIONS-1:0]      busy_ff,
    input  wire [JUNCTIONS-1:0]      busy_bp,
    input  wire [JUNCTIONS-1:0]      busy_up,
    input  wire [16*JUNCTIONS-1:0]   sat_ff,
    input  wire [16*JUNCTIONS-1:0]   sat_bp,
    input  wire [16*JUNCTIONS-1:0]   sat_up,

    output wire [47:0]               cycles,
    output wire [47:0]               stalls,
    output wire [31:0]               samples,
    output wire [31:0]               corrects,
    output wire [31:0]               predictions,
    output wire [31:0]               dropped,
    // Per junction 6 counts: busy FF, BP, UP, saturations of FF, BP, UP, the first in the low bits
    output wire [6*32*JUNCTIONS-1:0] junctions
);

localparam SW = $clog2(COUNT_STEP + 1);
localparam [31:0] STEP_WORD = COUNT_STEP;
localparam [SW-1:0] STEP = STEP_WORD[SW-1:0];

reg  [1:0]              long_events_reg;
wire [2*48-1:0]         long_counts;
reg  [3:0]              events_reg;
wire [4*32-1:0]         counts;
reg  [3*JUNCTIONS-1:0]  busy_reg;
reg  [48*JUNCTIONS-1:0] sat_reg;

always @(posedge clk) begin
    long_events_reg <= {stall, run_busy};
    events_reg <= {drop, predicted, correct, admit};
    busy_reg <= {busy_up, busy_bp, busy_ff};
    sat_reg <= {sat_up, sat_bp, sat_ff};
    if (rst || clear) begin
        long_events_reg <= 2'd0;
        events_reg <= 4'd0;
        busy_reg <= {3*JUNCTIONS{1'b0}};
        sat_reg <= {48*JUNCTIONS{1'b0}};
    end
end

assign {stalls, cycles} = long_counts;
assign {dropped, predictions, corrects, samples} = counts;

genvar i, k;

generate
    for (k = 0; k < 2; k = k + 1) begin : g_long
        event_counter #(
            .WIDTH(48),
            .STEP_WIDTH(SW)
        ) counter (
            .clk(clk),
            .rst(rst),
            .clear(clear),
            .step({SW{long_events_reg[k]}} & STEP),
            .count(long_counts[48*k +: 48])
        );
    end

    for (k = 0; k < 4; k = k + 1) begin : g_run
        event_counter #(
            .WIDTH(32),
            .STEP_WIDTH(SW)
        ) counter (
            .clk(clk),
            .rst(rst),
            .clear(clear),
            .step({SW{events_reg[k]}} & STEP),
            .count(counts[32*k +: 32])
        );
    end

    for (i = 0; i < JUNCTIONS; i = i + 1) begin : g_junction
        for (k = 0; k < 3; k = k + 1) begin : g_unit
            event_counter #(
                .WIDTH(32),
                .STEP_WIDTH(SW)
            ) busy_counter (
                .clk(clk),
                .rst(rst),
                .clear(clear),
                .step({SW{busy_reg[k*JUNCTIONS+i]}} & STEP),
                .count(junctions[32*(6*i+k) +: 32])
            );

            event_counter #(
                .WIDTH(32),
                .STEP_WIDTH(16)
            ) sat_counter (
                .clk(clk),
                .rst(rst),
                .clear(clear),
                .step(sat_reg[16*(k*JUNCTIONS+i) +: 16]),
                .count(junctions[32*(6*i+3+k) +: 32])
            );
        end
    end
endgenerate

endmodule
`resetall
