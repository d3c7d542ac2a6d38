// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Commands for memory of a DRAIN: where it writes, and where it reads of the other map
 *
 * Both go by the pattern of the OUTPUT. With windows and index every run of results is followed by one of places, from
 * the address of the mask on; nothing is read. With index alone the pattern is that of the other map, of places; for
 * each of its runs two are written, of twice the beats, on rows that are twice as long.
 *
 * Latency: from the DRAIN to the first commands 1 clock, then one per clock on each port; total 4 clocks.
 */
module drain_runs #(
    // Bytes of a beat, a power of two, 8 ... 64
    parameter B = 32
) (
    input  wire         clk,
    // Synchronous, active high: forgets everything
    input  wire         rst,

    // A DRAIN with its settings, which stay until all is done
    input  wire         start,
    input  wire         windows,
    input  wire         index,
    // There is another map to read
    input  wire         use_map,
    // Byte addresses of the first run of results, and of the other map
    input  wire [31:0]  addr,
    input  wire [31:0]  mask_addr,
    // Beats of a run, runs of a group and groups, each less one; strides in beats
    input  wire [15:0]  beats,
    input  wire [11:0]  runs,
    input  wire [19:0]  run_stride,
    input  wire [11:0]  groups,
    input  wire [19:0]  group_stride,

    // Commands go out
    input  wire         run,

    // Pulse, with the beats that are written, but for places
    output wire         total_valid,
    output wire [41:0]  total,

    output wire         wr_cmd_valid,
    input  wire         wr_cmd_ready,
    output wire [31:0]  wr_cmd_addr,
    output wire [15:0]  wr_cmd_beats,
    // A write command is answered
    input  wire         wr_done,
    // All write commands are given
    output wire         commanded,
    // None of those is without an answer
    output wire         answered,

    output wire         rd_cmd_valid,
    input  wire         rd_cmd_ready,
    output wire [31:0]  rd_cmd_addr,
    output wire [15:0]  rd_cmd_beats
);

localparam [6:0] PENDING_MAX = 7'd127;  // write commands that are not answered, at most

wire        spread = index && !windows;
wire        places = index && windows;

wire        results_valid;
wire [31:0] results_addr;
wire [15:0] results_beats;
wire        results_last;
wire        maps_valid;
wire [31:0] maps_addr;
wire [15:0] maps_beats;
wire        maps_last;
wire        unused_maps_total_valid;
wire [41:0] unused_maps_total;
wire        unused_results_ready;
wire        unused_maps_ready;

// Write commands given and not answered
reg [6:0] pending_reg;
reg       commanded_reg;
reg       turn_reg;      // the next one is of places
wire      go = run && pending_reg != PENDING_MAX;
wire      command = wr_cmd_valid && wr_cmd_ready;
wire      last_command = (turn_reg ? maps_last : results_last) && turn_reg == places;

assign wr_cmd_valid = (turn_reg ? maps_valid : results_valid) && go;
assign wr_cmd_addr = turn_reg ? maps_addr : results_addr;
assign wr_cmd_beats = turn_reg ? maps_beats : results_beats;
assign rd_cmd_valid = maps_valid && run && !places;
assign rd_cmd_addr = maps_addr;
assign rd_cmd_beats = maps_beats;

address_runs #(.B(B)) of_results (
    .clk(clk),
    .rst(rst),
    .s_valid(start),
    .s_ready(unused_results_ready),
    .s_addr(addr),
    .s_beats(spread ? {beats[14:0], 1'b1} : beats),
    .s_runs(spread ? {runs, 1'b1} : {1'b0, runs}),
    .s_run_stride(spread ? {run_stride[18:0], 1'b0} : run_stride),
    .s_groups(groups),
    .s_group_stride(spread ? {group_stride[17:0], 2'b00} : group_stride),
    .m_valid(results_valid),
    .m_ready(wr_cmd_ready && go && !turn_reg),
    .m_addr(results_addr),
    .m_beats(results_beats),
    .m_last(results_last),
    .total_valid(total_valid),
    .total(total)
);

address_runs #(.B(B)) of_maps (
    .clk(clk),
    .rst(rst),
    .s_valid(start && (use_map || index)),
    .s_ready(unused_maps_ready),
    .s_addr(mask_addr),
    .s_beats(beats),
    .s_runs({1'b0, runs}),
    .s_run_stride(run_stride),
    .s_groups(groups),
    .s_group_stride(group_stride),
    .m_valid(maps_valid),
    .m_ready(places ? wr_cmd_ready && go && turn_reg : rd_cmd_ready && run),
    .m_addr(maps_addr),
    .m_beats(maps_beats),
    .m_last(maps_last),
    .total_valid(unused_maps_total_valid),
    .total(unused_maps_total)
);

always @(posedge clk) begin
    if (command && !wr_done) pending_reg <= pending_reg + 7'd1;
    if (!command && wr_done) pending_reg <= pending_reg - 7'd1;
    if (start) commanded_reg <= 1'b0;
    else if (command && last_command) commanded_reg <= 1'b1;
    if (command) turn_reg <= places && !turn_reg;
    if (rst) begin
        pending_reg <= 7'd0;
        commanded_reg <= 1'b0;
        turn_reg <= 1'b0;
    end
end

assign commanded = commanded_reg;
assign answered = pending_reg == 7'd0;

// (and what both patterns tell alike)
wire unused = &{1'b0, unused_results_ready, unused_maps_ready, unused_maps_total_valid, unused_maps_total};

`ifdef SIMULATION
always @(posedge clk) begin
    if ($time != 0 && !rst && wr_done && answered) begin
        $display("%m: an answer to no command");
        $finish;
    end
end
`endif

endmodule
`resetall
